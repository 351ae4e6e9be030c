/** `dvisor state`: what a container is doing, as JSON. */

import { findContainer, onlyId } from "../../container/found_container.ts";
import { listedState } from "../../container/oci_state.ts";
import { shownJson } from "../../shown_text.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "state",
  summary: "show the state of a container, as JSON",
  usage: ["ID"],
  operands: ["container"],
  description: "Prints the state of a container as JSON (OCI runtime specification, runtime.md).",
  options: {},
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const id = onlyId(flags.rest, "state");
    const { record, status } = findContainer(globals.store, id);
    console.log(shownJson(JSON.stringify(listedState(record, status), null, 2)));
    return 0;
  },
});
