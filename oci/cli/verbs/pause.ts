/** `dvisor pause` and `dvisor resume`: freezes and thaws a container's processes. */

import { findContainer, type FoundContainer, onlyId } from "../../container/found_container.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Status } from "../../state/record.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";

export const pause = defineCommand({
  name: "pause",
  summary: "stop all processes of a container",
  usage: ["ID"],
  operands: ["container"],
  description: "Stops all processes of a container. They use no CPU until dvisor resume.",
  options: {},
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run: (flags, globals) =>
    change(flags, globals, "pause", (found, id) => {
      found.ask({ op: "pause", id });
      return "paused";
    }),
});

export const resume = defineCommand({
  name: "resume",
  summary: "continue a paused container",
  usage: ["ID"],
  operands: ["container"],
  description: "Continues the processes of a paused container.",
  options: {},
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run: (flags, globals) =>
    change(flags, globals, "resume", (found, id) => found.ask({ op: "resume", id }).status),
});

function change(
  { rest }: Flags,
  globals: Globals,
  op: "pause" | "resume",
  ask: (found: FoundContainer, id: string) => Status,
): number {
  const id = onlyId(rest, op);
  if (useSandbox(globals, id, (client) => client.ask({ op }))) return 0;
  const { store } = globals, lock = findContainer(store, id).dir.lock();
  try {
    const found = findContainer(store, id);
    found.dir.update({ isChanging: true });
    found.dir.update({ status: ask(found, id), isChanging: false });
  } finally {
    lock?.release();
  }
  return 0;
}
