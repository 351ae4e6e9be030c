/**
 * Signal masks of threads: sigprocmask(2), and the temporary masks of sigsuspend, ppoll, pselect
 * and epoll_pwait.
 */

import { alert } from "../task/alert.ts";
import type { Task } from "../task/task.ts";
import { hasDeliverable } from "./dequeue.ts";
import { UNBLOCKABLE_LO } from "./sigset.ts";

/** Sets the mask of the current task; SIGKILL and SIGSTOP stay unblocked. */
export function setBlocked(task: Task, lo: number, hi: number): void {
  const { signals, group } = task, blocked = signals.blocked, shared = group.pending.set;
  const newLo = lo & ~UNBLOCKABLE_LO & ~blocked.lo, newHi = hi & ~blocked.hi;
  blocked.set(lo & ~UNBLOCKABLE_LO, hi);
  if (hasDeliverable(task)) task.attention = true;
  // Another thread must take a process's signal that this thread would have taken.
  if (group.tasks.length === 1 || ((newLo & shared.lo) | (newHi & shared.hi)) === 0) return;
  for (const t of group.tasks) if (t !== task && hasDeliverable(t)) alert(t);
}

/** Sets a mask for the duration of a call. A second call, after a wake-up, has no effect. */
export function useTemporaryMask(task: Task, lo: number, hi: number): void {
  const { signals } = task;
  if (signals.hasSaved) return;
  signals.saved.copy(signals.blocked);
  signals.hasSaved = true;
  setBlocked(task, lo, hi);
}

/**
 * Restores the old mask when a call ends without interruption. After an interruption the handler
 * runs with the temporary mask, and the way back to guest code restores the old one.
 */
export function restoreMask(task: Task): void {
  const { signals } = task;
  if (!signals.hasSaved) return;
  signals.hasSaved = false;
  setBlocked(task, signals.saved.lo, signals.saved.hi);
}
