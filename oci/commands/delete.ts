/** `dvisor delete`: takes a container away that has stopped. */

import { destroyContainer } from "../container/destroy.ts";
import { findContainer, onlyId } from "../container/find.ts";
import { readFlags } from "../flags.ts";
import type { StateStore } from "../state/store.ts";
import { UserError } from "../user_error.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  help: `Usage: dvisor delete [OPTION...] ID

Takes away what is left of a container that has stopped.

Options:
  -f, --force  also one that has not: it is killed. No error if there is none`,
  run(args, globals) {
    const flags = readFlags(args, { booleans: ["force"], go: { f: "force" } });
    deleteContainer(globals.store, onlyId(flags.rest, "delete"), flags.has("force"));
    return 0;
  },
};

function deleteContainer(store: StateStore, id: string, isForced: boolean): void {
  const dir = store.dir(id);
  if (isForced && !dir.exists) return;
  if (!isForced) refuseRunning(store, id);
  const lock = dir.lock();
  if (lock === null) return;
  try {
    if (!isForced) refuseRunning(store, id);
    destroyContainer(dir);
  } finally {
    lock.release();
  }
}

/** A created one may be taken away, as runc does. */
function refuseRunning(store: StateStore, id: string): void {
  const { status } = findContainer(store, id);
  if (status === "stopped" || status === "created") return;
  throw new UserError(
    `cannot delete container ${id} that is not stopped: ${status}`,
  );
}
