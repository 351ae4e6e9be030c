/** The part of `dvisor` that is `do` alone: parts.ts. */

import { main } from "./cli.ts";
import { command } from "./commands/do.ts";

Deno.exit(await main(Deno.args, { do: { summary: "", command } }));
