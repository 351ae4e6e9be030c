/**
 * dvisor from its sources, with kernels that are forked on request (world_forker.ts). The launcher
 * starts its own main module again as `dvisor boot`, so the boot process comes here too. Not a
 * test: several_test.ts runs it.
 */

import { partFor, runPart } from "../../../oci/parts.ts";

if (import.meta.main) {
  const part = partFor(Deno.execPath(), Deno.args);
  if (part === "kernel") (await import("./world_forker.ts")).forkOnRequest();
  await runPart(part);
}
