/**
 * Priority-inheritance futexes: FUTEX_LOCK_PI, TRYLOCK_PI, UNLOCK_PI of futex(2). The kernel
 * decides which waiter owns the word next, so a waiter returns as the owner. Neighbour:
 * futex_requeue_pi.ts.
 *
 * DIFFERS: no priority is inherited, as the sandbox does not schedule; waiters get the lock in
 * order of arrival.
 */

import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM, ESRCH, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from "../../ffi/abi/futex.ts";
import type { SharedWord } from "../mm/futex_key.ts";
import { FutexWaiter } from "./futex_table.ts";
import { RESTART_NOINTR, type Task } from "../task/task.ts";

/**
 * LIMIT: length to which a chain of owners that wait for other owners is followed (max_lock_depth).
 */
const MAX_CHAIN = 1024;

/** A PI word with waiters. */
export class PiState {
  owner: Task;
  readonly word: SharedWord;
  waiters: number = 0;

  constructor(owner: Task, word: SharedWord) {
    this.owner = owner;
    this.word = word;
    (owner.ownedPi ??= new Set()).add(this);
  }

  /** Removes the state when no waiter is left. */
  dropIfIdle(): void {
    if (this.waiters === 0) this.owner.ownedPi?.delete(this);
  }
}

/** FUTEX_LOCK_PI: 0 with the lock owned. */
export function futexLockPi(
  task: Task,
  addr: number,
  isPrivate: boolean,
  deadlineNs: number,
): number {
  const progress = task.progress;
  const waiter = task.futexWaiter ??= new FutexWaiter(task);
  if (progress.step === 0) {
    const k = task.mm.futexKey(addr, isPrivate);
    if (k !== 0) return k;
    const { key } = task.mm, word = { owner: key.owner, offset: key.offset };
    const state = claim(task, addr, word, task, false);
    if (typeof state === "number") return state;
    if (waitsFor(state.owner, task)) {
      state.dropIfIdle();
      return -EDEADLK;
    }
    queueFor(waiter, state, addr);
    progress.step = 1;
    task.restart = RESTART_NOINTR;
  } else if (waiter.isWoken) {
    return 0;
  } else if (task.kernel.now() >= deadlineNs) {
    leavePiQueue(waiter);
    return -ETIMEDOUT;
  }
  const r = task.waitUntil(deadlineNs);
  if (task.interrupted) leavePiQueue(waiter);
  return r;
}

/** FUTEX_TRYLOCK_PI: 0, or -EAGAIN when a live thread owns it. */
export function futexTryLockPi(task: Task, addr: number, isPrivate: boolean): number {
  const k = task.mm.futexKey(addr, isPrivate);
  if (k !== 0) return k;
  const { key } = task.mm, word = { owner: key.owner, offset: key.offset };
  const state = claim(task, addr, word, task, false);
  if (typeof state === "number") return state;
  state.dropIfIdle();
  return -EAGAIN;
}

/** FUTEX_UNLOCK_PI: the first waiter becomes the owner. */
export function futexUnlockPi(task: Task, addr: number, isPrivate: boolean): number {
  const { mm } = task;
  for (;;) {
    const word = mm.load32(addr);
    if (word < 0) return -EFAULT;
    if ((word & FUTEX_TID_MASK) !== task.tid) return -EPERM;
    const r = mm.futexKey(addr, isPrivate);
    if (r !== 0) return r;
    const first = task.kernel.futexes.first(mm.key.owner!, mm.key.offset);
    if (first !== null) {
      if (first.pi === null || first.pi.owner !== task) return -EINVAL;
      const stored = mm.store32(addr, (first.task.tid | FUTEX_WAITERS) >>> 0);
      if (stored !== 0) return stored;
      handOver(first.pi, first);
      return 0;
    }
    const found = mm.cas32(addr, word, 0);
    if (found < 0) return -EFAULT;
    if (found === word) return 0;
  }
}

