/** `dvisor delete`: removes a stopped container. */

import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { readFlags } from "../../options/flags.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: `Usage: dvisor delete [OPTION...] ID

Removes a stopped container.

Options:
  -f, --force  kill a running container first; no error if the container does not exist`,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, { booleans: ["force"], go: { f: "force" } });
    deleteContainer(globals, onlyId(flags.rest, "delete"), flags.has("force"));
    return 0;
  },
};
