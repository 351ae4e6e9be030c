/**
 * Waiting for a condition whose mutex inherits priorities: FUTEX_WAIT_REQUEUE_PI and
 * FUTEX_CMP_REQUEUE_PI of futex(2). A woken waiter already owns the mutex; the others are moved to
 * the mutex's queue.
 */

import { EAGAIN, EDEADLK, EFAULT, EINVAL, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import type { SharedWord } from "../mm/futex_key.ts";
import type { FutexWord } from "./futex.ts";
import { claim, leavePiQueue, PiState, queueFor, waitsFor } from "./futex_pi.ts";
import { FutexWaiter } from "./futex_table.ts";
import { RESTART_NOINTR, type Task } from "../task/task.ts";

/**
 * FUTEX_WAIT_REQUEUE_PI: 0 with the second word owned. After the waiter was moved a signal ends the
 * call with -EAGAIN, because the first word has changed.
 */
export function futexWaitRequeuePi(
  task: Task,
  from: FutexWord,
  val: number,
  deadlineNs: number,
  to: number,
): number {
  const { mm, progress, kernel } = task;
  const waiter = task.futexWaiter ??= new FutexWaiter(task);
  if (progress.step === 0) {
    if (from.addr === to) return -EINVAL;
    const target = wordAt(task, { addr: to, isPrivate: from.isPrivate });
    if (typeof target === "number") return target;
    const source = wordAt(task, from);
    if (typeof source === "number") return source;
    const found = mm.load32(from.addr);
    if (found < 0) return -EFAULT;
    if (found !== val) return -EAGAIN;
    if (isSame(source, target)) return -EINVAL;
    waiter.pi = null;
    waiter.piAddr = to;
    waiter.target = target;
    waiter.bitset = 0xffffffff;
    kernel.futexes.add(waiter, source.owner!, source.offset);
    progress.step = 1;
    task.restart = RESTART_NOINTR;
  } else if (waiter.isWoken) {
    return 0;
  } else if (kernel.now() >= deadlineNs) {
    leavePiQueue(waiter);
    return -ETIMEDOUT;
  }
  const r = task.waitUntil(deadlineNs);
  if (!task.interrupted) return r;
  const wasMoved = waiter.pi !== null;
  leavePiQueue(waiter);
  return wasMoved ? -EAGAIN : r;
}

/** FUTEX_CMP_REQUEUE_PI: the number of waiters that own the second word now or wait for it. */
export function futexRequeuePi(
  task: Task,
  from: FutexWord,
  to: FutexWord,
  wake: number,
  move: number,
  expected: number,
): number {
  if (wake < 0 || move < 0 || from.addr === to.addr || wake !== 1) return -EINVAL;
  const source = wordAt(task, from);
  if (typeof source === "number") return source;
  const target = wordAt(task, to);
  if (typeof target === "number") return target;
  if (isSame(source, target)) return -EINVAL;
  const found = task.mm.load32(from.addr);
  if (found < 0) return -EFAULT;
  if (found !== expected) return -EAGAIN;
  const { futexes } = task.kernel;
  const first = futexes.first(source.owner!, source.offset);
  if (first === null) return 0;
  if (!waitsToMove(first, target)) return -EINVAL;
  const claimed = claim(task, to.addr, target, first.task, move > 0);
  if (typeof claimed === "number" && claimed < 0) return claimed;
  if (typeof claimed !== "number") return moveAll(source, claimed, first, move + wake, 0);
  futexes.remove(first);
  first.target = null;
  first.isWoken = true;
  first.task.wake();
  const next = futexes.first(source.owner!, source.offset);
  return moveAll(source, new PiState(first.task, target), next, move + wake, 1);
}

/** Moves waiters from `at` on to the queue of a PI word, until `max` are done, `done` included. */
function moveAll(
  source: SharedWord,
  state: PiState,
  at: FutexWaiter | null,
  max: number,
  done: number,
): number {
  let n = done, error = 0;
  while (at !== null && n < max) {
    const { futexes } = at.task.kernel;
    if (!waitsToMove(at, state.word)) error = -EINVAL;
    else if (waitsFor(state.owner, at.task)) error = -EDEADLK;
    if (error !== 0) break;
    futexes.remove(at);
    queueFor(at, state, at.piAddr);
    n++;
    at = futexes.first(source.owner!, source.offset);
  }
  state.dropIfIdle();
  return error !== 0 ? error : n;
}

function waitsToMove(waiter: FutexWaiter, target: SharedWord): boolean {
  return waiter.target !== null && waiter.pi === null && isSame(waiter.target, target);
}

function isSame(a: SharedWord, b: SharedWord): boolean {
  return a.owner === b.owner && a.offset === b.offset;
}

function wordAt(task: Task, { addr, isPrivate }: FutexWord): SharedWord | number {
  const r = task.mm.futexKey(addr, isPrivate), { key } = task.mm;
  return r !== 0 ? r : { owner: key.owner, offset: key.offset };
}
