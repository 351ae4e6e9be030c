/** The entry of the built `dvisor`: picks the part that the verb needs. */

import { partFor, runPart } from "./parts.ts";

if (import.meta.main) await runPart(partFor(Deno.execPath(), Deno.args));
