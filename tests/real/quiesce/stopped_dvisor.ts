/**
 * dvisor from its sources, with kernels whose world is stopped on request (world_stopper.ts). The
 * launcher starts its own main module again as `dvisor boot`, so the boot process comes here too.
 * Not a test: quiesce_test.ts runs it.
 */

import { partFor, runPart } from "../../../oci/parts.ts";

if (import.meta.main) {
  const part = partFor(Deno.execPath(), Deno.args);
  if (part === "kernel") (await import("./world_stopper.ts")).stopOnRequest();
  await runPart(part);
}
