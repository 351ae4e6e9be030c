/**
 * Reading clocks: clock_gettime(2), gettimeofday(2), time(2), clock_getres(2). Setting them is
 * refused.
 */

import { CAP_SYS_TIME } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import * as T from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { groupCpuNs, groupUserNs, threadCpuNs, threadUserNs } from "../../task/cpu_clock.ts";
import type { Task } from "../../task/task.ts";
import { readTimespec, storeSpan, storeTimespec } from "../timespec.ts";

/** Resolution of the coarse clocks, ns (CONFIG_HZ=250). */
const COARSE_NS = 4_000_000;
const THREAD_BIT = 4, CPU_KIND = 3;
/** CPUCLOCK_PROF, CPUCLOCK_VIRT, CPUCLOCK_SCHED, and the fd clocks. */
const CPU_VIRT = 1, CLOCK_FD = 3;

/** clock_gettime(2). HOT */
export function sysClockGettime(t: Task, a: SyscallArgs): number {
  const clock = a.i32(0), addr = a.u64(1), { kernel } = t, { time } = t.ns;
  switch (clock) {
    case T.CLOCK_MONOTONIC:
    case T.CLOCK_MONOTONIC_RAW:
      return storeSpan(t, addr, kernel.now() + time.monotonicNs);
    case T.CLOCK_BOOTTIME:
      return storeSpan(t, addr, kernel.now() + time.boottimeNs);
    case T.CLOCK_MONOTONIC_COARSE:
      return storeSpan(t, addr, coarse(kernel.now() + time.monotonicNs));
    case T.CLOCK_REALTIME:
    case T.CLOCK_TAI: {
      const sec = kernel.host.realtimeSec();
      return storeTimespec(t, addr, sec, kernel.host.realtimeNsec());
    }
    case T.CLOCK_REALTIME_COARSE: {
      const sec = kernel.host.realtimeSec();
      return storeTimespec(t, addr, sec, coarse(kernel.host.realtimeNsec()));
    }
    case T.CLOCK_THREAD_CPUTIME_ID:
      return storeSpan(t, addr, threadCpuNs(t));
    case T.CLOCK_PROCESS_CPUTIME_ID:
      return storeSpan(t, addr, groupCpuNs(t.group));
    default: {
      const ns = cpuClockNs(t, clock);
      return ns < 0 ? ns : storeSpan(t, addr, ns);
    }
  }
}

function coarse(ns: number): number {
  return ns - ns % COARSE_NS;
}

/** Clocks of other processes and threads (clock_getcpuclockid(3)): ns, or -EINVAL. */
export function cpuClockNs(t: Task, clock: number): number {
  const target = cpuClockTarget(t, clock);
  return target === null ? -EINVAL : cpuNsOf(target, clock);
}

/** What a CPU clock of a task, or of its process, shows. */
export function cpuNsOf(target: Task, clock: number): number {
  const isVirtual = (clock & CPU_KIND) === CPU_VIRT;
  if ((clock & THREAD_BIT) !== 0) return isVirtual ? threadUserNs(target) : threadCpuNs(target);
  return isVirtual ? groupUserNs(target.group) : groupCpuNs(target.group);
}

/** The task of a CPU clock id, or null: ~pid << 3 with the kind in the low bits. */
export function cpuClockTarget(t: Task, clock: number): Task | null {
  if (clock >= 0 || (clock & CPU_KIND) === CLOCK_FD) return null;
  const pid = ~(clock >> 3);
  if (pid === 0) return t;
  const { pids } = t;
  if ((clock & THREAD_BIT) === 0) return pids.groups.get(pid)?.tasks[0] ?? null;
  const thread = pids.tasks.get(pid);
  return thread !== undefined && thread.group === t.group ? thread : null;
}

/** clock_getres(2). */
export function sysClockGetres(t: Task, a: SyscallArgs): number {
  const clock = a.i32(0), addr = a.u64(1);
  const isCoarse = clock === T.CLOCK_REALTIME_COARSE || clock === T.CLOCK_MONOTONIC_COARSE;
  if (!isKnownClock(t, clock)) return -EINVAL;
  return addr === 0 ? 0 : storeSpan(t, addr, isCoarse ? COARSE_NS : 1);
}

