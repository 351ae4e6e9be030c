/**
 * The guest scripts: which there are, of which family, and what one says when it runs. Not a test. `guest_test.ts` makes
 * tests of them, `report.ts` a table of families.
 */

import { describe, PLATFORM, type PlatformName, ROOT, run } from "../harness/dvisor.ts";
import { PYTHON } from "../harness/machine.ts";

const FOLDER = `${ROOT}/tests/guest`;

export const FAMILIES = [
  "processes",
  "memory",
  "files",
  "ipc",
  "network",
  "terminals",
  "events",
  "time",
  "system",
] as const;

export type Family = (typeof FAMILIES)[number];

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

/** The same of kvm: what comes to the kernel in other ways there than on systrap. */
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

/** LIMIT: seconds for one script, and for one of its tests. */
const SCRIPT_TIMEOUT_S = 180, TEST_TIMEOUT_S = 60;

export type Verdict = "ok" | "FAIL" | "skip";

/** One line of a script's output. */
export interface Case {
  readonly name: string;
  readonly verdict: Verdict;
  readonly why: string;
}

export interface ScriptResult {
  readonly cases: readonly Case[];
  /** Why the script did not come to its end; null when it did. */
  readonly problem: string | null;
}

export function scripts(): string[] {
  const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name);
  return names.filter((name) => name.endsWith(".py")).map((name) => name.slice(0, -3)).sort();
}

/** The family that a script's line `FAMILY = "x"` names; null without such a line. */
export function familyOf(script: string): Family | null {
  const text = Deno.readTextFileSync(`${FOLDER}/${script}.py`);
  const name = /^FAMILY = "(\w+)"$/m.exec(text)?.[1];
  return FAMILIES.find((family) => family === name) ?? null;
}

const LINE = /^(ok|FAIL|skip) (\w+)(?:: (.*))?$/;

/** Runs a script behind `prefix` (nothing, or a `dvisor do`), on a machine that is `slowness` times as slow as others. */
export async function runScript(
  prefix: readonly string[],
  script: string,
  slowness: number = 1,
): Promise<ScriptResult> {
  const argv = [...prefix, PYTHON ?? "python3", "-B", `${FOLDER}/${script}.py`];
  const env = { GUEST_TIMEOUT: String(TEST_TIMEOUT_S * slowness) };
  const result = await run(argv, { timeoutS: SCRIPT_TIMEOUT_S * slowness, env });
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
