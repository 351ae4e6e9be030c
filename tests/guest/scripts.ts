/**
 * The guest scripts: their names, families and results. A family is a folder of this one. Not a
 * test: `guest_test.ts` makes tests of the scripts, `report.ts` a table of families.
 */

import { assertEquals } from "@std/assert";
import { describe, PLATFORM, type PlatformName, ROOT, run } from "../harness/dvisor.ts";
import { named, PYTHON } from "../harness/machine.ts";

const FOLDER = `${ROOT}/tests/guest`;
/**
 * What the scripts import. Each family has a link to it, so that a script runs by its path alone.
 */
const LIBRARY = "lib";

/** On ptrace every call costs more, and what it shares with systrap was tested there. */
const QUICK_ON_PTRACE: readonly string[] = [
  "ptrace_state",
  "seccomp",
  "exec_calls",
  "faults",
  "futexes",
  "memory",
  "processes",
  "signals",
];

/** Scripts of a short run on kvm: their calls and faults reach the kernel by other ways there. */
const QUICK_ON_KVM: readonly string[] = [
  "exec_calls",
  "faults",
  "futexes",
  "memory",
  "memory_mapping",
  "processes",
  "ptrace_state",
  "signals",
];

/** Whether a script runs on this platform in a test that is not a full one. */
export function isQuick(script: string, platform: PlatformName): boolean {
  if (platform === PLATFORM) return true;
  return (platform === "kvm" ? QUICK_ON_KVM : QUICK_ON_PTRACE).includes(script);
}

/**
 * LIMIT: seconds for one script, and for one of its tests: more than a test waits for a condition
 * (`DEADLINE_S` in `lib/guest.py`), so that a wait which fails names its condition.
 */
const SCRIPT_TIMEOUT_S = 180, TEST_TIMEOUT_S = 60;

type Verdict = "ok" | "FAIL" | "skip";

/** One line of a script's output. */
interface Case {
  readonly name: string;
  readonly verdict: Verdict;
  readonly why: string;
}

export interface ScriptResult {
  readonly cases: readonly Case[];
  /** Why the script did not come to its end; null when it did. */
  readonly problem: string | null;
}

/** The families: folders with scripts. */
export const FAMILIES: readonly string[] = [...Deno.readDirSync(FOLDER)]
  .filter((entry) => entry.isDirectory && entry.name !== LIBRARY)
  .map((entry) => entry.name).sort();

function scriptsOf(family: string): string[] {
  const names = [...Deno.readDirSync(`${FOLDER}/${family}`)].map((entry) => entry.name);
  return names.filter((name) => name.endsWith(".py")).map((name) => name.slice(0, -3));
}

/** [script, family] of each script: no two have one name (tests/tidy/claims_test.ts). */
export const SCRIPTS: readonly (readonly [string, string])[] = FAMILIES
  .flatMap((family) => scriptsOf(family).map((script) => [script, family] as const))
  .sort(([a], [b]) => a < b ? -1 : 1);

const FAMILY_OF: ReadonlyMap<string, string> = new Map(SCRIPTS);

/** The names of all scripts, sorted. */
export function scripts(): string[] {
  return [...FAMILY_OF.keys()];
}

/** The folder of a script. */
export function familyOf(script: string): string | undefined {
  return FAMILY_OF.get(script);
}

export function scriptPath(script: string): string {
  return `${FOLDER}/${familyOf(script)}/${script}.py`;
}

const LINE = /^(ok|FAIL|skip) (\w+)(?:: (.*))?$/;

/**
 * Runs a script behind `prefix` (nothing, or a `dvisor do`), on a machine that is `slowness` times
 * as slow as others.
 */
export function runScript(
  prefix: readonly string[],
  script: string,
  slowness: number = 1,
): Promise<ScriptResult> {
  return runPath(prefix, scriptPath(script), slowness);
}

/** `runScript` for a script of another folder, with more variables of the environment. */
export async function runPath(
  prefix: readonly string[],
  path: string,
  slowness: number = 1,
  more: Readonly<Record<string, string>> = {},
): Promise<ScriptResult> {
  const variables = { ...more, GUEST_TIMEOUT: String(TEST_TIMEOUT_S * slowness) };
  // A sandbox has few of the caller's variables.
  const env = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const argv = [...prefix, "env", ...env, PYTHON ?? "python3", "-B", path];
  const result = await run(argv, { timeoutS: SCRIPT_TIMEOUT_S * slowness });
  const cases: Case[] = [];
  for (const line of result.stdout.split("\n")) {
    const [, word, name = "", why = ""] = LINE.exec(line) ?? [];
    if (word === "ok" || word === "FAIL" || word === "skip") {
      cases.push({ name, verdict: word, why });
    }
  }
  const isWhole = result.code === 0 && /^done$/m.test(result.stdout);
  const problem = !isWhole
    ? `the script did not come to its end: ${describe(result)}`
    : cases.length === 0
    ? "the script has no tests"
    : null;
  return { cases, problem };
}

/** Each case of a script as a step of a test. */
export async function addSteps(t: Deno.TestContext, result: ScriptResult): Promise<void> {
  for (const { name, verdict, why } of result.cases) {
    if (verdict === "skip") {
      await t.step({ ...named(name, why), fn: () => {} });
    } else {
      await t.step(name, () => {
        if (verdict !== "ok") throw new Error(why);
      });
    }
  }
  assertEquals(result.problem, null, result.problem ?? "");
}
