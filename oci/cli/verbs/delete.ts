/** `dvisor delete`: removes a stopped container. */

import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { endSandbox } from "../../launch/session/attached_client.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
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
    if (isForced && globals.given("root") === null && !store.dir(id).exists) endSandbox(id);
    else deleteContainer(globals, id, isForced);
    return 0;
  },
});
