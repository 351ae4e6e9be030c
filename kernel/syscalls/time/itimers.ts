/** setitimer(2), getitimer(2), alarm(2). The timers: task/itimers.ts. */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, Itimerval } from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import { errorOfBoth, readSpan, storeSpan } from "../timespec.ts";

/** Remaining time and interval of a timer, ns. */
interface Setting {
  readonly leftNs: number;
  readonly intervalNs: number;
}

export function sysGetitimer(t: Task, a: SyscallArgs): number {
  const setting = settingOf(t, a.i32(0));
  return setting === null ? -EINVAL : storeSetting(t, a.u64(1), setting);
}

/** setitimer(2). A null new value disarms, as on Linux. */
export function sysSetitimer(t: Task, a: SyscallArgs): number {
  const which = a.i32(0), addr = a.u64(1);
  let newInterval = 0, value = 0;
  if (addr !== 0) {
    newInterval = readSpan(t, addr + Itimerval.at.interval, 1000);
    value = readSpan(t, addr + Itimerval.at.value, 1000);
    if (newInterval < 0 || value < 0) return errorOfBoth(newInterval, value);
  }
  const old = settingOf(t, which);
  if (old === null) return -EINVAL;
  armTimer(t, which, value, newInterval);
  return a.u64(2) === 0 ? 0 : storeSetting(t, a.u64(2), old);
}

/** alarm(2): returns the remaining seconds, rounded. */
export function sysAlarm(t: Task, a: SyscallArgs): number {
  const leftNs = settingOf(t, ITIMER_REAL)?.leftNs ?? 0;
  armTimer(t, ITIMER_REAL, a.u32(0) * 1e9, 0);
  const sec = Math.floor(leftNs / 1e9), rest = leftNs - sec * 1e9;
  return (sec === 0 && rest > 0) || rest >= 5e8 ? sec + 1 : sec;
}

/** Null: there is no such timer. */
function settingOf(t: Task, which: number): Setting | null {
  const { timers } = t.group;
  if (which === ITIMER_REAL) {
    const timer = timers.real, isArmed = timer !== null && timer.isArmed;
    const leftNs = isArmed ? Math.max(1000, timer.deadlineNs - t.kernel.now()) : 0;
    return { leftNs, intervalNs: timer?.intervalNs ?? 0 };
  }
  if (which !== ITIMER_VIRTUAL && which !== ITIMER_PROF) return null;
  const timer = which === ITIMER_VIRTUAL ? timers.virtual : timers.prof;
  return { leftNs: timer?.remaining() ?? 0, intervalNs: timer?.intervalNs ?? 0 };
}

/** Arms for `valueNs` from now; 0 disarms. */
function armTimer(t: Task, which: number, valueNs: number, newInterval: number): void {
  const { timers } = t.group, queue = t.kernel.timers, now = t.kernel.now();
  if (which === ITIMER_REAL) {
    const timer = timers.realTimer(t.group, queue);
    timer.intervalNs = newInterval;
    if (valueNs === 0 || valueNs === Infinity) queue.disarm(timer);
    else queue.arm(timer, now + valueNs);
    return;
  }
  const timer = timers.cpuTimer(t.group, queue, which === ITIMER_VIRTUAL);
  timer.intervalNs = newInterval;
  timer.set(valueNs === 0 ? Infinity : timer.read() + valueNs, now);
}

function storeSetting(t: Task, addr: number, { leftNs, intervalNs }: Setting): number {
  if (storeSpan(t, addr + Itimerval.at.interval, intervalNs, 1000) !== 0) return -EFAULT;
  return storeSpan(t, addr + Itimerval.at.value, leftNs, 1000);
}
