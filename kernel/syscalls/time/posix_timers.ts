/**
 * timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2).
 * Timers: task/posix_timer.ts.
 */

import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import {
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  Sigevent,
} from "../../../ffi/abi/siginfo.ts";
import { SIGRTMAX } from "../../../ffi/abi/signal.ts";
import * as T from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { PosixTimer, TimerEvent } from "../../task/posix_timer.ts";
import type { Task } from "../../task/task.ts";
import { errorOfBoth, readSpan, readTimespec, storeSpan, type Timespec } from "../timespec.ts";
import { cpuClockTarget, isDeviceClock, isKnownClock } from "./clocks.ts";

export function sysTimerCreate(t: Task, a: SyscallArgs): number {
  const event = a.u64(1) === 0 ? null : readEvent(t, a.u64(1));
  if (event === -EFAULT) return event;
  const clock = timerClock(t, a.i32(0));
  if (clock < 0) return clock;
  if (typeof event === "number") return event;
  const timer = t.group.timers.create(t, clock, event);
  if (timer === null) return -EAGAIN;
  if (t.mm.store32(a.u64(2), timer.id) === 0) return 0;
  t.group.timers.remove(timer);
  return -EFAULT;
}

/** The clock of the timer, or -errno. */
function timerClock(t: Task, clock: number): number {
  switch (clock) {
    case T.CLOCK_REALTIME:
    case T.CLOCK_MONOTONIC:
    case T.CLOCK_BOOTTIME:
    case T.CLOCK_TAI:
    case T.CLOCK_PROCESS_CPUTIME_ID:
    case T.CLOCK_THREAD_CPUTIME_ID:
      return clock;
    case T.CLOCK_REALTIME_ALARM:
    case T.CLOCK_BOOTTIME_ALARM:
      // No clock can wake the machine.
      return -EOPNOTSUPP;
    default: {
      if (isDeviceClock(clock)) return -EOPNOTSUPP;
      if (!isKnownClock(t, clock)) return -EINVAL;
      const target = clock < 0 ? cpuClockTarget(t, clock) : null;
      if (target === null) return -EOPNOTSUPP;
      // DIFFERS: timers on the CPU clocks of other processes are refused.
      if (target.group !== t.group) return -EINVAL;
      return (clock & 4) !== 0 && target === t
        ? T.CLOCK_THREAD_CPUTIME_ID
        : T.CLOCK_PROCESS_CPUTIME_ID;
    }
  }
}

function readEvent(t: Task, addr: number): TimerEvent | number {
  const { u8, dv } = t.kernel.scratch, at = Sigevent.at;
  if (t.mm.copyIn(u8, 0, addr, Sigevent.size) !== 0) return -EFAULT;
  const notify = dv.getInt32(at.notify, true), signo = dv.getInt32(at.signo, true);
  const valueLo = dv.getUint32(at.value, true), valueHi = dv.getUint32(at.value + 4, true);
  let thread: Task | null = null;
  switch (notify) {
    case SIGEV_NONE:
      return { notify, signo: 0, shownSignal: signo, valueLo, valueHi, thread };
    case SIGEV_THREAD_ID: {
      const target = t.pids.tasks.get(dv.getInt32(at.tid, true));
      if (target === undefined || target.group !== t.group) return -EINVAL;
      thread = target;
      break;
    }
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
      break;
    default:
      return -EINVAL;
  }
  if (signo <= 0 || signo > SIGRTMAX) return -EINVAL;
  return { notify, signo, shownSignal: signo, valueLo, valueHi, thread };
}

function timerOf(t: Task, a: SyscallArgs): PosixTimer | null {
  return t.group.timers.posix.get(a.i32(0)) ?? null;
}

/** timer_settime(2). */
export function sysTimerSettime(t: Task, a: SyscallArgs): number {
  const addr = a.u64(2), at = T.Itimerspec.at;
  if (addr === 0) return -EINVAL;
  const intervalNs = readSpan(t, addr + at.interval);
  const value = readTimespec(t, addr + at.value);
  if (typeof value === "number" || intervalNs < 0) return errorOfBoth(intervalNs, value);
  const timer = timerOf(t, a);
  if (timer === null) return -EINVAL;
  const leftNs = timer.timeLeft(), oldInterval = timer.intervalNs;
  const isAbsolute = (a.i32(1) & T.TIMER_ABSTIME) !== 0;
  const expiry = value.isZero ? Infinity : expiryOf(t, timer, value, isAbsolute);
  // A disarmed timer loses its interval; one on a CPU clock keeps it (posix_cpu_timer_set of
  // Linux).
  const hasInterval = intervalNs !== Infinity && (expiry !== Infinity || timer.countsCpu);
  timer.start(expiry, hasInterval ? intervalNs : 0, isAbsolute && isRealtime(timer.clock));
  return a.u64(3) === 0 ? 0 : storeSetting(t, a.u64(3), leftNs, oldInterval);
}

/** The new value as a time of the timer's clock. */
function expiryOf(t: Task, timer: PosixTimer, value: Timespec, isAbsolute: boolean): number {
  if (!isAbsolute) return timer.clockNs() + value.spanNs();
  return isRealtime(timer.clock)
    ? value.realtimeDeadline(t)
    : value.monotonicDeadline(t, isBoottime(timer.clock));
}

function isRealtime(clock: number): boolean {
  return clock === T.CLOCK_REALTIME || clock === T.CLOCK_TAI;
}

function isBoottime(clock: number): boolean {
  return clock === T.CLOCK_BOOTTIME;
}

export function sysTimerGettime(t: Task, a: SyscallArgs): number {
  const timer = timerOf(t, a);
  return timer === null ? -EINVAL : storeSetting(t, a.u64(1), timer.timeLeft(), timer.intervalNs);
}

function storeSetting(t: Task, addr: number, leftNs: number, intervalNs: number): number {
  const at = T.Itimerspec.at;
  if (storeSpan(t, addr + at.interval, intervalNs) !== 0) return -EFAULT;
  return storeSpan(t, addr + at.value, leftNs);
}

export function sysTimerGetoverrun(t: Task, a: SyscallArgs): number {
  return timerOf(t, a)?.overrun ?? -EINVAL;
}

export function sysTimerDelete(t: Task, a: SyscallArgs): number {
  const timer = timerOf(t, a);
  if (timer === null) return -EINVAL;
  t.group.timers.remove(timer);
  return 0;
}
