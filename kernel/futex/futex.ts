/**
 * futex(2): the plain operations. A blocked call is retried: a waiter stays queued between the runs
 * of its call, until a wake-up, its deadline or a signal.
 *
 * Neighbours: futex_table.ts (the queues), futex_pi.ts (ownership), robust_list.ts (owners that
 * died). futex/calls/futex.ts decodes the operations.
 */

import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from "../../ffi/abi/errno.ts";
import {
  FUTEX_OP_ADD,
  FUTEX_OP_ANDN,
  FUTEX_OP_CMP_EQ,
  FUTEX_OP_CMP_GE,
  FUTEX_OP_CMP_GT,
  FUTEX_OP_CMP_LE,
  FUTEX_OP_CMP_LT,
  FUTEX_OP_CMP_NE,
  FUTEX_OP_OPARG_SHIFT,
  FUTEX_OP_OR,
  FUTEX_OP_SET,
  FUTEX_OP_XOR,
} from "../../ffi/abi/futex.ts";
import { FutexKey } from "../mm/futex_key.ts";
import { FutexWaiter } from "./futex_table.ts";
import { RESTART_BLOCK, RESTART_SYS, type Task } from "../task/task.ts";

/** The key of the second word of an operation. */
const otherKey = new FutexKey();

/**
 * FUTEX_WAIT: 0 when woken, -EAGAIN when the word is not `val`, -ETIMEDOUT at `deadlineNs`
 * (Infinity: never).
 */
export function futexWait(
  task: Task,
  addr: number,
  isPrivate: boolean,
  val: number,
  bitset: number,
  deadlineNs: number,
): number {
  const { futexes } = task.kernel, progress = task.progress;
  const waiter = task.futexWaiter ??= new FutexWaiter(task);
  if (progress.step === 0) {
    if (bitset === 0) return -EINVAL;
    const r = task.mm.futexKey(addr, isPrivate);
    if (r !== 0) return r;
    const found = task.mm.load32(addr);
    if (found < 0) return -EFAULT;
    if (found !== val) return -EAGAIN;
    if (deadlineNs !== Infinity && task.kernel.now() >= deadlineNs) return -ETIMEDOUT;
    const key = task.mm.key;
    waiter.bitset = bitset;
    waiter.pi = null;
    waiter.target = null;
    futexes.add(waiter, key.owner!, key.offset);
    progress.step = 1;
    task.restart = deadlineNs === Infinity ? RESTART_SYS : RESTART_BLOCK;
  } else if (waiter.isWoken) {
    return 0;
  } else if (task.kernel.now() >= deadlineNs) {
    futexes.remove(waiter);
    return -ETIMEDOUT;
  }
  const r = task.waitUntil(deadlineNs);
  if (task.interrupted) futexes.remove(waiter);
  return r;
}

/** FUTEX_WAKE: the number of woken waiters. */
export function futexWake(
  task: Task,
  addr: number,
  isPrivate: boolean,
  max: number,
  bitset: number,
): number {
  if (bitset === 0) return -EINVAL;
  const r = task.mm.futexKey(addr, isPrivate);
  if (r !== 0) return r;
  const key = task.mm.key;
  return task.kernel.futexes.wake(key.owner!, key.offset, Math.max(1, max), bitset);
}

/** A futex word, and whether it is private to the process. */
export interface FutexWord {
  readonly addr: number;
  readonly isPrivate: boolean;
}

/**
 * FUTEX_REQUEUE, and FUTEX_CMP_REQUEUE with `expected` >= 0: the number of woken and moved waiters.
 */
