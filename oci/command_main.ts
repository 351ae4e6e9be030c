/** The part of `dvisor` that is the command line: parts.ts. */

import { main } from "./cli.ts";
import { VERBS } from "./verbs.ts";

Deno.exit(await main(Deno.args, VERBS));
