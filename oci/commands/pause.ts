/** `dvisor pause` and `dvisor resume`: a container's processes stand still, and go on. */

import { findContainer, onlyId } from "../container/find.ts";
import { readFlags } from "../flags.ts";
import type { Globals } from "../globals.ts";
import type { Command } from "./command.ts";

export const pause: Command = {
  help: `Usage: dvisor pause ID

Stops the processes of a container where they are: they use no CPU until dvisor resume.`,
  run: (args, globals) => change(args, globals, "pause", "paused"),
};

export const resume: Command = {
  help: `Usage: dvisor resume ID

Lets the processes of a paused container go on.`,
  run: (args, globals) => change(args, globals, "resume", "running"),
};

function change(
  args: readonly string[],
  { store }: Globals,
  op: "pause" | "resume",
  status: "paused" | "running",
): number {
  const id = onlyId(readFlags(args, { go: {} }).rest, op);
  const lock = findContainer(store, id).dir.lock();
  try {
    const found = findContainer(store, id);
    found.ask({ op, id });
    found.dir.update({ status });
  } finally {
    lock?.release();
  }
  return 0;
}
