/**
 * `deno task ok`: the gate before a commit. Formatting, lint with the house plugin, types, unit
 * tests beside the code, and tidy. Not the tests under `tests/` that start sandboxes. A worker for
 * each processor takes the next step; the unit tests are cut into shares, a process each.
 */

import { requireHost, ROOT } from "./host_check.ts";
import { isUnitTest, selectFiles, testFiles } from "./test/files.ts";

/** Shares of the unit tests for each worker: the last ones end at about the same time. */
const SHARES = 3;

interface Step {
  readonly name: string;
  readonly args: readonly string[];
}

/** A line about a test that passed, or about a file. */
const PASSED = /^(?:.* \.\.\. ok \(.*\)|running \d+ tests? from .*)\n/gm;

/** Runs Deno; prints its output when it fails. */
async function run({ name, args }: Step): Promise<boolean> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  if (!success) console.log(`${name}:\n${text.replaceAll(PASSED, "")}`);
  return success;
}

/** The test files in `count` shares, neighbours apart: files of one folder take as long. */
function shares(count: number): Step[] {
  const all = testFiles(ROOT);
  const files = [...all.filter(isUnitTest), ...selectFiles(all, ["tests/tidy/"])];
  return Array.from({ length: count }, (_, share) => ({
    name: "unit tests and tidy",
    args: ["test", "-A", "--no-check", "--quiet", ...files.filter((_, i) => i % count === share)],
  }));
}

requireHost();
const workers = navigator.hardwareConcurrency;
const steps: Step[] = [
  { name: "fmt", args: ["fmt", "--check", "--quiet"] },
  { name: "lint", args: ["lint", "--quiet"] },
  { name: "check", args: ["check", "--quiet", "."] },
  ...shares(workers * SHARES),
];
const verdicts = new Map(steps.map(({ name }) => [name, true]));
const left = [...steps];
await Promise.all(Array.from({ length: workers }, async () => {
  for (let step = left.shift(); step !== undefined; step = left.shift()) {
    if (!await run(step)) verdicts.set(step.name, false);
  }
}));
console.log([...verdicts].map(([name, isOk]) => `${name}: ${isOk ? "ok" : "FAILED"}`).join(", "));
Deno.exit([...verdicts.values()].every((isOk) => isOk) ? 0 : 1);
