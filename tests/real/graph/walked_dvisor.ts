/**
 * dvisor from its sources, with kernels that walk their own graphs of objects (graph_walker.ts).
 * The launcher starts its own main module again as `dvisor boot`, so the boot process comes here
 * too. Not a test: state_graph_test.ts runs it.
 */

import { partFor, runPart } from "../../../oci/parts.ts";

if (import.meta.main) {
  const part = partFor(Deno.execPath(), Deno.args);
  // The command line neither needs the kernel nor waits for it.
  if (part === "kernel") (await import("./graph_walker.ts")).walkOnRequest();
  await runPart(part);
}
