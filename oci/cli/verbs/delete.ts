/** `dvisor delete`: removes a stopped container. */

import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { endSandbox, listSandboxes } from "../../launch/session/attached_client.ts";
import { EXIT_FAILURE, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "delete",
  summary: "remove a stopped container",
  usage: ["[OPTION...] ID"],
  operands: ["container"],
  description: "Removes a stopped container. With --force, ends a sandbox of a library too.",
  options: {
    force: {
      short: "f",
      help: "kill a running container first; no error if the container does not exist",
    },
  },
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const id = onlyId(flags.rest, "delete"), isForced = flags.options.force, { store } = globals;
    const isContainer = globals.given("root") !== null || store.dir(id).exists;
    if (isContainer) deleteContainer(globals, id, isForced);
    else if (isForced) endSandbox(id);
    else if (isSandbox(id)) throw new UserError(`${id} is a sandbox of a library; --force ends it`);
    else deleteContainer(globals, id, false);
    return 0;
  },
});

function isSandbox(id: string): boolean {
  return listSandboxes().some((sandbox) => sandbox.id === id);
}
