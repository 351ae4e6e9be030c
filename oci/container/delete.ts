/** Takes a container away, if it may be: what `delete` and the end of `run` do. Neighbour: destroy.ts. */

import type { Globals } from "../globals.ts";
import { tryHooks } from "../hooks/run_hooks.ts";
import { writeLog } from "../log_file.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { StateStore } from "../state/store.ts";
import { UserError } from "../user_error.ts";
import { destroyContainer } from "./destroy.ts";
import { findContainer } from "./find.ts";
import { ociState } from "./oci_state.ts";
import { warnOf } from "./start.ts";

/** @param isForced also one that runs; no error if there is none @throws UserError */
export function deleteContainer(globals: Globals, id: string, isForced: boolean): void {
  const { store } = globals;
  const dir = store.dir(id);
  if (isForced && !dir.exists) return;
  if (!isForced) refuseRunning(store, id);
  const lock = dir.lock();
  if (lock === null) return;
  try {
    if (!isForced) refuseRunning(store, id);
    const { record, report } = destroyContainer(dir);
    if (report !== null) warnOf([`the kernel of ${id} has failed: see ${report}`], globals);
    if (record !== null) warnOf(poststop(record), globals);
    writeLog(globals, "info", "deleted", id);
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

/** Their failures are warnings. @returns one each */
function poststop(record: ContainerRecord): string[] {
  const state = JSON.stringify(ociState(record, "stopped"));
  return tryHooks(record.hooks?.poststop ?? [], { state, directory: record.bundle });
}
