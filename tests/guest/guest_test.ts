/**
 * Guest behaviour: every script of this folder, first proved on native Linux
 * (`deno task test:native`), then run in a sandbox. One test a script and platform, one step a line
 * of its output: "ok NAME", "FAIL NAME: why", "skip NAME: why", and "done" at the end.
 */

import { assertEquals } from "@std/assert";
import { doCommand, platforms } from "../harness/dvisor.ts";
import { isFull, isNative, named, noKvm, PYTHON } from "../harness/machine.ts";
import { isQuick, runScript, scripts } from "./scripts.ts";

async function judge(t: Deno.TestContext, prefix: readonly string[], script: string) {
  const { cases, problem } = await runScript(prefix, script);
  for (const { name, verdict, why } of cases) {
    if (verdict === "skip") {
      await t.step({ ...named(name, why), fn: () => {} });
    } else {
      await t.step(name, () => {
        if (verdict !== "ok") throw new Error(why);
      });
    }
  }
  assertEquals(problem, null, problem ?? "");
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
  for (const platform of platforms("systrap", "ptrace", "kvm")) {
    if (!isFull && !isQuick(script, platform)) continue;
    Deno.test({
      ...named(`${platform}: ${script}`, noPython ?? (platform === "kvm" ? noKvm : null)),
      fn: (t) => judge(t, doCommand(platform), script),
    });
  }
}
