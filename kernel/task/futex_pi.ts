/**
 * Priority-inheritance futexes: FUTEX_LOCK_PI, TRYLOCK_PI, UNLOCK_PI of futex(2). The kernel decides who owns the word
 * next, so a waiter returns with the lock in its hands.
 *
 * DIFFERS: no priority is inherited, as the sandbox does not schedule; waiters get the lock in order of arrival.
 */

import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM, ESRCH, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from "../../ffi/abi/futex.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { FutexWaiter } from "./futex_table.ts";
import { RESTART_BLOCK, RESTART_NOINTR, type Task } from "./task.ts";

/** A PI word that somebody waits for. */
export class PiState {
  owner: Task;
  /** Where a waiter sees the word: the new owner's id is stored through it. */
  mm: MemoryManager;
  addr: number;
  isPrivate: boolean;
  waiters: number = 0;

  constructor(owner: Task, mm: MemoryManager, addr: number, isPrivate: boolean) {
    this.owner = owner;
    this.mm = mm;
    this.addr = addr;
    this.isPrivate = isPrivate;
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
    const r = lockOrQueue(task, waiter, addr, isPrivate);
    if (r !== -EAGAIN) return r;
    progress.step = 1;
    task.restart = deadlineNs === Infinity ? RESTART_NOINTR : RESTART_BLOCK;
  } else if (waiter.isWoken) {
    return 0;
  } else if (task.kernel.now() >= deadlineNs) {
    leaveQueue(task, waiter);
    return -ETIMEDOUT;
  }
  const r = task.waitUntil(deadlineNs);
  if (task.interrupted) leaveQueue(task, waiter);
  return r;
}

/** FUTEX_TRYLOCK_PI: 0, or -EAGAIN when somebody alive owns it. */
export function futexTryLockPi(task: Task, addr: number, isPrivate: boolean): number {
  const r = task.mm.futexKey(addr, isPrivate);
  return r !== 0 ? r : takeFree(task, addr, false);
}

/** FUTEX_UNLOCK_PI: the first waiter owns the word now. */
export function futexUnlockPi(task: Task, addr: number, isPrivate: boolean): number {
  const word = task.mm.load32(addr);
  if (word < 0) return -EFAULT;
  if ((word & FUTEX_TID_MASK) !== task.tid) return -EPERM;
  const r = task.mm.futexKey(addr, isPrivate);
  if (r !== 0) return r;
  const key = task.mm.key;
  const first = task.kernel.futexes.first(key.owner!, key.offset);
  if (first === null) {
    const found = task.mm.cas32(addr, word, 0);
    return found < 0 ? -EFAULT : found === word ? 0 : futexUnlockPi(task, addr, isPrivate);
  }
  if (first.pi === null) return -EINVAL;
  if (first.pi.owner !== task) return -EINVAL;
  return handOver(first.pi, first, 0);
}

/** The thread ends: what it owns goes to the first waiter, marked FUTEX_OWNER_DIED. */
export function releaseOwnedPi(task: Task): void {
  if (task.ownedPi === null) return;
  for (const state of [...task.ownedPi]) {
    const r = state.mm.futexKey(state.addr, state.isPrivate);
    const first = r === 0 ? firstOf(task, state) : null;
    if (first !== null) handOver(state, first, FUTEX_OWNER_DIED);
  }
  task.ownedPi = null;
}

function firstOf(task: Task, state: PiState): FutexWaiter | null {
  const key = state.mm.key;
  const first = task.kernel.futexes.first(key.owner!, key.offset);
  return first !== null && first.pi === state ? first : null;
}

/** 0: owned; -EAGAIN: queued (or, for a try, taken by another); other errors. */
function lockOrQueue(
  task: Task,
  waiter: FutexWaiter,
  addr: number,
  isPrivate: boolean,
): number {
  const mm = task.mm;
  const k = mm.futexKey(addr, isPrivate);
  if (k !== 0) return k;
  const r = takeFree(task, addr, true);
  if (r !== -EAGAIN) return r;
  const word = mm.load32(addr);
  if (word < 0) return -EFAULT;
  const { futexes } = task.kernel, owner = mm.key.owner!, offset = mm.key.offset;
  const first = futexes.first(owner, offset);
  if (first !== null && first.pi === null) return -EINVAL;
  const state = first?.pi ?? stateFor(task, word & FUTEX_TID_MASK, addr, isPrivate);
  if (state === null) return -ESRCH;
  waiter.pi = state;
  waiter.bitset = 0xffffffff;
  state.waiters++;
  futexes.add(waiter, owner, offset);
  return -EAGAIN;
}

/**
 * Take a word that nobody (alive) owns: 0. -EAGAIN: it has an owner, and `mark` set FUTEX_WAITERS in it, so that the
 * unlock comes to the kernel.
 */
function takeFree(task: Task, addr: number, mark: boolean): number {
  const mm = task.mm;
  for (;;) {
    const word = mm.load32(addr);
    if (word < 0) return -EFAULT;
    const owner = word & FUTEX_TID_MASK;
    if (owner === task.tid) return -EDEADLK;
    let wanted: number;
    if (owner === 0) {
      const key = mm.key;
      const hasWaiters = task.kernel.futexes.first(key.owner!, key.offset) !== null;
      wanted = (task.tid | (word & FUTEX_OWNER_DIED) | (hasWaiters ? FUTEX_WAITERS : 0)) >>> 0;
    } else if (mark) {
      wanted = (word | FUTEX_WAITERS) >>> 0;
    } else {
      return -EAGAIN;
    }
    const found = mm.cas32(addr, word, wanted);
    if (found < 0) return -EFAULT;
    if (found === word) return owner === 0 ? 0 : -EAGAIN;
  }
}

function stateFor(
  task: Task,
  tid: number,
  addr: number,
  isPrivate: boolean,
): PiState | null {
  const owner = task.pids.tasks.get(tid);
  if (owner === undefined) return null;
  const state = new PiState(owner, task.mm, addr, isPrivate);
  (owner.ownedPi ??= new Set()).add(state);
  return state;
}

/** Give the word to its first waiter. */
function handOver(state: PiState, first: FutexWaiter, extra: number): number {
  const { futexes } = first.task.kernel, heir = first.task;
  state.owner.ownedPi?.delete(state);
  futexes.remove(first);
  first.pi = null;
  state.waiters--;
  const hasMore = state.waiters > 0;
  const word = (heir.tid | extra | (hasMore ? FUTEX_WAITERS : 0)) >>> 0;
  const r = heir.mm.store32(state.addr, word);
  state.owner = heir;
  if (hasMore) (heir.ownedPi ??= new Set()).add(state);
  first.isWoken = true;
  heir.wake();
  return r;
}

function leaveQueue(task: Task, waiter: FutexWaiter): void {
  const state = waiter.pi;
  task.kernel.futexes.remove(waiter);
  waiter.pi = null;
  if (state !== null && --state.waiters === 0) state.owner.ownedPi?.delete(state);
}
