/** `dvisor delete`: removes a stopped container. */

import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { readFlags } from "../flags.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: `Usage: dvisor delete [OPTION...] ID

Takes away what is left of a container that has stopped.

Options:
  -f, --force  also one that has not: it is killed. No error if there is none`,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, { booleans: ["force"], go: { f: "force" } });
    deleteContainer(globals, onlyId(flags.rest, "delete"), flags.has("force"));
    return 0;
  },
};
