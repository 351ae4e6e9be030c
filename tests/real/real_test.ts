/**
 * Real programs: every script of `programs/` must print the same, byte for byte, and end with the
 * same exit code in the sandbox as on this machine; and nothing that it writes may reach the host.
 *
 * A script begins with comments: what it is, "# needs: COMMAND...", and "# slow" if ptrace is to
 * run it only in full. It works in $WORK. Neighbour: `../harness/`.
 */

import { assertEquals } from "@std/assert";
import { describe, doCommand, type PlatformName, ROOT, run } from "../harness/dvisor.ts";
import { isFull, lacks, named } from "../harness/machine.ts";

const FOLDER = `${ROOT}/tests/real/programs`;

/** LIMIT: seconds for one script. */
const TIMEOUT_S = 240;

interface Program {
  readonly name: string;
  readonly path: string;
  readonly needs: readonly string[];
  readonly isSlow: boolean;
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
    };
  });
}

/** Both runs get the same environment, so that nothing of the caller's changes the output. */
function environment(work: string): Record<string, string> {
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return { PATH: path, WORK: work, LANG: "C.UTF-8", TERM: "dumb" };
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
    const native = await run(command, options);
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
    const isTooSlow = platform === "ptrace" && program.isSlow && !isFull;
    const why = lacks(program.needs) ?? (isTooSlow ? "slow on ptrace; runs in test:full" : null);
    Deno.test({
      ...named(`${platform}: ${program.name}`, why),
      fn: () => compare(program, platform),
    });
  }
}
