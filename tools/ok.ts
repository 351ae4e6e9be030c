/**
 * `deno task ok`: the gate before a commit. Formatting, lint with the house plugin, types, unit
 * tests beside the code, and tidy. Not the tests under `tests/` that start sandboxes.
 */

import { requireHost, ROOT } from "./host_check.ts";
import { isUnitTest, selectFiles, testFiles } from "./test/files.ts";

async function deno(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).spawn().status;
  return success;
}

requireHost();
const all = testFiles(ROOT);
const units = [...all.filter(isUnitTest), ...selectFiles(all, ["tests/tidy/"])];
const steps: [string, string[]][] = [
  ["fmt", ["fmt", "--check", "--quiet"]],
  ["lint", ["lint", "--quiet"]],
  ["check", ["check", "--quiet", "."]],
  ["unit tests and tidy", ["test", "-A", "--no-check", "--quiet", ...units]],
];
const verdicts: string[] = [];
let isOk = true;
for (const [name, args] of steps) {
  const passed = await deno(...args);
  isOk &&= passed;
  verdicts.push(`${name}: ${passed ? "ok" : "FAILED"}`);
}
console.log(verdicts.join(", "));
Deno.exit(isOk ? 0 : 1);
