/** The part of `dvisor` that is `create` alone: parts.ts. */

import { main } from "./cli.ts";
import { command } from "./commands/create.ts";

Deno.exit(await main(Deno.args, { create: { summary: "", command } }));
