/** Waiting for a socket: with SO_RCVTIMEO or SO_SNDTIMEO the wait ends in EAGAIN, and a signal in EINTR (socket(7)). */

import { EAGAIN } from "../../../ffi/abi/errno.ts";
import { BLOCK } from "../../core/result.ts";
import type { Socket } from "../socket.ts";
import { RESTART_EINTR, type Task } from "../../task/task.ts";
import { POLLIN } from "../../vfs/open_file.ts";

/** `events` with POLLIN waits for the socket itself, others for what its last call was blocked on. */
export function waitForSocket(t: Task, socket: Socket, events: number, timeoutNs: number): number {
  const queue = (events & POLLIN) !== 0 ? socket.queue : socket.blockedOn;
  if (timeoutNs === Infinity) return t.waitFor(queue, events);
  const { progress } = t;
  if (progress.deadlineNs < 0) progress.deadlineNs = t.kernel.now() + timeoutNs;
  else if (t.kernel.now() >= progress.deadlineNs) return -EAGAIN;
  t.restart = RESTART_EINTR;
  const r = t.waitFor(queue, events);
  return r === BLOCK ? t.waitUntil(progress.deadlineNs) : r;
}
