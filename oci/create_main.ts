/** The part of `dvisor` that is `create` alone: parts.ts. */

import { main } from "./cli/command_line.ts";
import { command } from "./cli/verbs/create.ts";

Deno.exit(await main(Deno.args, { create: { summary: "", command } }));
