/** Lets a created container run. */

import { UserError } from "../user_error.ts";
import { findContainer, type Found } from "./find.ts";
import type { StateStore } from "../state/store.ts";

/** @throws UserError */
export function startContainer(store: StateStore, id: string): void {
  const { dir } = findContainer(store, id);
  const lock = dir.lock();
  try {
    const found = findContainer(store, id);
    refuseUnlessCreated(found);
    found.ask({ op: "start", id });
    dir.update({ status: "running" });
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
