/**
 * Robust futexes: when a thread ends, the words on its list that it still owns are marked
 * FUTEX_OWNER_DIED and a waiter is woken (get_robust_list(2),
 * Documentation/locking/robust-futexes.rst). The list is in guest memory: nothing in it is trusted,
 * and its length is bounded.
 */

import {
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  ROBUST_LIST_LIMIT,
  RobustListHead,
} from "../../ffi/abi/futex.ts";
import { futexWake } from "./futex.ts";
import type { Task } from "../task/task.ts";

const IS_PI = 1;

/** Walks the list of a thread that ends. */
export function walkRobustList(task: Task): void {
  const head = task.robustList, mm = task.mm;
  if (head === 0) return;
  let entry = mm.load64(head + RobustListHead.at.list);
  const offset = signed64(mm, head + RobustListHead.at.futexOffset);
  const pending = mm.load64(head + RobustListHead.at.listOpPending);
  if (entry < 0 || pending < 0 || offset === null) return;
  const pendingAt = pointer(pending);
  for (let i = 0; i < ROBUST_LIST_LIMIT && pointer(entry) !== head; i++) {
    const at = pointer(entry);
    const next = mm.load64(at);
    if (at !== pendingAt && !ownerDied(task, at + offset, isPi(entry), false)) return;
    if (next < 0) break;
    entry = next;
  }
  if (pendingAt !== 0) ownerDied(task, pendingAt + offset, isPi(pending), true);
}

function pointer(entry: number): number {
  return entry - (entry % 2);
}

function isPi(entry: number): boolean {
  return (entry % 2) === IS_PI;
}

function signed64(mm: Task["mm"], addr: number): number | null {
  const lo = mm.load32(addr), hi = mm.load32(addr + 4);
  return lo < 0 || hi < 0 ? null : lo + (hi | 0) * 0x100000000;
}

/** handle_futex_death of Linux: false ends the walk. */
function ownerDied(task: Task, addr: number, pi: boolean, isPending: boolean): boolean {
  const mm = task.mm;
  if (addr % 4 !== 0 || addr < 0) return false;
  for (;;) {
    const word = mm.load32(addr);
    if (word < 0) return false;
    const owner = word & FUTEX_TID_MASK;
    // The thread died between unlocking the word and waking a waiter: wakes that waiter.
    if (isPending && !pi && owner === 0) return wakeOne(task, addr);
    if (owner !== task.tid) return true;
    const found = mm.cas32(addr, word, ((word & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0);
    if (found < 0) return false;
    if (found !== word) continue;
    return pi || (word & FUTEX_WAITERS) === 0 || wakeOne(task, addr);
  }
}

function wakeOne(task: Task, addr: number): boolean {
  futexWake(task, addr, false, 1, 0xffffffff);
  return true;
}
