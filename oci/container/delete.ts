/**
 * Removes a container if its status permits: for `delete` and at the end of `run`. Neighbour:
 * destroy.ts.
 */

import type { Globals } from "../options/globals.ts";
import { tryHooks } from "../launch/run_hooks.ts";
import { warnOf, writeLog } from "../options/client_log.ts";
import type { ContainerRecord } from "../state/record.ts";
import { type ContainerDir, doesNotExist, type Lock, type StateStore } from "../state/store.ts";
import { UserError } from "../user_error.ts";
import { sleepMs } from "../launch/cgroup/control_files.ts";
import { destroyContainer, endCreator, endProcesses } from "./destroy.ts";
import { findContainer } from "./found_container.ts";
import { ociState } from "./oci_state.ts";

/**
 * @param isForced also a running one; no error if there is none
 * @throws UserError
 */
export function deleteContainer(globals: Globals, id: string, isForced: boolean): void {
  const { store } = globals;
  const dir = store.dir(id);
  if (isForced && !dir.exists) return;
  if (!isForced) refuseRunning(store, id);
  const lock = isForced ? lockByForce(dir) : dir.lock();
  if (lock === null && !isForced) throw doesNotExist(id);
  if (lock === null) return;
  try {
    if (!isForced) refuseRunning(store, id);
    removeContainer(globals, dir);
  } finally {
    lock.release();
  }
}

/**
 * Removes a container with its processes; the caller holds its lock.
 * @throws UserError
 */
export function removeContainer(globals: Globals, dir: ContainerDir): void {
  const { id } = dir, { record, report } = destroyContainer(dir);
  if (report !== null) warnOf([`the kernel of ${id} has failed: see ${report}`], globals);
  if (record !== null) warnOf(poststop(record), globals);
  writeLog(globals, "info", "deleted", id);
}

/** LIMIT: how long another command about the container may take, ms. */
const BUSY_MS = 2000, END_MS = 10_000;

/**
 * Ends the command that makes the container. Another command with the lock gets some time; then the
 * container's processes are killed, because that command may wait for them.
 *
 * @returns null if the container is gone
 * @throws UserError
 */
function lockByForce(dir: ContainerDir): Lock | null {
  let lock = dir.tryLock();
  if (lock !== "busy") return lock;
  endCreator(dir);
  lock = lockWithin(dir, BUSY_MS);
  if (lock !== "busy") return lock;
  endProcesses(dir);
  lock = lockWithin(dir, END_MS);
  if (lock !== "busy") return lock;
  throw new UserError(`another command about container ${dir.id} does not end`);
}

function lockWithin(dir: ContainerDir, timeoutMs: number): Lock | "busy" | null {
  for (const end = performance.now() + timeoutMs; performance.now() < end; sleepMs(5)) {
    const lock = dir.tryLock();
    if (lock !== "busy") return lock;
  }
  return "busy";
}

/** A created container may be removed, as with runc. */
function refuseRunning(store: StateStore, id: string): void {
  const { status } = findContainer(store, id);
  if (status === "stopped" || status === "created") return;
  throw new UserError(
    `cannot delete container ${id} that is not stopped: ${status}`,
  );
}

/**
 * Runs the `poststop` hooks.
 * @returns a warning for each one that failed
 */
function poststop(record: ContainerRecord): string[] {
  const state = JSON.stringify(ociState(record, "stopped"));
  return tryHooks(record.hooks?.poststop ?? [], { state, directory: record.bundle });
}
