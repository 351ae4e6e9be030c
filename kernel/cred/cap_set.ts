/** Operations on capability sets: two u32 words each, without bits that Linux does not know. */

import { CAP_LAST_CAP } from "../../ffi/abi/capability.ts";
import { ALL_CAPS, type CapSet } from "./credentials.ts";

/** A set from two words of a caller. */
export function capSet(lo: number, hi: number): CapSet {
  return { lo: lo >>> 0, hi: (hi & ALL_CAPS.hi) >>> 0 };
}

/** Capabilities that are in `a` or in `b`. */
export function union(a: CapSet, b: CapSet): CapSet {
  return { lo: (a.lo | b.lo) >>> 0, hi: (a.hi | b.hi) >>> 0 };
}

/** Capabilities that are in both sets. */
export function intersection(a: CapSet, b: CapSet): CapSet {
  return { lo: (a.lo & b.lo) >>> 0, hi: (a.hi & b.hi) >>> 0 };
}

/** Capabilities of `a` that are not in `b`. */
export function difference(a: CapSet, b: CapSet): CapSet {
  return { lo: (a.lo & ~b.lo) >>> 0, hi: (a.hi & ~b.hi) >>> 0 };
}

/** Whether all capabilities of `a` are in `of`. */
export function isSubset(a: CapSet, of: CapSet): boolean {
  return ((a.lo & ~of.lo) | (a.hi & ~of.hi)) === 0;
}

/** The set with one capability. */
export function singleCap(cap: number): CapSet {
  return cap < 32 ? { lo: (1 << cap) >>> 0, hi: 0 } : { lo: 0, hi: 1 << (cap - 32) };
}

/** Whether the number is a capability of Linux. */
export function isKnownCap(cap: number): boolean {
  return cap >= 0 && cap <= CAP_LAST_CAP;
}
