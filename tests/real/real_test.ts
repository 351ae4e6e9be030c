/**
 * Real programs: every script of `programs/` must print the same, byte for byte, and end with the
 * same exit code in the sandbox as on this machine; and nothing that it writes may reach the host.
 *
 * A script begins with comments: what it is, "# needs: COMMAND...", "# slow" if ptrace is to run it
 * only in full, "# long" if that holds for systrap too, and "# apart" if it changes the system or
 * serves at fixed ports: then it runs natively on a copy of the root (lib/apart.sh). It works in $WORK; $SOURCES is this folder, and
 * $FULL is 1 in a full run, which does more of the same. Neighbour: `../harness/`.
 */

import { assertEquals } from "@std/assert";
import { describe, doCommand, type PlatformName, ROOT, run } from "../harness/dvisor.ts";
import { isFull, isRoot, lacks, named } from "../harness/machine.ts";

const SOURCES = `${ROOT}/tests/real`, FOLDER = `${SOURCES}/programs`;
const APART = ["bash", `${SOURCES}/lib/apart.sh`];

/** LIMIT: seconds for one script. */
const TIMEOUT_S = isFull ? 1200 : 240;

interface Program {
  readonly name: string;
  readonly path: string;
  readonly needs: readonly string[];
  readonly isSlow: boolean;
  readonly isLong: boolean;
  readonly isApart: boolean;
}

function programs(): Program[] {
  const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name);
  return names.filter((name) => name.endsWith(".sh")).sort().map((name) => {
    const path = `${FOLDER}/${name}`, text = Deno.readTextFileSync(path);
    return {
      name: name.slice(0, -3),
      path,
      needs: (/^# needs: (.*)$/m.exec(text)?.[1] ?? "").split(" "),
      isSlow: /^# slow$/m.test(text),
      isLong: /^# long$/m.test(text),
      isApart: /^# apart$/m.test(text),
    };
  });
}

/** Both runs get the same environment, so that nothing of the caller's changes the output. */
function environment(work: string): Record<string, string> {
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const home = Deno.env.get("HOME") ?? "/", full = isFull ? "1" : "";
  return {
    PATH: path,
    WORK: work,
    LANG: "C.UTF-8",
    TERM: "dumb",
    SOURCES,
    USER_HOME: home,
    FULL: full,
  };
}

/** Why nothing can run apart here; null when it can. */
function noApart(): string | null {
  if (!isRoot) return "needs root";
  const { success } = new Deno.Command(APART[0]!, {
    args: [...APART.slice(1), "true"],
    env: environment("/tmp"),
    clearEnv: true,
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? null : "no copy of the root file system can be made here";
}

/** Asked once, and only where a script wants it. */
let apart: string | null | undefined;

function whyNot(program: Program, platform: PlatformName): string | null {
  const missing = lacks(program.needs);
  if (missing !== null) return missing;
  if (program.isLong && !isFull) return "long; runs in test:full";
  if (platform === "ptrace" && program.isSlow && !isFull) {
    return "slow on ptrace; runs in test:full";
  }
  if (!program.isApart) return null;
  if (apart === undefined) apart = noApart();
  return apart;
}

function firstDifference(a: string, b: string): string {
  const left = a.split("\n"), right = b.split("\n");
  const at = left.findIndex((line, i) => line !== right[i]);
  const i = at < 0 ? left.length : at;
  return `line ${i + 1}: native "${left[i] ?? "(end)"}", sandbox "${right[i] ?? "(end)"}"`;
}

async function compare(program: Program, platform: PlatformName): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "dvisor-real-" });
  try {
    const command = ["env", `HOME=${work}`, "bash", program.path];
    const env = { ...environment(work), HOME: Deno.env.get("HOME") ?? "/" };
    const options = { timeoutS: TIMEOUT_S, env, clearEnv: true };
    const inside = await run([...doCommand(platform), ...command], options);
    assertEquals([...Deno.readDirSync(work)].map((e) => e.name), [], "writes reached the host");
    const native = await run(program.isApart ? [...APART, ...command] : command, options);
    assertEquals(inside.isOverdue, false, `in the sandbox: ${describe(inside)}`);
    assertEquals(inside.code, native.code, `in the sandbox: ${describe(inside)}`);
    if (inside.stdout !== native.stdout) {
      throw new Error(`${firstDifference(native.stdout, inside.stdout)}\n${inside.stderr}`);
    }
    assertEquals(native.stdout.length > 0, true, "the program printed nothing at all");
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

for (const program of programs()) {
  for (const platform of ["systrap", "ptrace"] as const) {
    Deno.test({
      ...named(`${platform}: ${program.name}`, whyNot(program, platform)),
      fn: () => compare(program, platform),
    });
  }
}
