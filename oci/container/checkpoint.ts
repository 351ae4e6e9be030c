/**
 * Saves the state of a container. Neighbours: image_directory.ts (the file),
 * boot/control/request_handler.ts.
 */

import { O_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { close, pipe, write } from "../../ffi/sys/files.ts";
import { holdInterrupts } from "../launch/command_signals.ts";
import type { Globals } from "../options/globals.ts";
import { writeLog } from "../options/client_log.ts";
import type { Answers, CheckpointOptions } from "../protocol/control_protocol.ts";
import { statusOf } from "../state/liveness.ts";
import { UserError } from "../user_error.ts";
import { checkPair } from "./container_creation.ts";
import { removeContainer } from "./delete.ts";
import { findContainer, type FoundContainer } from "./found_container.ts";
import { NewImage } from "./image_directory.ts";

export interface CheckpointChoice extends CheckpointOptions {
  /** Where it is saved. @throws UserError */
  newImage(): NewImage;
}

interface SavedImage {
  readonly bytes: number;
  /** Of the file. */
  readonly path: string;
}

/**
 * Writes the container's state to a file. Unless it is left running, the container is removed
 * then, as with runc. If that fails, the container goes on.
 *
 * @throws UserError
 */
export function checkpointContainer(
  globals: Globals,
  id: string,
  choice: CheckpointChoice,
): SavedImage {
  const { store } = globals, lock = findContainer(store, id).dir.lock();
  try {
    const found = findContainer(store, id);
    refuseUnlessSavable(found);
    holdInterrupts();
    const saved = saveTo(choice, (options, fds) => {
      return found.ask({ op: "checkpoint", id: found.record.id, ...options }, fds);
    });
    writeLog(globals, "info", `saved in ${saved.path}`, id);
    if (!choice.leaveRunning) removeContainer(globals, found.dir);
    return saved;
  } finally {
    lock?.release();
  }
}

function refuseUnlessSavable({ store, status, record }: FoundContainer): void {
  if (status !== "running" && status !== "paused") {
    throw new UserError(`a container cannot be saved in the ${status} state`);
  }
  if (record.upper) {
    throw new UserError(
      "a container with --overlay=file cannot be saved: what it has written goes with it",
    );
  }
  const others = store.list().filter((other) => {
    return other.id !== record.id && other.sandboxId === record.sandboxId &&
      statusOf(other) !== "stopped";
  });
  if (others.length === 0) return;
  throw new UserError(
    "a container of a pod cannot be saved alone: its sandbox has the " +
      `container${others.length > 1 ? "s" : ""} ${others.map(({ id }) => id).join(", ")} too`,
  );
}

/**
 * The sandbox stands still until the file has its name: it ends by the byte in the pipe, and goes
 * on if this process ends before that.
 *
 * @param ask sends the request with its descriptors
 * @throws UserError
 */
export function saveTo(
  { newImage, ...options }: CheckpointChoice,
  ask: (options: CheckpointOptions, fds: readonly number[]) => Answers["checkpoint"],
): SavedImage {
  const image = newImage(), [verdict, ours] = checkPair(pipe(O_CLOEXEC), "pipe2");
  try {
    const saved = ask(options, [image.fd, verdict]);
    image.publish();
    image.close();
    const isTaken = options.leaveRunning || write(ours, addressOf(allocBuffer(1)), 1) === 1;
    if (isTaken) return { ...saved, path: image.path };
    throw new UserError(
      `the sandbox has gone on, as its file took too long to be named: ${image.path} has what it ` +
        "was before",
    );
  } catch (error) {
    image.discard();
    throw error;
  } finally {
    for (const fd of [verdict, ours]) close(fd);
  }
}
