/**
 * A blocking read of a terminal: VMIN and VTIME without ICANON (termios(3)). Bytes stay in the
 * terminal until there are enough or the time is over; the number seen so far is in the call's
 * progress.
 */

import { POLLERR, POLLHUP } from "../../../ffi/abi/poll.ts";
import { BLOCK } from "../../core/result.ts";
import type { SlaveFile } from "../../fs/devpts/slave_file.ts";
import { READABLE } from "../../fs/devpts/terminal.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Task } from "../../task/task.ts";

/** BLOCK; the available bytes when the time is over; or the result of an interrupted read. */
export function waitForInput(t: Task, file: SlaveFile, io: IoCursor): number {
  const { progress } = t, { available } = file;
  if (progress.deadlineNs < 0 || available !== progress.value) {
    const time = file.waitTime;
    progress.deadlineNs = time === Infinity ? -1 : t.kernel.now() + time;
    progress.value = available;
  } else if (t.kernel.now() >= progress.deadlineNs) {
    return file.readAvailable(io);
  }
  const r = t.waitFor(file.waitQueue, READABLE | POLLHUP | POLLERR);
  if (r !== BLOCK) return available > 0 ? file.readAvailable(io) : r;
  return progress.deadlineNs < 0 ? r : t.waitUntil(progress.deadlineNs);
}
