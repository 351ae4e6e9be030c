/** The part of `dvisor` that is what clients ask of a container that there is: parts.ts. */

import { main } from "./cli/command_line.ts";
import { command as deleteCommand } from "./cli/verbs/delete.ts";
import { command as kill } from "./cli/verbs/kill.ts";
import { command as start } from "./cli/verbs/start.ts";
import { command as state } from "./cli/verbs/state.ts";

Deno.exit(
  await main(Deno.args, {
    state: { summary: "", command: state },
    start: { summary: "", command: start },
    kill: { summary: "", command: kill },
    delete: { summary: "", command: deleteCommand },
  }),
);
