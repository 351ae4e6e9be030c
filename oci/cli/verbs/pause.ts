/** `dvisor pause` and `dvisor resume`: freezes and thaws a container's processes. */

import { findContainer, type FoundContainer, onlyId } from "../../container/found_container.ts";
import { readFlags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Status } from "../../state/record.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";

export const pause: Command = {
  help: `Usage: dvisor pause ID

Stops all processes of a container. They use no CPU until dvisor resume.`,
  failureCode: EXIT_FAILURE,
  run: (args, globals) =>
    change(args, globals, "pause", (found, id) => {
      found.ask({ op: "pause", id });
      return "paused";
    }),
};

export const resume: Command = {
  help: `Usage: dvisor resume ID

Continues the processes of a paused container.`,
  failureCode: EXIT_FAILURE,
  run: (args, globals) =>
    change(args, globals, "resume", (found, id) => found.ask({ op: "resume", id }).status),
};

function change(
  args: readonly string[],
  { store }: Globals,
  op: "pause" | "resume",
  ask: (found: FoundContainer, id: string) => Status,
): number {
  const id = onlyId(readFlags(args, { go: {} }).rest, op);
  const lock = findContainer(store, id).dir.lock();
  try {
    const found = findContainer(store, id);
    found.dir.update({ isChanging: true });
    found.dir.update({ status: ask(found, id), isChanging: false });
  } finally {
    lock?.release();
  }
  return 0;
}
