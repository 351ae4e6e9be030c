/**
 * The credentials of a task (credentials(7), capabilities(7)). An object is immutable once a task
 * uses it: a change makes a new one, so tasks can share it and open files keep their opener's.
 */

import type { Domain } from "../landlock/domain.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "./user_namespace.ts";

/** Capability sets are two u32 words: bits 0-31 and 32-40. */
export interface CapSet {
  readonly lo: number;
  readonly hi: number;
}

export const NO_CAPS: CapSet = { lo: 0, hi: 0 };
export const ALL_CAPS: CapSet = { lo: 0xffffffff, hi: 0x1ff };

/** Whether the set has capability `cap`. */
export function hasBit(set: CapSet, cap: number): boolean {
  return cap < 32 ? ((set.lo >>> cap) & 1) === 1 : ((set.hi >>> (cap - 32)) & 1) === 1;
}

export interface Credentials {
  /** The user namespace in which the capabilities count and which maps the ids for this task. */
  readonly userNs: UserNamespace;
  readonly uid: number;
  readonly gid: number;
  readonly euid: number;
  readonly egid: number;
  readonly suid: number;
  readonly sgid: number;
  readonly fsuid: number;
  readonly fsgid: number;
  /** Supplementary groups, sorted. */
  readonly groups: readonly number[];
  readonly effective: CapSet;
  readonly permitted: CapSet;
  readonly inheritable: CapSet;
  readonly bounding: CapSet;
  readonly ambient: CapSet;
  /** SECBIT_* of prctl(PR_SET_SECUREBITS). */
  readonly securebits: number;
  readonly noNewPrivs: boolean;
  /** The landlock(7) domain; null: no restriction. */
  readonly domain: Domain | null;
}

/** Lists of groups up to this length are searched from the start. */
const SHORT_LIST = 32;

/** Credentials of user 0 in the first user namespace, with all capabilities. */
export function rootCredentials(): Credentials {
  return userCredentials(0, 0, [], ALL_CAPS);
}

/** Credentials with all ids set to uid and gid; `caps` are permitted, effective and bounding. */
export function userCredentials(
  uid: number,
  gid: number,
  groups: readonly number[],
  caps: CapSet,
): Credentials {
  return {
    userNs: INITIAL_USER_NAMESPACE,
    uid,
    gid,
    euid: uid,
    egid: gid,
    suid: uid,
    sgid: gid,
    fsuid: uid,
    fsgid: gid,
    groups: groups.toSorted((a, b) => a - b),
    effective: caps,
    permitted: caps,
    inheritable: NO_CAPS,
    bounding: ALL_CAPS,
    ambient: NO_CAPS,
    securebits: 0,
    noNewPrivs: false,
    domain: null,
  };
}

/**
 * The capability in the initial user namespace, for what belongs to the whole system (`capable` of
 * Linux).
 */
export function hasCap(cred: Credentials, cap: number): boolean {
  return cred.userNs.isInitial && hasBit(cred.effective, cap);
}

/** The capability in the task's own user namespace. */
export function hasOwnCap(cred: Credentials, cap: number): boolean {
  return hasBit(cred.effective, cap);
}

/**
 * The capability in `ns` (`ns_capable` of Linux). The owner of a namespace has all capabilities in
 * it from the parent.
 */
export function hasCapIn(cred: Credentials, ns: UserNamespace, cap: number): boolean {
  const { userNs } = cred;
  for (let at: UserNamespace | null = ns; at !== null; at = at.parent) {
    if (at === userNs) return hasBit(cred.effective, cap);
    if (at.level <= userNs.level) return false;
    if (at.parent === userNs && at.ownerUid === cred.euid) return true;
  }
  return false;
}

/** Whether the file system gid or a supplementary group is `gid`, a kernel id. */
export function inGroup(cred: Credentials, gid: number): boolean {
  if (cred.fsgid === gid) return true;
  const { groups } = cred;
  return groups.length <= SHORT_LIST ? groups.includes(gid) : isInSorted(groups, gid);
}

/** Binary search: a path walk checks each component, and there may be 65,536 groups. */
function isInSorted(groups: readonly number[], gid: number): boolean {
  let from = 0;
  for (let to = groups.length; from < to;) {
    const middle = (from + to) >>> 1;
    if (groups[middle]! < gid) from = middle + 1;
    else to = middle;
  }
  return groups[from] === gid;
}
