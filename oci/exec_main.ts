/** The part of `dvisor` that is `exec` alone: parts.ts. */

import { main } from "./cli.ts";
import { command } from "./commands/exec.ts";

Deno.exit(await main(Deno.args, { exec: { summary: "", command } }));