/** A clock of a device (CLOCKFD): there are none. */
export function isDeviceClock(clock: number): boolean {
  return clock < 0 && (clock & (THREAD_BIT | CPU_KIND)) === CLOCK_FD;
}

/** A clock of one thread, not of a process. */
export function isThreadClock(clock: number): boolean {
  return clock < 0 && (clock & THREAD_BIT) !== 0;
}

export function isKnownClock(t: Task, clock: number): boolean {
  if (clock < 0) return cpuClockTarget(t, clock) !== null;
  // The alarm clocks require a clock that can wake the machine.
  return clock <= T.CLOCK_BOOTTIME || clock === T.CLOCK_TAI;
}

/** clock_settime(2): fails, because the clock is the host's. */
export function sysClockSettime(t: Task, a: SyscallArgs): number {
  const clock = a.i32(0);
  if (clock !== T.CLOCK_REALTIME) return -EINVAL;
  const time = readTimespec(t, a.u64(1));
  return typeof time === "number" ? time : -EPERM;
}

/** gettimeofday(2). HOT */
export function sysGettimeofday(t: Task, a: SyscallArgs): number {
  const { host } = t.kernel, tz = a.u64(1);
  if (a.u64(0) !== 0) {
    const sec = host.realtimeSec();
    const r = storeTimespec(t, a.u64(0), sec, Math.floor(host.realtimeNsec() / 1000));
    if (r !== 0) return r;
  }
  return tz !== 0 && t.mm.store64(tz, 0) !== 0 ? -EFAULT : 0;
}

/** settimeofday(2). */
export function sysSettimeofday(t: Task, a: SyscallArgs): number {
  if (a.u64(0) !== 0) {
    const time = readTimespec(t, a.u64(0), 1000);
    if (typeof time === "number") return time;
  }
  return -EPERM;
}

/** time(2). */
export function sysTime(t: Task, a: SyscallArgs): number {
  const sec = t.kernel.host.realtimeSec();
  return a.u64(0) !== 0 && t.mm.store64(a.u64(0), sec) !== 0 ? -EFAULT : sec;
}

const TIMEX_MAXERROR = 16_000_000, TICK_US = 10_000;
/** 2^-16 ppm of 500 ppm (MAXFREQ). */
const TOLERANCE = 32_768_000;

/** adjtimex(2): the state can be read; changes are EPERM as without CAP_SYS_TIME. */
export function sysAdjtimex(t: Task, a: SyscallArgs): number {
  return readTimex(t, a.u64(0));
}

/** clock_adjtime(2). */
export function sysClockAdjtime(t: Task, a: SyscallArgs): number {
  if (!isKnownClock(t, a.i32(0))) return -EINVAL;
  return a.i32(0) === T.CLOCK_REALTIME ? readTimex(t, a.u64(1)) : -EOPNOTSUPP;
}

function readTimex(t: Task, addr: number): number {
  const { scratch, host } = t.kernel, at = T.Timex.at;
  const modes = t.mm.load32(addr);
  if (modes < 0) return -EFAULT;
  if (modes !== 0 && modes !== T.ADJ_OFFSET_SS_READ) {
    // DIFFERS: CAP_SYS_TIME permits nothing, because the clock is the host's.
    return hasCap(t.cred, CAP_SYS_TIME) && (modes & ~0xffff) !== 0 ? -EINVAL : -EPERM;
  }
  scratch.clear(T.Timex.size);
  scratch.dv.setUint32(at.modes, modes, true);
  scratch.setU53(at.maxerror, TIMEX_MAXERROR);
  scratch.setU53(at.esterror, TIMEX_MAXERROR);
  scratch.dv.setInt32(at.status, T.STA_UNSYNC, true);
  scratch.setU53(at.constant, 2);
  scratch.setU53(at.precision, 1);
  scratch.setU53(at.tolerance, TOLERANCE);
  scratch.setU53(at.time, host.realtimeSec());
  scratch.setU53(at.time + 8, Math.floor(host.realtimeNsec() / 1000));
  scratch.setU53(at.tick, TICK_US);
  return t.mm.copyOut(addr, scratch.u8, 0, T.Timex.size) === 0 ? T.TIME_ERROR : -EFAULT;
}
