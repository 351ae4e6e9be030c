/** Runs a command and checks that nothing of it stays behind. Not a test. See `leftovers.py`. */

import { assertEquals } from "@std/assert";
import { describe, type Finished, ROOT, run, type RunOptions } from "./dvisor.ts";
import { PYTHON } from "./machine.ts";

/** Runs the command; fails if a process, mount or temporary file of it is left afterwards. */
export async function runClean(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const report = await Deno.makeTempFile({ prefix: "dvisor-test-report-" });
  try {
    const wrapper = [PYTHON ?? "python3", `${ROOT}/tests/harness/leftovers.py`, report];
    const result = await run([...wrapper, ...argv], options);
    const left = (await Deno.readTextFile(report)).trimEnd();
    assertEquals(left, "", `left behind by ${argv.join(" ")}; ${describe(result)}`);
    return result;
  } finally {
    await Deno.remove(report);
  }
}
