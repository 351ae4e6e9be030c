/** `dvisor start`: runs the program of a created container. */

import { onlyId } from "../../container/found_container.ts";
import { startContainer } from "../../container/start.ts";
import { readFlags } from "../../options/flags.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: `Usage: dvisor start ID

Runs the program of a container that dvisor create has made.`,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, { go: {} });
    startContainer(globals, onlyId(flags.rest, "start"));
    return 0;
  },
};
