/** Lets a created container run. */

import type { Globals } from "../globals.ts";
import { tryHooks } from "../hooks/run_hooks.ts";
import { writeLog } from "../log_file.ts";
import type { ContainerRecord } from "../state/record.ts";
import { UserError } from "../user_error.ts";
import { findContainer, type Found } from "./find.ts";
import { ociState } from "./oci_state.ts";

/** @throws UserError */
export function startContainer(globals: Globals, id: string): void {
  const { store } = globals;
  const { dir } = findContainer(store, id);
  const lock = dir.lock();
  try {
    const found = findContainer(store, id);
    refuseUnlessCreated(found);
    found.ask({ op: "start", id });
    writeLog(globals, "info", "started", id);
    warnOf(poststart(dir.update({ status: "running" })), globals);
  } finally {
    lock?.release();
  }
}

function refuseUnlessCreated({ status }: Found): void {
  if (status === "created") return;
  if (status === "stopped") throw new UserError("cannot start a container that has stopped");
  if (status === "creating") throw new UserError("cannot start a container that is being created");
  throw new UserError("cannot start an already running container");
}

/** Their failures are warnings. @returns one each */
function poststart(record: ContainerRecord): string[] {
  const hooks = record.hooks?.poststart ?? [];
  const state = JSON.stringify(ociState(record, "running"));
  return tryHooks(hooks, { state, directory: record.bundle });
}

/** Says what went wrong without harm. */
export function warnOf(warnings: readonly string[], globals: Globals): void {
  for (const warning of warnings) {
    console.error(`dvisor: ${warning}`);
    writeLog(globals, "warning", warning);
  }
}
