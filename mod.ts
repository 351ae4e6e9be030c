/**
 * The entry of `dvisor`: picks the part that the verb needs. Everything else is in `oci/`.
 */

import { partFor, runPart } from "./oci/parts.ts";

if (import.meta.main) await runPart(partFor(Deno.args[0]));
