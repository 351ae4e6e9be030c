/** timerfd_create(2), timerfd_settime(2), timerfd_gettime(2). */

import { CAP_WAKE_ALARM } from "../../../ffi/abi/capability.ts";
import { EBADF, ECANCELED, EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import * as T from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { TimerFile } from "../../fs/anonfd/timerfd.ts";
import type { Task } from "../../task/task.ts";
import { errorOfBoth, readSpan, readTimespec, storeSpan, type Timespec } from "../timespec.ts";
import { installNew } from "./install.ts";

/** Offset of it_value in struct itimerspec. */
const VALUE_AT = 16;

export function sysTimerfdCreate(t: Task, a: SyscallArgs): number {
  const clock = a.i32(0), flags = a.i32(1);
  if (flags & ~(T.TFD_CLOEXEC | T.TFD_NONBLOCK)) return -EINVAL;
  switch (clock) {
    case T.CLOCK_REALTIME:
    case T.CLOCK_MONOTONIC:
    case T.CLOCK_BOOTTIME:
      break;
    case T.CLOCK_REALTIME_ALARM:
    case T.CLOCK_BOOTTIME_ALARM:
      if (!hasCap(t.cred, CAP_WAKE_ALARM)) return -EPERM;
      break;
    default:
      return -EINVAL;
  }
  const file = new TimerFile(t.account, t.kernel.anon, t.kernel, clock, flags & T.TFD_NONBLOCK);
  return installNew(t, file, (flags & T.TFD_CLOEXEC) !== 0);
}

function timerOf(t: Task, fd: number): TimerFile | number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return file instanceof TimerFile ? file : -EINVAL;
}

export function sysTimerfdSettime(t: Task, a: SyscallArgs): number {
  const flags = a.i32(1), addr = a.u64(2), oldAddr = a.u64(3);
  const intervalNs = readSpan(t, addr);
  const value = readTimespec(t, addr + VALUE_AT);
  if (typeof value === "number" || intervalNs < 0) return errorOfBoth(intervalNs, value);
  if (flags & ~(T.TFD_TIMER_ABSTIME | T.TFD_TIMER_CANCEL_ON_SET)) return -EINVAL;
  const file = timerOf(t, a.i32(0));
  if (typeof file === "number") return file;
  const deadlineNs = deadlineOf(t, file, value, (flags & T.TFD_TIMER_ABSTIME) !== 0);
  const oldValue = file.remainingNs, oldInterval = file.intervalNs;
  file.set(deadlineNs, intervalNs === Infinity ? 0 : intervalNs, flags);
  // The timer is set all the same.
  if (!value.isZero && file.takeCanceled()) return -ECANCELED;
  return oldAddr === 0 ? 0 : storeTimes(t, oldAddr, oldValue, oldInterval);
}

/** The it_value as CLOCK_MONOTONIC; Infinity: disarm, or too far away. */
function deadlineOf(t: Task, file: TimerFile, value: Timespec, isAbsolute: boolean): number {
  if (value.isZero) return Infinity;
  if (!isAbsolute) return t.kernel.now() + value.spanNs();
  const isBoottime = file.clockId === T.CLOCK_BOOTTIME ||
    file.clockId === T.CLOCK_BOOTTIME_ALARM;
  return file.isRealtime ? value.realtimeDeadline(t) : value.monotonicDeadline(t, isBoottime);
}

export function sysTimerfdGettime(t: Task, a: SyscallArgs): number {
  const file = timerOf(t, a.i32(0));
  if (typeof file === "number") return file;
  return storeTimes(t, a.u64(1), file.remainingNs, file.intervalNs);
}

function storeTimes(t: Task, addr: number, valueNs: number, intervalNs: number): number {
  if (storeSpan(t, addr, intervalNs) < 0) return -EFAULT;
  return storeSpan(t, addr + VALUE_AT, valueNs) < 0 ? -EFAULT : 0;
}
