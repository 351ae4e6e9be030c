/** `dvisor state`: what a container is doing, as JSON. */

import { findContainer, onlyId } from "../../container/found_container.ts";
import { type ListedState, listedState } from "../../container/oci_state.ts";
import { shownJson } from "../../shown_text.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { sandboxState, useSandbox } from "../library_sandbox.ts";

export const command = defineCommand({
  name: "state",
  summary: "show the state of a container, as JSON",
  usage: ["ID"],
  operands: ["container"],
  description: "Prints the state of a container as JSON (OCI runtime specification, runtime.md), " +
    "or that of a sandbox of a library in the same form.",
  options: {},
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const id = onlyId(flags.rest, "state");
    if (useSandbox(globals, id, (_client, info) => print(sandboxState(info)))) return 0;
    const { record, status } = findContainer(globals.store, id);
    print(listedState(record, status));
    return 0;
  },
});

function print(state: ListedState): void {
  console.log(shownJson(JSON.stringify(state, null, 2)));
}
