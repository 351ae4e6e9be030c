/**
 * dvisor from its sources, with kernels whose clocks guests can move (clock_mover.ts). Not a test:
 * clock_test.ts runs it.
 */

import { partFor, runPart } from "../../../oci/parts.ts";

if (import.meta.main) {
  const part = partFor(Deno.execPath(), Deno.args);
  // The command line neither needs the kernel nor waits for it.
  if (part === "kernel") (await import("./clock_mover.ts")).moveOnRequest();
  await runPart(part);
}
