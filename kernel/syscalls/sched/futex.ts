/** futex(2), futex_waitv(2): decoding. The operations: task/futex.ts, futex_pi.ts, futex_waitv.ts. */

import { EFAULT, EINVAL, ENOSYS } from "../../../ffi/abi/errno.ts";
import * as F from "../../../ffi/abi/futex.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { futexRequeue, futexWait, futexWake, futexWakeOp } from "../../task/futex.ts";
import { futexLockPi, futexTryLockPi, futexUnlockPi } from "../../task/futex_pi.ts";
import { futexWaitAny, type WaitWord } from "../../task/futex_waitv.ts";
import type { Task } from "../../task/task.ts";
import { monotonicDeadline, readTimeout, readTimespec, realtimeDeadline } from "../timespec.ts";

const ANY = F.FUTEX_BITSET_MATCH_ANY;

/** futex(2). HOT */
export function sysFutex(t: Task, a: SyscallArgs): number {
  const addr = a.u64(0), op = a.u32(1), val = a.u32(2);
  const command = (op & F.FUTEX_CMD_MASK) >>> 0, isPrivate = (op & F.FUTEX_PRIVATE_FLAG) !== 0;
  const isReal = (op & F.FUTEX_CLOCK_REALTIME) !== 0;
  switch (command) {
    case F.FUTEX_WAIT: {
      if (isReal) return -ENOSYS;
      const r = t.progress.deadlineNs < 0 ? readTimeout(t, a.u64(3)) : 0;
      return r !== 0 ? r : futexWait(t, addr, isPrivate, val, ANY, t.progress.deadlineNs);
    }
    case F.FUTEX_WAIT_BITSET: {
      const r = absoluteDeadline(t, a.u64(3), isReal);
      return r !== 0 ? r : futexWait(t, addr, isPrivate, val, a.u32(5), t.progress.deadlineNs);
    }
    case F.FUTEX_WAKE:
      return isReal ? -ENOSYS : futexWake(t, addr, isPrivate, val | 0, ANY);
    case F.FUTEX_WAKE_BITSET:
      return isReal ? -ENOSYS : futexWake(t, addr, isPrivate, val | 0, a.u32(5));
    case F.FUTEX_REQUEUE:
      if (isReal) return -ENOSYS;
      return futexRequeue(t, addr, isPrivate, val | 0, a.u64(4), a.i32(3), -1);
    case F.FUTEX_CMP_REQUEUE:
      if (isReal) return -ENOSYS;
      return futexRequeue(t, addr, isPrivate, val | 0, a.u64(4), a.i32(3), a.u32(5));
    case F.FUTEX_WAKE_OP:
      if (isReal) return -ENOSYS;
      return futexWakeOp(t, addr, isPrivate, val | 0, a.u64(4), a.i32(3), a.u32(5));
    default:
      return ownership(t, a, command, isPrivate, isReal);
  }
}

/** The operations on PI futexes. FUTEX_LOCK_PI's time-out is on CLOCK_REALTIME whatever the flag. */
function ownership(
  t: Task,
  a: SyscallArgs,
  command: number,
  isPrivate: boolean,
  isReal: boolean,
): number {
  const addr = a.u64(0);
  switch (command) {
    case F.FUTEX_LOCK_PI:
    case F.FUTEX_LOCK_PI2: {
      const isLockPi = command === F.FUTEX_LOCK_PI;
      if (isLockPi && isReal) return -ENOSYS;
      const r = absoluteDeadline(t, a.u64(3), isLockPi || isReal);
      return r !== 0 ? r : futexLockPi(t, addr, isPrivate, t.progress.deadlineNs);
    }
    case F.FUTEX_TRYLOCK_PI:
      return isReal ? -ENOSYS : futexTryLockPi(t, addr, isPrivate);
    case F.FUTEX_UNLOCK_PI:
      return isReal ? -ENOSYS : futexUnlockPi(t, addr, isPrivate);
    default:
      return -ENOSYS;
  }
}

/** `progress.deadlineNs` from an absolute time; a null pointer: never. */
function absoluteDeadline(t: Task, addr: number, isReal: boolean): number {
  if (t.progress.deadlineNs >= 0) return 0;
  if (addr === 0) {
    t.progress.deadlineNs = Infinity;
    return 0;
  }
  const r = readTimespec(t, addr);
  if (r === 0) t.progress.deadlineNs = isReal ? realtimeDeadline(t) : monotonicDeadline(t);
  return r;
}

/** futex_waitv(2). */
export function sysFutexWaitv(t: Task, a: SyscallArgs): number {
  const count = a.u32(1), clock = a.i32(4);
  if (a.u32(2) !== 0) return -EINVAL;
  if (count === 0 || count > F.FUTEX_WAITV_MAX || a.u64(0) === 0) return -EINVAL;
  if (a.u64(3) !== 0) {
    if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME) return -EINVAL;
  }
  const r = absoluteDeadline(t, a.u64(3), clock === CLOCK_REALTIME);
  if (r !== 0) return r;
  if (t.progress.object !== null) return futexWaitAny(t, [], t.progress.deadlineNs);
  const words = readWords(t, a.u64(0), count);
  return typeof words === "number" ? words : futexWaitAny(t, words, t.progress.deadlineNs);
}

function readWords(t: Task, addr: number, count: number): WaitWord[] | number {
  const { u8, dv } = t.kernel.scratch, at = F.FutexWaitv.at, size = F.FutexWaitv.size;
  if (t.mm.copyIn(u8, 0, addr, count * size) !== 0) return -EFAULT;
  const words: WaitWord[] = [];
  for (let i = 0; i < count; i++) {
    const o = i * size, flags = dv.getUint32(o + at.flags, true);
    if ((flags & ~(F.FUTEX2_PRIVATE | F.FUTEX2_SIZE_U32)) !== 0) return -EINVAL;
    if ((flags & 3) !== F.FUTEX2_SIZE_U32) return -EINVAL;
    if (dv.getUint32(o + at.reserved, true) !== 0) return -EINVAL;
    if (dv.getUint32(o + at.val + 4, true) !== 0) return -EINVAL;
    words.push({
      addr: dv.getUint32(o + at.uaddr, true) + dv.getUint32(o + at.uaddr + 4, true) * 0x100000000,
      val: dv.getUint32(o + at.val, true),
      isPrivate: (flags & F.FUTEX2_PRIVATE) !== 0,
    });
  }
  return words;
}
