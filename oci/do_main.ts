/** The part of `dvisor` that is `do` alone: parts.ts. */

import { main } from "./cli/command_line.ts";
import { command } from "./cli/verbs/do.ts";

Deno.exit(await main(Deno.args, { do: { summary: "", command } }));
