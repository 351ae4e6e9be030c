/** Lets a created container run. */

import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, memfdCreate, pwrite } from "../../ffi/sys/files.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import type { StartHook } from "../protocol/control_protocol.ts";
import type { Hook } from "../spec/hooks_section.ts";
import { openNull } from "./standard_streams.ts";
import type { Globals } from "../options/globals.ts";
import { tryHooks } from "../launch/run_hooks.ts";
import { warnOf, writeLog } from "../options/client_log.ts";
import type { ContainerRecord } from "../state/record.ts";
import { UserError } from "../user_error.ts";
import { findContainer, type FoundContainer } from "./found_container.ts";
import { ociState } from "./oci_state.ts";

/** @throws UserError */
export function startContainer(globals: Globals, id: string): void {
  const { store } = globals;
  const { dir } = findContainer(store, id);
  const lock = dir.lock();
  let started: ContainerRecord;
  try {
    const found = findContainer(store, id);
    refuseUnlessCreated(found);
    dir.update({ isChanging: true });
    askToStart(found);
    writeLog(globals, "info", "started", id);
    started = dir.update({ status: "running", isChanging: false });
  } finally {
    lock?.release();
  }
  // `poststart` hooks may remove the container.
  warnOf(poststart(started), globals);
}

/** Requests the start, with the hooks that run inside; they get the state on stdin. */
function askToStart(found: FoundContainer): void {
  const { record } = found, hooks = record.hooks?.startContainer ?? [];
  const state = JSON.stringify(ociState(record, "created"));
  const fds = hooks.flatMap(() => [memfdOf(state), openNull(), openNull()]);
  try {
    found.ask({ op: "start", id: record.id, hooks: hooks.map(startHook) }, fds);
  } finally {
    fds.forEach(close);
  }
}

function startHook(hook: Hook): StartHook {
  // DIFFERS: a hook whose args[0] is not its path gets the path as args[0]; runc passes args[0] on.
  const args = [hook.path, ...hook.args.slice(1)].map(fromText);
  const { timeoutSeconds, jsonPath } = hook;
  return { args, env: hook.env.map(fromText), timeoutSeconds, jsonPath };
}

/** A memfd with `text`. */
function memfdOf(text: string): number {
  const encoded = new TextEncoder().encode(text), bytes = allocBuffer(encoded.length);
  bytes.set(encoded);
  const fd = check(memfdCreate("dvisor-state", MFD_CLOEXEC), "memfd_create");
  check(pwrite(fd, addressOf(bytes), bytes.length, 0), "write the container's state");
  return fd;
}

function refuseUnlessCreated({ status }: FoundContainer): void {
  if (status === "created") return;
  if (status === "stopped") throw new UserError("cannot start a container that has stopped");
  if (status === "creating") throw new UserError("cannot start a container that is being created");
  if (status === "paused") throw new UserError("cannot start a container in the paused state");
  throw new UserError("cannot start an already running container");
}

/**
 * Runs the `poststart` hooks.
 * @returns a warning for each one that failed
 */
function poststart(record: ContainerRecord): string[] {
  const hooks = record.hooks?.poststart ?? [];
  const state = JSON.stringify(ociState(record, "running"));
  return tryHooks(hooks, { state, directory: record.bundle });
}
