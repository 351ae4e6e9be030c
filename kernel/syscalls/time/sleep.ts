/** nanosleep(2), clock_nanosleep(2). */

import { EFAULT, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as T from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { RESTART_BLOCK, RESTART_NOHAND, Task } from "../../task/task.ts";
import { readSpan, readTimeout, readTimespec, storeSpan } from "../timespec.ts";
import { cpuClockTarget, cpuNsOf, isDeviceClock, isThreadClock } from "./clocks.ts";

/** Time between two readings of a CPU clock during a sleep, ns. */
const CPU_LOOK_NS = 4_000_000;

/** nanosleep(2). */
export function sysNanosleep(t: Task, a: SyscallArgs): number {
  if (t.progress.deadlineNs < 0) {
    const r = readTimeoutOrFault(t, a.u64(0));
    if (r !== 0) return r;
  }
  return sleep(t, a.u64(1));
}

/** clock_nanosleep(2). */
export function sysClockNanosleep(t: Task, a: SyscallArgs): number {
  const clock = a.i32(0), isAbsolute = (a.i32(1) & T.TIMER_ABSTIME) !== 0;
  if (isDeviceClock(clock)) return -EOPNOTSUPP;
  if (clock === T.CLOCK_PROCESS_CPUTIME_ID || clock < 0) return sleepCpu(t, a, clock, isAbsolute);
  if (t.progress.deadlineNs < 0) {
    const r = readDeadline(t, clock, isAbsolute, a.u64(2));
    if (r !== 0) return r;
  }
  t.restart = isAbsolute ? RESTART_NOHAND : RESTART_BLOCK;
  return sleep(t, isAbsolute ? 0 : a.u64(3));
}

function readDeadline(t: Task, clock: number, isAbsolute: boolean, addr: number): number {
  switch (clock) {
    case T.CLOCK_REALTIME:
    case T.CLOCK_TAI:
    case T.CLOCK_MONOTONIC:
    case T.CLOCK_BOOTTIME:
      break;
    case T.CLOCK_REALTIME_ALARM:
    case T.CLOCK_BOOTTIME_ALARM:
      return alarmError(readSpan(t, addr));
    case T.CLOCK_THREAD_CPUTIME_ID:
    case T.CLOCK_MONOTONIC_RAW:
    case T.CLOCK_REALTIME_COARSE:
    case T.CLOCK_MONOTONIC_COARSE:
      return -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
  if (!isAbsolute) return readTimeoutOrFault(t, addr);
  const time = readTimespec(t, addr);
  if (typeof time === "number") return time;
  const isReal = clock === T.CLOCK_REALTIME || clock === T.CLOCK_TAI;
  t.progress.isRealtime = isReal;
  t.progress.deadlineNs = isReal
    ? time.realtimeDeadline(t)
    : time.monotonicDeadline(t, clock === T.CLOCK_BOOTTIME);
  return 0;
}

/** No clock can wake the machine; Linux reads the time before. */
function alarmError(spanNs: number): number {
  return spanNs < 0 ? spanNs : -EOPNOTSUPP;
}

/** A null pointer is -EFAULT. */
function readTimeoutOrFault(t: Task, addr: number): number {
  return addr === 0 ? -EFAULT : readTimeout(t, addr);
}

/**
 * Sleeps until the deadline of `progress`; when interrupted, stores the remaining time at `remAddr`
 * (0: does not).
 */
function sleep(t: Task, remAddr: number): number {
  const { deadlineNs } = t.progress, now = t.kernel.now();
  if (now >= deadlineNs) return 0;
  if (t.interrupted && remAddr !== 0) {
    const left = deadlineNs === Infinity ? Number.MAX_SAFE_INTEGER : deadlineNs - now;
    const r = storeSpan(t, remAddr, left);
    if (r !== 0) return r;
  }
  return t.waitUntil(deadlineNs);
}

/** Sleeps until a process or a thread has used a given CPU time. */
function sleepCpu(t: Task, a: SyscallArgs, clock: number, isAbsolute: boolean): number {
  const { progress } = t;
  if (progress.step === 0) {
    const spanNs = readSpan(t, a.u64(2));
    if (spanNs < 0) return spanNs;
    const target = clock < 0 ? cpuClockTarget(t, clock) : t;
    // The caller's own thread would never wake up.
    if (target === null || target === t && isThreadClock(clock)) return -EINVAL;
    progress.object = target;
    progress.value = isAbsolute ? spanNs : cpuNsOf(target, clock) + spanNs;
    progress.step = 1;
  }
  const target = progress.object instanceof Task ? progress.object : t;
  if (cpuNsOf(target, clock) >= progress.value) return 0;
  t.restart = RESTART_NOHAND;
  // The clock of a process that has ended stands.
  const isOver = target.group.tasks.length === 0;
  return t.waitUntil(isOver ? Infinity : t.kernel.now() + CPU_LOOK_NS);
}
