/** futex_waitv(2): waiting for the first of several words. */

import { EAGAIN, EFAULT, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import { FutexWaiter } from "./futex_table.ts";
import type { Task } from "../task/task.ts";

/** One word of the list, as the guest passed it. */
export interface WaitWord {
  readonly addr: number;
  readonly val: number;
  readonly isPrivate: boolean;
}

/** Kept in `progress.object` while the call waits. */
export class WaitSet {
  readonly waiters: FutexWaiter[] = [];
}

/** Index of a word whose waiter was woken, -EAGAIN when one is not `val` at first, -ETIMEDOUT. */
export function futexWaitAny(
  task: Task,
  words: readonly WaitWord[],
  deadlineNs: number,
): number {
  const progress = task.progress;
  let set = progress.object;
  if (!(set instanceof WaitSet)) {
    set = new WaitSet();
    const r = queueAll(task, words, set as WaitSet);
    if (r !== 0) return r;
    progress.object = set;
  } else {
    const woken = set.waiters.findIndex((w) => w.isWoken);
    if (woken >= 0) return endWaits(task, set, woken);
    if (task.kernel.now() >= deadlineNs) return endWaits(task, set, -ETIMEDOUT);
  }
  const r = task.waitUntil(deadlineNs);
  return task.interrupted ? endWaits(task, set as WaitSet, r) : r;
}

function queueAll(task: Task, words: readonly WaitWord[], set: WaitSet): number {
  for (const word of words) {
    let r = task.mm.futexKey(word.addr, word.isPrivate);
    const found = r === 0 ? task.mm.load32(word.addr) : 0;
    if (r === 0 && found < 0) r = -EFAULT;
    if (r === 0 && found !== word.val) r = -EAGAIN;
    if (r !== 0) return endWaits(task, set, r);
    const waiter = new FutexWaiter(task);
    task.kernel.futexes.add(waiter, task.mm.key.owner!, task.mm.key.offset);
    set.waiters.push(waiter);
  }
  return 0;
}

function endWaits(task: Task, set: WaitSet, result: number): number {
  for (const w of set.waiters) task.kernel.futexes.remove(w);
  task.progress.object = null;
  return result;
}
