/** struct timespec and timeval in user memory: reading with Linux's checks, and deadlines made of them. */

import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import type { Task } from "../task/task.ts";

/** Times beyond this many seconds are as good as for ever (2^53 ns is 104 days, clocks start near 0). */
const MAX_SECONDS = 9_000_000;

/** What `readTimespec` read: two signed 64-bit numbers. */
export class Pair {
  sec: number = 0;
  nsec: number = 0;
}

export const time: Pair = new Pair();

/** Read a timespec (or, with `unit` 1000, a timeval) into `time`: 0, -EFAULT, or -EINVAL when it is no time. */
export function readTimespec(t: Task, addr: number, unit: number = 1): number {
  const { mm } = t;
  const secLo = mm.load32(addr), secHi = mm.load32(addr + 4);
  const low = mm.load32(addr + 8), high = mm.load32(addr + 12);
  if (secLo < 0 || secHi < 0 || low < 0 || high < 0) return -EFAULT;
  time.sec = secLo + (secHi | 0) * 0x100000000;
  const fraction = low + (high | 0) * 0x100000000;
  if (time.sec < 0 || fraction < 0 || fraction * unit >= 1e9) return -EINVAL;
  time.nsec = fraction * unit;
  return 0;
}

/** `time` as ns; Infinity when it is too long for a number of ns. */
export function spanNs(): number {
  return time.sec >= MAX_SECONDS ? Infinity : time.sec * 1e9 + time.nsec;
}

/**
 * The deadline of a relative timeout at `addr` (0: none) into `progress.deadlineNs`: 0, -EFAULT or -EINVAL. Call it once
 * a call: while `progress.deadlineNs` is negative.
 */
export function readTimeout(t: Task, addr: number): number {
  if (addr === 0) {
    t.progress.deadlineNs = Infinity;
    return 0;
  }
  const r = readTimespec(t, addr);
  if (r === 0) t.progress.deadlineNs = t.kernel.now() + spanNs();
  return r;
}

/** CLOCK_MONOTONIC ns at which CLOCK_REALTIME reaches `time`; Infinity when that is far away. */
export function realtimeDeadline(t: Task): number {
  const { host } = t.kernel, now = t.kernel.now();
  const seconds = time.sec - host.realtimeSec();
  if (seconds >= MAX_SECONDS) return Infinity;
  return Math.max(0, now + seconds * 1e9 + time.nsec - host.realtimeNsec());
}

/** The kernel's CLOCK_MONOTONIC ns of `time`, which is one of the caller's monotonic clock or of its CLOCK_BOOTTIME. */
export function monotonicDeadline(t: Task, isBoottime: boolean = false): number {
  return Math.max(0, spanNs() - t.ns.time.offsetOf(isBoottime));
}

/** Store seconds and nanoseconds: 0 or -EFAULT. HOT */
export function storeTimespec(t: Task, addr: number, sec: number, nsec: number): number {
  if (t.mm.store64(addr, sec) !== 0) return -EFAULT;
  return t.mm.store64(addr + 8, nsec) === 0 ? 0 : -EFAULT;
}

/** Store a span of ns as a timespec, or with `unit` 1000 as a timeval. */
export function storeSpan(t: Task, addr: number, ns: number, unit: number = 1): number {
  const sec = Math.floor(ns / 1e9);
  return storeTimespec(t, addr, sec, Math.floor((ns - sec * 1e9) / unit));
}
