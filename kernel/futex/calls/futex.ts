/**
 * futex(2): decoding of arguments. Operations: futex/futex.ts, futex/futex_pi.ts. Neighbour:
 * futex2.ts.
 */

import { ENOSYS } from "../../../ffi/abi/errno.ts";
import * as F from "../../../ffi/abi/futex.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { futexRequeue, futexWait, futexWake, futexWakeOp } from "../futex.ts";
import { futexLockPi, futexTryLockPi, futexUnlockPi } from "../futex_pi.ts";
import { futexRequeuePi, futexWaitRequeuePi } from "../futex_requeue_pi.ts";
import type { Task } from "../../task/task.ts";
import { readTimeout, readTimespec } from "../../syscalls/timespec.ts";

const ANY = F.FUTEX_BITSET_MATCH_ANY;

/** futex(2). HOT */
export function sysFutex(t: Task, a: SyscallArgs): number {
  const addr = a.u64(0), op = a.u32(1), val = a.u32(2);
  const command = (op & F.FUTEX_CMD_MASK) >>> 0, isPrivate = (op & F.FUTEX_PRIVATE_FLAG) !== 0;
  const isReal = (op & F.FUTEX_CLOCK_REALTIME) !== 0;
  switch (command) {
    case F.FUTEX_WAIT: {
      const r = t.progress.deadlineNs < 0 ? readTimeout(t, a.u64(3)) : 0;
      if (isReal && r === 0) return -ENOSYS;
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
      return requeue(t, a, isPrivate, -1);
    case F.FUTEX_CMP_REQUEUE:
      if (isReal) return -ENOSYS;
      return requeue(t, a, isPrivate, a.u32(5));
    case F.FUTEX_WAKE_OP:
      if (isReal) return -ENOSYS;
      return futexWakeOp(t, addr, isPrivate, val | 0, a.u64(4), a.i32(3), a.u32(5));
    default:
      return runPiOperation(t, a, command, isPrivate, isReal);
  }
}

function requeue(t: Task, a: SyscallArgs, isPrivate: boolean, expected: number): number {
  const from = { addr: a.u64(0), isPrivate }, to = { addr: a.u64(4), isPrivate };
  return futexRequeue(t, from, to, a.i32(2), a.i32(3), expected);
}

/** Operations on PI futexes. FUTEX_LOCK_PI's time-out is on CLOCK_REALTIME, whatever the flag. */
function runPiOperation(
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
      const r = absoluteDeadline(t, a.u64(3), isLockPi || isReal);
      if (isLockPi && isReal && r === 0) return -ENOSYS;
      return r !== 0 ? r : futexLockPi(t, addr, isPrivate, t.progress.deadlineNs);
    }
    case F.FUTEX_WAIT_REQUEUE_PI: {
      const r = absoluteDeadline(t, a.u64(3), isReal);
      if (r !== 0) return r;
      const { deadlineNs } = t.progress;
      return futexWaitRequeuePi(t, { addr, isPrivate }, a.u32(2), deadlineNs, a.u64(4));
    }
    case F.FUTEX_CMP_REQUEUE_PI: {
      if (isReal) return -ENOSYS;
      const from = { addr, isPrivate }, to = { addr: a.u64(4), isPrivate };
      return futexRequeuePi(t, from, to, a.i32(2), a.i32(3), a.u32(5));
    }
    case F.FUTEX_TRYLOCK_PI:
      return isReal ? -ENOSYS : futexTryLockPi(t, addr, isPrivate);
    case F.FUTEX_UNLOCK_PI:
      return isReal ? -ENOSYS : futexUnlockPi(t, addr, isPrivate);
    default:
      return -ENOSYS;
  }
}

/** Sets `progress.deadlineNs` from an absolute time; a null pointer: no deadline. */
export function absoluteDeadline(t: Task, addr: number, isReal: boolean): number {
  if (t.progress.deadlineNs >= 0) return 0;
  if (addr === 0) {
    t.progress.deadlineNs = Infinity;
    return 0;
  }
  const time = readTimespec(t, addr);
  if (typeof time === "number") return time;
  t.progress.isRealtime = isReal;
  t.progress.deadlineNs = isReal ? time.realtimeDeadline(t) : time.monotonicDeadline(t);
  return 0;
}
