/**
 * `deno task demo`: builds both binaries and runs real programs of this machine in a sandbox, each
 * with its command line, its output and its time. Not a test: it checks only what it says.
 */

import { ensureBuilt } from "./build/ensure.ts";
import { requireHost, ROOT } from "./host_check.ts";
import { hasCommand } from "./test/packages.ts";

/** One thing to show. */
interface Scene {
  readonly title: string;
  /** Arguments of `dvisor`. */
  readonly args: readonly string[];
  /** Host programs without which there is nothing to show. */
  readonly needs: readonly string[];
  /** Text that the output must contain if the scene worked. */
  readonly expects: string;
  /** The exit code that the scene ends with. */
  readonly code: number;
}

function scene(title: string, args: string[], expects: string, more: Partial<Scene> = {}): Scene {
  return { title, args, expects, needs: [], code: 0, ...more };
}

function inShell(script: string): string[] {
  return ["do", "--", "bash", "-c", script];
}

/** Where the sandbox writes a file that must not appear on the host; every user may write there. */
const PLACE = "/var/tmp";

/** @param leak the file that the sandbox writes */
const scenes = (leak: string): readonly Scene[] => [
  scene("The version", ["--version"], "dvisor"),
  scene("What this host offers", ["doctor"], ""),
  scene(
    "This machine's own programs, on a kernel in TypeScript",
    inShell(`uname -a; ls /usr | head; python3 -c "print(sum(range(10**6)))"`),
    "499999500000",
    { needs: ["bash", "python3"] },
  ),
  scene("The kernel names itself", inShell("uname -r; cat /proc/version"), "6.12", {
    needs: ["bash"],
  }),
  scene(
    "What is written stays inside",
    inShell(`echo "only in here" > ${leak}; cat ${leak}`),
    "only in here",
    { needs: ["bash"] },
  ),
  scene(
    "A pipeline of six",
    inShell("seq 20000 | sort -r | uniq | grep 7 | wc -l | tr -d ' '"),
    "6878",
    { needs: ["bash"] },
  ),
  scene(
    "Other processes of the host are not there",
    inShell("for p in /proc/[0-9]*; do cat $p/comm; done"),
    "bash",
    { needs: ["bash"] },
  ),
  scene(
    "git",
    inShell(
      "cd /tmp && git init -q r && cd r && echo hi > f && git add f && " +
        "git -c user.name=d -c user.email=d@example.org commit -qm first && git log --oneline && " +
        "git fsck && echo clean",
    ),
    "clean",
    { needs: ["bash", "git"] },
  ),
  scene(
    "A C compiler and what it makes",
    inShell(
      `cd /tmp && printf '#include <stdio.h>\\nint main(){puts("made in here");}' > a.c && ` +
        "gcc a.c && ./a.out",
    ),
    "made in here",
    { needs: ["bash", "gcc"] },
  ),
  scene("Exit codes as a shell gives them", inShell("kill -TERM $$"), "", {
    needs: ["bash"],
    code: 143,
  }),
];

async function show(dvisor: string, { title, args, expects, code }: Scene): Promise<boolean> {
  const words = args.map((a) => /^[\w@%+=:,./-]+$/.test(a) ? a : `'${a.replaceAll("'", `'\\''`)}'`);
  console.log(`\n# ${title}\n$ dvisor ${words.join(" ")}`);
  const start = performance.now();
  const result = await new Deno.Command(dvisor, { args: [...args], stdin: "null" }).output();
  const ms = Math.round(performance.now() - start);
  const text = new TextDecoder();
  const stdout = text.decode(result.stdout);
  console.log((stdout + text.decode(result.stderr)).trimEnd());
  const isGood = result.code === code && stdout.includes(expects);
  const ended = result.code === 0 ? "" : `, exit code ${result.code}`;
  console.log(`(${ms} ms${ended}${isGood ? "" : ": NOT what was expected"})`);
  return isGood;
}

/** Shows all scenes; how many worked, and how many did not. */
async function showAll(leak: string): Promise<{ good: number; bad: number }> {
  let good = 0, bad = 0;
  for (const item of scenes(leak)) {
    const missing = item.needs.filter((command) => !hasCommand(command));
    if (missing.length > 0) {
      console.log(`\n# ${item.title}: left out, this machine has no ${missing.join(", ")}`);
      continue;
    }
    if (await show(`${ROOT}/dist/dvisor`, item)) good++;
    else bad++;
  }
  return { good, bad };
}

async function main(): Promise<number> {
  requireHost();
  if (!await ensureBuilt(ROOT)) return 1;
  const place = Deno.makeTempDirSync({ dir: PLACE, prefix: "dvisor-demo-" });
  try {
    const { good, bad } = await showAll(`${place}/written`);
    const isLeaked = [...Deno.readDirSync(place)].length > 0;
    const verdict = isLeaked ? "IT IS THERE" : "not there, as it should be";
    console.log(`\n${place}/written on the host: ${verdict}`);
    console.log(`${good} scenes worked, ${bad} did not`);
    return bad > 0 || isLeaked ? 1 : 0;
  } finally {
    Deno.removeSync(place, { recursive: true });
  }
}

Deno.exit(await main());
