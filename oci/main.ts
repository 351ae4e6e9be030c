/** The entry of the built `dvisor`: picks the part that the verb needs. */

import { partFor, runPart } from "./parts.ts";

/** Runs the command line of this process, which ends it. */
export async function runCommandLine(): Promise<void> {
  await runPart(partFor(Deno.execPath(), Deno.args));
}

if (import.meta.main) await runCommandLine();
