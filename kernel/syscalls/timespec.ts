/**
 * struct timespec and timeval: reads them from user memory with Linux's checks, stores them, and
 * computes deadlines.
 */

import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import type { Task } from "../task/task.ts";

/** Longer times count as infinite, seconds (2^53 ns is 104 days, and clocks start near 0). */
const MAX_SECONDS = 9_000_000;

/** A valid time: seconds from 0 on, and nanoseconds below 10^9. */
export class Timespec {
  readonly sec: number;
  readonly nsec: number;

  constructor(sec: number, nsec: number) {
    this.sec = sec;
    this.nsec = nsec;
  }

  get isZero(): boolean {
    return this.sec === 0 && this.nsec === 0;
  }

  /** The time in ns; Infinity when it exceeds the range of a number. */
  spanNs(): number {
    return this.sec >= MAX_SECONDS ? Infinity : this.sec * 1e9 + this.nsec;
  }

  /** CLOCK_MONOTONIC ns at which CLOCK_REALTIME reaches it; Infinity when that is far away. */
  realtimeDeadline(t: Task): number {
    const { host } = t.kernel, now = t.kernel.now();
    const seconds = this.sec - host.realtimeSec();
    if (seconds >= MAX_SECONDS) return Infinity;
    return Math.max(0, now + seconds * 1e9 + this.nsec - host.realtimeNsec());
  }

  /**
   * The kernel's CLOCK_MONOTONIC ns at which the monotonic clock of the caller, or its
   * CLOCK_BOOTTIME, reaches it.
   */
  monotonicDeadline(t: Task, isBoottime: boolean = false): number {
    return Math.max(0, this.spanNs() - t.ns.time.offsetOf(isBoottime));
  }
}

/** Reads a timespec, or with `unit` 1000 a timeval. -EFAULT, or -EINVAL for an invalid time. */
export function readTimespec(t: Task, addr: number, unit: number = 1): Timespec | number {
  const { mm } = t;
  const secLo = mm.load32(addr), secHi = mm.load32(addr + 4);
  const low = mm.load32(addr + 8), high = mm.load32(addr + 12);
  if (secLo < 0 || secHi < 0 || low < 0 || high < 0) return -EFAULT;
  const sec = secLo + (secHi | 0) * 0x100000000;
  const fraction = low + (high | 0) * 0x100000000;
  if (sec < 0 || fraction < 0 || fraction * unit >= 1e9) return -EINVAL;
  return new Timespec(sec, fraction * unit);
}

/** The error of two reads that Linux makes as one copy, where a fault comes first; or 0. */
export function errorOfBoth(first: Timespec | number, second: Timespec | number): number {
  if (first === -EFAULT || second === -EFAULT) return -EFAULT;
  return first === -EINVAL || second === -EINVAL ? -EINVAL : 0;
}

/** As `readTimespec`, in ns: for a length of time. */
export function readSpan(t: Task, addr: number, unit: number = 1): number {
  const time = readTimespec(t, addr, unit);
  return typeof time === "number" ? time : time.spanNs();
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
  const spanNs = readSpan(t, addr);
  if (spanNs < 0) return spanNs;
  t.progress.deadlineNs = t.kernel.now() + spanNs;
  return 0;
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