/** The thread ends: each word that it owns goes to the first waiter, marked FUTEX_OWNER_DIED. */
export function releaseOwnedPi(task: Task): void {
  if (task.ownedPi === null) return;
  for (const state of [...task.ownedPi]) {
    const { owner, offset } = state.word;
    const first = owner === null ? null : task.kernel.futexes.first(owner, offset);
    if (first === null || first.pi !== state) continue;
    const { mm, tid } = first.task;
    // If the heir's memory has no such word any more, the heir's own run finds that out.
    mm.store32(first.piAddr, (tid | FUTEX_WAITERS | FUTEX_OWNER_DIED) >>> 0);
    handOver(state, first);
  }
  task.ownedPi = null;
}

/**
 * Takes a word for `heir` if it has no owner, and returns 0 (`marks`: with FUTEX_WAITERS set).
 * Otherwise returns the state of the word, to wait for its owner, or -errno. `task` sees the word
 * at `addr`.
 */
export function claim(
  task: Task,
  addr: number,
  word: SharedWord,
  heir: Task,
  marks: boolean,
): PiState | number {
  const { mm, kernel: { futexes } } = task;
  for (;;) {
    const value = mm.load32(addr);
    if (value < 0) return -EFAULT;
    const tid = value & FUTEX_TID_MASK;
    if (tid === heir.tid) return -EDEADLK;
    const first = futexes.first(word.owner!, word.offset);
    if (first !== null) return stateOf(first, value, task);
    const owner = tid === 0 ? heir : task.pids.tasks.get(tid);
    if (owner === undefined) return -ESRCH;
    const wanted = tid === 0
      ? heir.tid | (value & FUTEX_OWNER_DIED) | (marks ? FUTEX_WAITERS : 0)
      : value | FUTEX_WAITERS;
    const found = mm.cas32(addr, value, wanted >>> 0);
    if (found < 0) return -EFAULT;
    if (found === value) return tid === 0 ? 0 : new PiState(owner, word);
  }
}

/** The state of a word with waiters: the word must name the owner that the kernel recorded. */
function stateOf({ pi }: FutexWaiter, value: number, task: Task): PiState | number {
  if (pi === null) return -EINVAL;
  const tid = value & FUTEX_TID_MASK;
  const isAbandoned = tid === 0 && (value & FUTEX_OWNER_DIED) !== 0;
  return isAbandoned || task.pids.tasks.get(tid) === pi.owner ? pi : -EINVAL;
}

/** True if `owner` waits, directly or indirectly, for a word that `task` owns. */
export function waitsFor(owner: Task, task: Task): boolean {
  let at: Task | null = owner;
  for (let i = 0; at !== null; i++) {
    if (at === task || i >= MAX_CHAIN) return true;
    const waiter: FutexWaiter | null = at.futexWaiter;
    at = waiter !== null && waiter.isQueued ? waiter.pi?.owner ?? null : null;
  }
  return false;
}

/** @param addr where the waiter's task sees the word */
export function queueFor(waiter: FutexWaiter, state: PiState, addr: number): void {
  const { owner, offset } = state.word;
  waiter.pi = state;
  waiter.piAddr = addr;
  waiter.target = null;
  waiter.bitset = 0xffffffff;
  state.waiters++;
  waiter.task.kernel.futexes.add(waiter, owner!, offset);
}

/** Makes the first waiter the owner of the word. */
function handOver(state: PiState, first: FutexWaiter): void {
  const heir = first.task;
  state.owner.ownedPi?.delete(state);
  heir.kernel.futexes.remove(first);
  first.pi = null;
  state.owner = heir;
  if (--state.waiters > 0) (heir.ownedPi ??= new Set()).add(state);
  first.isWoken = true;
  heir.wake();
}

/** Removes a waiter from its futex's queue; the PI state ends with its last waiter. */
export function leavePiQueue(waiter: FutexWaiter): void {
  const state = waiter.pi;
  waiter.task.kernel.futexes.remove(waiter);
  waiter.pi = null;
  waiter.target = null;
  if (state === null) return;
  state.waiters--;
  state.dropIfIdle();
}
