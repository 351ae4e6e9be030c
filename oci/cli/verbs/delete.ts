/** `dvisor delete`: removes a stopped container. */

import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { endSandbox } from "../../launch/session/attached_client.ts";
import { readFlags } from "../../options/flags.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: `Usage: dvisor delete [OPTION...] ID

Removes a stopped container. With --force, ends a sandbox of dvisor sandbox too.

Options:
  -f, --force  kill a running container first; no error if the container does not exist`,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, { booleans: ["force"], go: { f: "force" } });
    const id = onlyId(flags.rest, "delete"), isForced = flags.has("force");
    const { store } = globals;
    if (isForced && globals.string("root") === null && !store.dir(id).exists) endSandbox(id);
    else deleteContainer(globals, id, isForced);
    return 0;
  },
};
