/**
 * Runs a command and checks that nothing of it stays behind. Not a test. See `leftovers.py` and
 * `own_host.ts`.
 */

import { assertEquals } from "@std/assert";
import { describe, type Finished, ROOT, run, type RunOptions } from "./dvisor.ts";
import { PYTHON } from "./machine.ts";
import { inOwnHost, noOwnHost, PLACES, REPORT_FD } from "./own_host.ts";

const hasOwnHost = noOwnHost() === null;

interface CleanOptions extends RunOptions {
  /** Paths in the places for temporary files that the command needs. */
  readonly keeps?: readonly string[];
}

/**
 * Runs the command; fails if a process, mount or temporary file of it is left afterwards. Where
 * this machine has no namespaces for that, only processes count: files and mounts may be of
 * anything that runs beside.
 */
export async function runClean(
  argv: readonly string[],
  options: CleanOptions = {},
): Promise<Finished> {
  const report = await Deno.makeTempFile({ prefix: "dvisor-test-report-" });
  const python = [PYTHON ?? "python3", `${ROOT}/tests/harness/leftovers.py`];
  const wrapped = hasOwnHost
    ? inOwnHost([...python, PLACES.join(","), ...argv], { report, keeps: options.keeps ?? [] })
    : [
      "sh",
      "-c",
      `exec ${REPORT_FD}>"$1"; shift; exec "$@"`,
      "sh",
      report,
      ...python,
      "",
      ...argv,
    ];
  try {
    const result = await run(wrapped, options);
    const left = (await Deno.readTextFile(report)).trimEnd();
    assertEquals(left, "", `left behind by ${argv.join(" ")}; ${describe(result)}`);
    return result;
  } finally {
    await Deno.remove(report);
  }
}
