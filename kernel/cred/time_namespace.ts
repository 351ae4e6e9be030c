/**
 * Time namespaces (time_namespaces(7)): offsets of CLOCK_MONOTONIC and CLOCK_BOOTTIME. They can be
 * set until the first process is created in the namespace. proc/fs shows and sets them; clock calls
 * add them.
 */

import { EACCES, EINVAL, EPERM, ERANGE } from "../../ffi/abi/errno.ts";
import { CAP_SYS_TIME } from "../../ffi/abi/capability.ts";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC } from "../../ffi/abi/time.ts";
import { type Credentials, hasCapIn } from "./credentials.ts";
import { Namespace } from "./namespace.ts";
import type { UserNamespace } from "./user_namespace.ts";

/** LIMIT: seconds of a clock with its offset (half of what ktime_t holds). */
const MAX_SECONDS = 4611686018;

/** The offsets from the clocks of the first namespace, ns. */
export interface TimeOffsets {
  readonly monotonicNs: number;
  readonly boottimeNs: number;
}

export class TimeNamespace extends Namespace {
  override readonly kind = "time";
  /** The offsets, as in TimeOffsets. */
  monotonicNs: number = 0;
  boottimeNs: number = 0;
  /** It has processes: the offsets are final. */
  isFrozen: boolean = false;

  /**
   * Makes a namespace with final offsets. -ERANGE: a clock would be below zero, or too high.
   * `nowNs`: the first namespace's clock.
   */
  static withOffsets(
    offsets: TimeOffsets,
    owner: UserNamespace,
    nowNs: number,
  ): TimeNamespace | number {
    const ns = new TimeNamespace(owner, false), { monotonicNs, boottimeNs } = offsets;
    for (const offset of [monotonicNs, boottimeNs]) if (!isInRange(offset, nowNs)) return -ERANGE;
    ns.monotonicNs = monotonicNs;
    ns.boottimeNs = boottimeNs;
    ns.isFrozen = true;
    return ns;
  }

  /** Whether its clocks differ from those of the first one. */
  get isShifted(): boolean {
    return this.monotonicNs !== 0 || this.boottimeNs !== 0;
  }

  /** The offset of a clock, ns. */
  offsetOf(isBoottime: boolean): number {
    return isBoottime ? this.boottimeNs : this.monotonicNs;
  }

  /** The text of /proc/PID/timens_offsets. */
  offsetsText(): string {
    return offsetLine("monotonic", this.monotonicNs) + offsetLine("boottime", this.boottimeNs);
  }

  /**
   * Writes /proc/PID/timens_offsets: the bytes taken, or -errno. `nowNs`: the first namespace's
   * clock.
   */
  writeOffsets(text: string, writer: Credentials, nowNs: number): number {
    const { owner } = this;
    if (owner === null || !hasCapIn(writer, owner, CAP_SYS_TIME)) return -EPERM;
    if (this.isFrozen) return -EACCES;
    let { monotonicNs, boottimeNs } = this;
    for (const row of text.replace(/\0.*$/s, "").split("\n")) {
      if (row.trim() === "") continue;
      const match = /^\s*(\w+)\s+(-?\d+)\s+(\d+)\s*$/.exec(row);
      if (match === null) return -EINVAL;
      const [, clock, sec, nsec] = match;
      const isMonotonic = clock === "monotonic" || clock === String(CLOCK_MONOTONIC);
      const isBoottime = clock === "boottime" || clock === String(CLOCK_BOOTTIME);
      if (!isMonotonic && !isBoottime) return -EINVAL;
      const seconds = Number(sec), fraction = Number(nsec);
      if (fraction > 999_999_999) return -EINVAL;
      const ns = seconds * 1e9 + fraction;
      if (!isInRange(seconds * 1e9, nowNs)) return -ERANGE;
      if (isMonotonic) monotonicNs = ns;
      else boottimeNs = ns;
    }
    this.monotonicNs = monotonicNs;
    this.boottimeNs = boottimeNs;
    return text.length;
  }
}

function isInRange(offsetNs: number, nowNs: number): boolean {
  const then = (nowNs + offsetNs) / 1e9;
  return then >= 0 && then <= MAX_SECONDS;
}

function offsetLine(clock: string, ns: number): string {
  const sec = Math.floor(ns / 1e9), nsec = ns - sec * 1e9;
  return `${clock.padEnd(10)} ${String(sec).padStart(10)} ${String(nsec).padStart(9)}\n`;
}