export function futexRequeue(
  task: Task,
  from: FutexWord,
  to: FutexWord,
  wake: number,
  move: number,
  expected: number,
): number {
  if (wake < 0 || move < 0) return -EINVAL;
  const r = twoKeys(task, from, to);
  if (r !== 0) return r;
  if (expected >= 0) {
    const found = task.mm.load32(from.addr);
    if (found < 0) return -EFAULT;
    if (found !== expected) return -EAGAIN;
  }
  const key = task.mm.key, { futexes } = task.kernel, owner = key.owner!, offset = key.offset;
  const woken = futexes.wake(owner, offset, wake, 0xffffffff);
  const isSame = owner === otherKey.owner && offset === otherKey.offset;
  const moved = isSame || woken < 0 ? 0 : futexes.requeue(owner, offset, otherKey, move);
  otherKey.owner = null;
  return woken < 0 ? woken : moved < 0 ? moved : woken + moved;
}

/**
 * FUTEX_WAKE_OP: changes the second word; wakes waiters of the first word, and of the second one if
 * its old value satisfies the comparison.
 */
export function futexWakeOp(
  task: Task,
  addr: number,
  isPrivate: boolean,
  wake: number,
  second: number,
  wakeSecond: number,
  operation: number,
): number {
  const r = twoKeys(task, { addr, isPrivate }, { addr: second, isPrivate });
  if (r !== 0) return r;
  const cmp = (operation >>> 24) & 15, op = (operation >>> 28) & 7;
  let oparg = (operation << 8) >> 20;
  const cmparg = (operation << 20) >> 20;
  if (((operation >>> 28) & FUTEX_OP_OPARG_SHIFT) !== 0) oparg = 1 << (oparg & 31);
  let old: number;
  for (;;) {
    old = task.mm.load32(second);
    if (old < 0) return -EFAULT;
    const value = applyOp(op, old, oparg);
    if (value < 0) return -ENOSYS;
    const found = task.mm.cas32(second, old, value);
    if (found < 0) return -EFAULT;
    if (found === old) break;
  }
  const isMet = compare(cmp, old | 0, cmparg);
  if (isMet < 0) return -ENOSYS;
  const key = task.mm.key, { futexes } = task.kernel;
  const n = futexes.wake(key.owner!, key.offset, Math.max(1, wake), 0xffffffff);
  const more = isMet > 0 && n >= 0
    ? futexes.wake(otherKey.owner!, otherKey.offset, Math.max(1, wakeSecond), 0xffffffff)
    : 0;
  otherKey.owner = null;
  return n < 0 ? n : more < 0 ? more : n + more;
}

/** Sets `task.mm.key` for the first word and `otherKey` for the second. */
function twoKeys(task: Task, first: FutexWord, second: FutexWord): number {
  const mm = task.mm;
  // Checks in Linux's order: a bad first address is reported first.
  const a = mm.futexKey(first.addr, first.isPrivate);
  if (a !== 0) return a;
  const b = mm.futexKey(second.addr, second.isPrivate);
  if (b !== 0) return b;
  otherKey.owner = mm.key.owner;
  otherKey.offset = mm.key.offset;
  return mm.futexKey(first.addr, first.isPrivate);
}

/** The new value as u32, or -1 for an unknown operation. */
function applyOp(op: number, old: number, arg: number): number {
  switch (op) {
    case FUTEX_OP_SET:
      return arg >>> 0;
    case FUTEX_OP_ADD:
      return (old + arg) >>> 0;
    case FUTEX_OP_OR:
      return (old | arg) >>> 0;
    case FUTEX_OP_ANDN:
      return (old & ~arg) >>> 0;
    case FUTEX_OP_XOR:
      return (old ^ arg) >>> 0;
    default:
      return -1;
  }
}

/** 1 or 0, or -1 for an unknown comparison. */
function compare(cmp: number, old: number, arg: number): number {
  switch (cmp) {
    case FUTEX_OP_CMP_EQ:
      return +(old === arg);
    case FUTEX_OP_CMP_NE:
      return +(old !== arg);
    case FUTEX_OP_CMP_LT:
      return +(old < arg);
    case FUTEX_OP_CMP_LE:
      return +(old <= arg);
    case FUTEX_OP_CMP_GT:
      return +(old > arg);
    case FUTEX_OP_CMP_GE:
      return +(old >= arg);
    default:
      return -1;
  }
}
