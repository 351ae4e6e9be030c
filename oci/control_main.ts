/** The part of `dvisor` that is what clients ask of a container that there is: parts.ts. */

import { main } from "./cli.ts";
import { command as deleteCommand } from "./commands/delete.ts";
import { command as kill } from "./commands/kill.ts";
import { command as start } from "./commands/start.ts";
import { command as state } from "./commands/state.ts";

Deno.exit(
  await main(Deno.args, {
    state: { summary: "", command: state },
    start: { summary: "", command: start },
    kill: { summary: "", command: kill },
    delete: { summary: "", command: deleteCommand },
  }),
);
