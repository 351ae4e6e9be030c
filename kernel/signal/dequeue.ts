/**
 * Takes pending signals for delivery to a handler, for sigtimedwait(2) and for signalfd(2). A
 * thread's own signals come before its process's, synchronous signals before others, then the
 * lowest number (signal(7)).
 */

import type { Task } from "../task/task.ts";
import type { PendingSignals, SigInfo } from "./pending.ts";
import { type SigSet, SYNCHRONOUS_LO } from "./sigset.ts";

/**
 * Notified when a signal of a POSIX timer is taken: it counts overruns and arms the timer again.
 */
export interface SignalSource {
  onTaken(info: SigInfo): void;
}

/** True if a signal is pending that the thread does not block. HOT */
export function hasDeliverable(task: Task): boolean {
  const own = task.signals.pending.set, shared = task.group.pending.set, no = task.signals.blocked;
  return (((own.lo | shared.lo) & ~no.lo) | ((own.hi | shared.hi) & ~no.hi)) !== 0;
}

/** Takes the next signal for delivery, or null. */
export function dequeueForDelivery(task: Task): SigInfo | null {
  const no = task.signals.blocked;
  return dequeue(task, ~no.lo, ~no.hi);
}

/** Takes the next pending signal of `set`, or null. */
export function dequeueFrom(task: Task, set: SigSet): SigInfo | null {
  return dequeue(task, set.lo, set.hi);
}

function dequeue(task: Task, lo: number, hi: number): SigInfo | null {
  const own = task.signals.pending;
  const synchronous = own.set.lo & lo & SYNCHRONOUS_LO;
  if (synchronous !== 0) {
    const forced = takeForced(own, synchronous);
    if (forced !== null) return forced;
  }
  const info = takeLowest(own, lo, hi) ?? takeLowest(task.group.pending, lo, hi);
  if (info !== null && info.timer !== null) info.timer.onTaken(info);
  return info;
}

/**
 * Takes a signal that a fault forced: it precedes all others. It is the oldest one of its number,
 * because no second one is forced while one is pending.
 */
function takeForced(from: PendingSignals, lo: number): SigInfo | null {
  for (let left = lo; left !== 0; left &= left - 1) {
    const sig = 32 - Math.clz32(left & -left);
    if (from.first(sig)?.isForced === true) return from.take(sig);
  }
  return null;
}

/**
 * Takes the lowest number; numbers that are synchronous when the processor raises them come first,
 * whatever their sender (next_signal of Linux).
 */
function takeLowest(from: PendingSignals, lo: number, hi: number): SigInfo | null {
  const all = from.set.lo & lo, low = (all & SYNCHRONOUS_LO) !== 0 ? all & SYNCHRONOUS_LO : all;
  if (low !== 0) return from.take(32 - Math.clz32(low & -low));
  const high = from.set.hi & hi;
  return high === 0 ? null : from.take(64 - Math.clz32(high & -high));
}
