/** `dvisor debug`: what the processes of a container are doing. */

import { findContainer, onlyId } from "../../container/found_container.ts";
import { readFlags } from "../../options/flags.ts";
import { shownLines } from "../../shown_text.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: `Usage: dvisor debug ID

Shows the state of a running container's kernel: processes and threads, what they wait for, open
files, memory, mounts, and the last system calls.`,
  run(args, globals) {
    const id = onlyId(readFlags(args, { go: {} }).rest, "debug");
    const { text } = findContainer(globals.store, id).ask({ op: "debug", id });
    Deno.stdout.writeSync(new TextEncoder().encode(shownLines(text)));
    return 0;
  },
};
