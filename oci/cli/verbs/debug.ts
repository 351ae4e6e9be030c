/** `dvisor debug`: what the processes of a container are doing. */

import { findContainer, onlyId } from "../../container/found_container.ts";
import { shownLines } from "../../shown_text.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "debug",
  summary: "show the processes and threads of a container",
  usage: ["ID"],
  operands: ["container"],
  description:
    "Shows the state of a running container's kernel: processes and threads, what they " +
    "wait for, open files, memory, mounts, and the last system calls.",
  options: {},
  isGoStyle: true,
  run(flags, globals) {
    const id = onlyId(flags.rest, "debug");
    const { text } = findContainer(globals.store, id).ask({ op: "debug", id });
    Deno.stdout.writeSync(new TextEncoder().encode(shownLines(text)));
    return 0;
  },
});
