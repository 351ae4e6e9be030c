/** The part of `dvisor` that is `exec` alone: parts.ts. */

import { main } from "./cli/command_line.ts";
import { command } from "./cli/verbs/exec.ts";

Deno.exit(await main(Deno.args, { exec: { summary: "", command } }));
