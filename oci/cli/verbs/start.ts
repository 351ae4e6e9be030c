/** `dvisor start`: runs the program of a created container. */

import { onlyId } from "../../container/found_container.ts";
import { startContainer } from "../../container/start.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "start",
  summary: "run the program of a created container",
  usage: ["ID"],
  operands: ["container"],
  description: "Runs the program of a container that dvisor create has made.",
  options: {},
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    startContainer(globals, onlyId(flags.rest, "start"));
    return 0;
  },
});
