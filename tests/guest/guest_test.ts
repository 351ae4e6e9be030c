/**
 * Guest behaviour: every script of the folders here, first proved on native Linux
 * (`deno task test:native`), then run in a sandbox. One test a script and platform, one step a line
 * of its output: "ok NAME", "FAIL NAME: why" or "skip NAME: why", and "done" at the end.
 */

import { doCommand, platforms } from "../harness/dvisor.ts";
import { isFull, isNative, named, noKvm, PYTHON } from "../harness/machine.ts";
import { addSteps, isQuick, runScript, scripts } from "./scripts.ts";

async function judge(t: Deno.TestContext, prefix: readonly string[], script: string) {
  await addSteps(t, await runScript(prefix, script));
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
      fn: (t) => judge(t, doCommand(platform, "--pids=max"), script),
    });
  }
}
