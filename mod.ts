/**
 * The entry of `dvisor`: hands the command line to `oci/cli.ts`. Everything else is loaded by the verb that needs it.
 */

import { main } from "./oci/cli.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
