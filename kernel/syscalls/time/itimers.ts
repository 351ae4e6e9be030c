/** setitimer(2), getitimer(2), alarm(2). The timers: task/itimers.ts. */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, Itimerval } from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import { readTimespec, spanNs, storeSpan } from "../timespec.ts";

/** Remaining time and interval of a timer, ns. */
let leftNs = 0, intervalNs = 0;

export function sysGetitimer(t: Task, a: SyscallArgs): number {
  return readTimer(t, a.i32(0)) ? storeTimer(t, a.u64(1)) : -EINVAL;
}

/** setitimer(2). A null new value disarms, as on Linux. */
export function sysSetitimer(t: Task, a: SyscallArgs): number {
  const which = a.i32(0), addr = a.u64(1);
  let newInterval = 0, value = 0;
  if (addr !== 0) {
    const r = readTimespec(t, addr + Itimerval.at.interval, 1000);
    if (r !== 0) return r;
    newInterval = spanNs();
    const s = readTimespec(t, addr + Itimerval.at.value, 1000);
    if (s !== 0) return s;
    value = spanNs();
  }
  if (!readTimer(t, which)) return -EINVAL;
  armTimer(t, which, value, newInterval);
  return a.u64(2) === 0 ? 0 : storeTimer(t, a.u64(2));
}

/** alarm(2): returns the remaining seconds, rounded. */
export function sysAlarm(t: Task, a: SyscallArgs): number {
  readTimer(t, ITIMER_REAL);
  armTimer(t, ITIMER_REAL, a.u32(0) * 1e9, 0);
  const sec = Math.floor(leftNs / 1e9), rest = leftNs - sec * 1e9;
  return (sec === 0 && rest > 0) || rest >= 5e8 ? sec + 1 : sec;
}

function readTimer(t: Task, which: number): boolean {
  const { timers } = t.group;
  leftNs = intervalNs = 0;
  if (which === ITIMER_REAL) {
    const timer = timers.real;
    if (timer === null) return true;
    leftNs = timer.isArmed ? Math.max(1000, timer.deadlineNs - t.kernel.now()) : 0;
    intervalNs = timer.intervalNs;
    return true;
  }
  if (which !== ITIMER_VIRTUAL && which !== ITIMER_PROF) return false;
  const timer = which === ITIMER_VIRTUAL ? timers.virtual : timers.prof;
  leftNs = timer?.remaining() ?? 0;
  intervalNs = timer?.intervalNs ?? 0;
  return true;
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

function storeTimer(t: Task, addr: number): number {
  const left = leftNs;
  if (storeSpan(t, addr + Itimerval.at.interval, intervalNs, 1000) !== 0) return -EFAULT;
  return storeSpan(t, addr + Itimerval.at.value, left, 1000);
}
