/** `dvisor debug`: what the processes of a container are doing. */

import { findContainer, onlyId } from "../../container/found_container.ts";
import { shownLines } from "../../shown_text.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";

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
    const isSandbox = useSandbox(globals, id, (client) => {
      print(client.ask({ op: "debug" }).member("text").string());
    });
    if (!isSandbox) print(findContainer(globals.store, id).ask({ op: "debug", id }).text);
    return 0;
  },
});

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(shownLines(text)));
}
