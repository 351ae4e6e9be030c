/**
 * futex_wait(2), futex_wake(2), futex_requeue(2), futex_waitv(2): decoding of arguments. Flags
 * state the size of a word (Linux supports 32 bits alone) and whether it is private. Operations:
 * futex/futex.ts, futex/futex_waitv.ts.
 */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import * as F from "../../../ffi/abi/futex.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { futexRequeue, futexWait, futexWake } from "../futex.ts";
import { futexWaitAny, type WaitWord } from "../futex_waitv.ts";
import type { Task } from "../../task/task.ts";
import { absoluteDeadline } from "./futex.ts";

const SIZES = 3;
const U32_MAX = 0xffffffff;

function areValid(flags: number): boolean {
  return (flags & ~(F.FUTEX2_PRIVATE | SIZES)) === 0 && (flags & SIZES) === F.FUTEX2_SIZE_U32;
}

function isPrivate(flags: number): boolean {
  return (flags & F.FUTEX2_PRIVATE) !== 0;
}

/** futex_wait(2): FUTEX_WAIT_BITSET with a clock. */
export function sysFutexWait(t: Task, a: SyscallArgs): number {
  const value = a.u64(1), mask = a.u64(2), flags = a.u32(3);
  if (!areValid(flags) || value > U32_MAX || mask > U32_MAX) return -EINVAL;
  const r = setDeadline(t, a.u64(4), a.i32(5));
  if (r !== 0) return r;
  return futexWait(t, a.u64(0), isPrivate(flags), value, mask, t.progress.deadlineNs);
}

/** futex_wake(2): unlike FUTEX_WAKE, a count of 0 wakes no waiter. */
export function sysFutexWake(t: Task, a: SyscallArgs): number {
  const addr = a.u64(0), mask = a.u64(1), count = a.i32(2), flags = a.u32(3);
  if (!areValid(flags) || mask > U32_MAX || mask === 0) return -EINVAL;
  if (count === 0) return t.mm.futexKey(addr, isPrivate(flags));
  return futexWake(t, addr, isPrivate(flags), count, mask);
}

/**
 * futex_requeue(2): FUTEX_CMP_REQUEUE between two words that are described as for futex_waitv(2).
 */
export function sysFutexRequeue(t: Task, a: SyscallArgs): number {
  if (a.u32(1) !== 0 || a.u64(0) === 0) return -EINVAL;
  const words = readWords(t, a.u64(0), 2);
  if (typeof words === "number") return words;
  return futexRequeue(t, words[0]!, words[1]!, a.i32(2), a.i32(3), words[0]!.val);
}

/** futex_waitv(2). */
export function sysFutexWaitv(t: Task, a: SyscallArgs): number {
  const count = a.u32(1);
  if (a.u32(2) !== 0) return -EINVAL;
  if (count === 0 || count > F.FUTEX_WAITV_MAX || a.u64(0) === 0) return -EINVAL;
  const r = setDeadline(t, a.u64(3), a.i32(4));
  if (r !== 0) return r;
  if (t.progress.object !== null) return futexWaitAny(t, [], t.progress.deadlineNs);
  const words = readWords(t, a.u64(0), count);
  return typeof words === "number" ? words : futexWaitAny(t, words, t.progress.deadlineNs);
}

/**
 * Sets `progress.deadlineNs` from an absolute time of a clock; the clock is checked only with a
 * time.
 */
function setDeadline(t: Task, addr: number, clock: number): number {
  if (addr !== 0 && clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME) return -EINVAL;
  return absoluteDeadline(t, addr, clock === CLOCK_REALTIME);
}

function readWords(t: Task, addr: number, count: number): WaitWord[] | number {
  const { u8, dv } = t.kernel.scratch, at = F.FutexWaitv.at, size = F.FutexWaitv.size;
  if (t.mm.copyIn(u8, 0, addr, count * size) !== 0) return -EFAULT;
  const words: WaitWord[] = [];
  for (let i = 0; i < count; i++) {
    const o = i * size, flags = dv.getUint32(o + at.flags, true);
    if (!areValid(flags)) return -EINVAL;
    if (dv.getUint32(o + at.reserved, true) !== 0) return -EINVAL;
    if (dv.getUint32(o + at.val + 4, true) !== 0) return -EINVAL;
    words.push({
      addr: dv.getUint32(o + at.uaddr, true) + dv.getUint32(o + at.uaddr + 4, true) * 0x100000000,
      val: dv.getUint32(o + at.val, true),
      isPrivate: isPrivate(flags),
    });
  }
  return words;
}
