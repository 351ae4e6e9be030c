/**
 * Guest behaviour: every script of this folder, first proved on native Linux
 * (`deno task test:native`), then run in a sandbox. One test a script and platform, one step a line
 * of its output: "ok NAME", "FAIL NAME: why", "skip NAME: why", and "done" at the end.
 */

import { assertEquals } from "@std/assert";
import { describe, doCommand, type PlatformName, ROOT, run } from "../harness/dvisor.ts";
import { isFull, isNative, named, PYTHON } from "../harness/machine.ts";

const FOLDER = `${ROOT}/tests/guest`;

/** On ptrace every call costs more, and what it shares with systrap was tested there. */
const QUICK_ON_PTRACE = [
  "ptrace_state",
  "seccomp",
  "exec_calls",
  "faults",
  "futexes",
  "memory",
  "processes",
  "signals",
];

/** LIMIT: seconds for one script, and for one of its tests. */
const SCRIPT_TIMEOUT_S = 180;
const TEST_TIMEOUT_S = "20";

function scripts(): string[] {
  const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name);
  return names.filter((name) => name.endsWith(".py")).map((name) => name.slice(0, -3)).sort();
}

async function judge(t: Deno.TestContext, prefix: readonly string[], script: string) {
  const argv = [...prefix, PYTHON ?? "", "-B", `${FOLDER}/${script}.py`];
  const env = { GUEST_TIMEOUT: TEST_TIMEOUT_S };
  const result = await run(argv, { timeoutS: SCRIPT_TIMEOUT_S, env });
  const lines = result.stdout.split("\n").filter((line) => /^(ok|FAIL|skip) /.test(line));
  for (const line of lines) {
    const [, verdict = "", name = "", why = ""] = /^(\w+) (\w+)(?:: (.*))?$/.exec(line) ?? [];
    if (verdict === "skip") {
      await t.step({ ...named(name, why), fn: () => {} });
    } else {
      await t.step(name, () => {
        if (verdict !== "ok") throw new Error(why);
      });
    }
  }
  const isWhole = result.code === 0 && /^done$/m.test(result.stdout);
  assertEquals(isWhole, true, `the script did not come to its end: ${describe(result)}`);
  assertEquals(lines.length > 0, true, "the script has no tests");
}

const noPython = PYTHON === null ? "no python3 on this machine" : null;

for (const script of scripts()) {
  if (isNative) {
    Deno.test({
      ...named(`native: ${script}`, noPython),
      fn: (t) => judge(t, [], script),
    });
    continue;
  }
  const platforms: PlatformName[] = isFull || QUICK_ON_PTRACE.includes(script)
    ? ["systrap", "ptrace"]
    : ["systrap"];
  for (const platform of platforms) {
    Deno.test({
      ...named(`${platform}: ${script}`, noPython),
      fn: (t) => judge(t, doCommand(platform), script),
    });
  }
}
