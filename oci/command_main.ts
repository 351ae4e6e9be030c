/** The part of `dvisor` that is the command line: parts.ts. */

import { main } from "./cli/command_line.ts";
import { VERBS } from "./cli/verb_table.ts";

Deno.exit(await main(Deno.args, VERBS));
