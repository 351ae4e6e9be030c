/** `dvisor state`: what a container is doing, as JSON. */

import { findContainer, onlyId } from "../../container/found_container.ts";
import { listedState } from "../../container/oci_state.ts";
import { readFlags } from "../../options/flags.ts";
import { shownJson } from "../../shown_text.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: `Usage: dvisor state ID

Prints the state of a container as JSON (OCI runtime specification, runtime.md).`,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const id = onlyId(readFlags(args, { go: {} }).rest, "state");
    const { record, status } = findContainer(globals.store, id);
    console.log(shownJson(JSON.stringify(listedState(record, status), null, 2)));
    return 0;
  },
};
