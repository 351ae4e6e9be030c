/** The part of `dvisor` that is the command line: parts.ts. */

import { main } from "./cli.ts";

Deno.exit(await main(Deno.args));
