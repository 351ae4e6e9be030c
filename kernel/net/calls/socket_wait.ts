/**
 * Waits for sockets (socket(7)): with SO_RCVTIMEO or SO_SNDTIMEO the wait ends with EAGAIN, and a
 * signal ends it with EINTR.
 */

import { POLLIN } from "../../../ffi/abi/poll.ts";
import { EAGAIN } from "../../../ffi/abi/errno.ts";
import { BLOCK } from "../../core/result.ts";
import type { Socket } from "../socket.ts";
import { RESTART_EINTR, type Task } from "../../task/task.ts";

/**
 * Waits for `events`: POLLIN on the socket's own queue, others on the queue its last call was
 * blocked on.
 */
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
