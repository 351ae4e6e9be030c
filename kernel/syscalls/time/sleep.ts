/** nanosleep(2), clock_nanosleep(2). */

import { EFAULT, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as T from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { groupCpuNs } from "../../task/cpu_clock.ts";
import { RESTART_BLOCK, RESTART_NOHAND, type Task } from "../../task/task.ts";
import { readTimeout, readTimespec, storeSpan } from "../timespec.ts";
import { isKnownClock } from "./clocks.ts";

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
  if (clock === T.CLOCK_PROCESS_CPUTIME_ID) return sleepCpu(t, a, isAbsolute);
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
      return -EOPNOTSUPP;
    case T.CLOCK_THREAD_CPUTIME_ID:
    case T.CLOCK_MONOTONIC_RAW:
    case T.CLOCK_REALTIME_COARSE:
    case T.CLOCK_MONOTONIC_COARSE:
      return -EOPNOTSUPP;
    default:
      return isKnownClock(t, clock) && clock < 0 ? -EOPNOTSUPP : -EINVAL;
  }
  if (!isAbsolute) return readTimeoutOrFault(t, addr);
  const time = readTimespec(t, addr);
  if (typeof time === "number") return time;
  const isReal = clock === T.CLOCK_REALTIME || clock === T.CLOCK_TAI;
  t.progress.deadlineNs = isReal
    ? time.realtimeDeadline(t)
    : time.monotonicDeadline(t, clock === T.CLOCK_BOOTTIME);
  return 0;
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

/** Sleeps until the process has used a given CPU time. */
function sleepCpu(t: Task, a: SyscallArgs, isAbsolute: boolean): number {
  const { progress } = t;
  if (progress.step === 0) {
    const r = readTimeoutOrFault(t, a.u64(2));
    if (r !== 0) return r;
    const span = progress.deadlineNs - t.kernel.now();
    progress.value = isAbsolute ? span : groupCpuNs(t.group) + span;
    progress.step = 1;
  }
  if (groupCpuNs(t.group) >= progress.value) return 0;
  t.restart = RESTART_NOHAND;
  return t.waitUntil(t.kernel.now() + CPU_LOOK_NS);
}
