/**
 * struct timespec and timeval in user memory: reads them with Linux's checks, and computes
 * deadlines.
 */

import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import type { Task } from "../task/task.ts";

/** Longer times count as infinite, seconds (2^53 ns is 104 days, and clocks start near 0). */
const MAX_SECONDS = 9_000_000;

/** Result of `readTimespec`: two signed 64-bit numbers. */
export class Pair {
  sec: number = 0;
  nsec: number = 0;
}

export const time: Pair = new Pair();

/**
 * Reads a timespec (or, with `unit` 1000, a timeval) into `time`: 0, -EFAULT, or -EINVAL for an
 * invalid time.
 */
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

/** `time` in ns; Infinity when it exceeds the range of a number. */
export function spanNs(): number {
  return time.sec >= MAX_SECONDS ? Infinity : time.sec * 1e9 + time.nsec;
}

/**
 * Sets `progress.deadlineNs` from the relative time-out at `addr` (0: none): 0, -EFAULT or -EINVAL.
 * Call it only while `progress.deadlineNs` is negative.
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

/**
 * The kernel's CLOCK_MONOTONIC ns of `time`, a time of the caller's monotonic clock or of its
 * CLOCK_BOOTTIME.
 */
export function monotonicDeadline(t: Task, isBoottime: boolean = false): number {
  return Math.max(0, spanNs() - t.ns.time.offsetOf(isBoottime));
}

/** Stores seconds and nanoseconds: 0 or -EFAULT. HOT */
export function storeTimespec(t: Task, addr: number, sec: number, nsec: number): number {
  if (t.mm.store64(addr, sec) !== 0) return -EFAULT;
  return t.mm.store64(addr + 8, nsec) === 0 ? 0 : -EFAULT;
}

/** Stores a span of ns as a timespec, or with `unit` 1000 as a timeval. */
export function storeSpan(t: Task, addr: number, ns: number, unit: number = 1): number {
  const sec = Math.floor(ns / 1e9);
  return storeTimespec(t, addr, sec, Math.floor((ns - sec * 1e9) / unit));
}
