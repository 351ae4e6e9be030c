/** Algebra of capability sets: two u32 words each, bits that Linux does not know are left out. */

import { ALL_CAPS, CAP_LAST_CAP, type CapSet } from "./credentials.ts";

/** A set from two words that a user gave. */
export function capSet(lo: number, hi: number): CapSet {
  return { lo: lo >>> 0, hi: (hi & ALL_CAPS.hi) >>> 0 };
}

export function union(a: CapSet, b: CapSet): CapSet {
  return { lo: (a.lo | b.lo) >>> 0, hi: (a.hi | b.hi) >>> 0 };
}

export function intersection(a: CapSet, b: CapSet): CapSet {
  return { lo: (a.lo & b.lo) >>> 0, hi: (a.hi & b.hi) >>> 0 };
}

export function difference(a: CapSet, b: CapSet): CapSet {
  return { lo: (a.lo & ~b.lo) >>> 0, hi: (a.hi & ~b.hi) >>> 0 };
}

export function isSubset(a: CapSet, of: CapSet): boolean {
  return ((a.lo & ~of.lo) | (a.hi & ~of.hi)) === 0;
}

/** The set of one capability. */
export function only(cap: number): CapSet {
  return cap < 32 ? { lo: (1 << cap) >>> 0, hi: 0 } : { lo: 0, hi: 1 << (cap - 32) };
}

export function isKnownCap(cap: number): boolean {
  return cap >= 0 && cap <= CAP_LAST_CAP;
}
