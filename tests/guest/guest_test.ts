/**
 * Guest behaviour: every script of this folder, first proved on native Linux
 * (`deno task test:native`), then run in a sandbox. One test a script and platform, one step a line
 * of its output: "ok NAME", "FAIL NAME: why", "skip NAME: why", and "done" at the end.
 */

import { assertEquals } from "@std/assert";
import { doCommand, type PlatformName } from "../harness/dvisor.ts";
import { isFull, isNative, named, PYTHON } from "../harness/machine.ts";
import { QUICK_ON_PTRACE, runScript, scripts } from "./scripts.ts";

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
