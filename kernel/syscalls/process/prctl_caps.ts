/** The operations of prctl(2) on capabilities: bounding and ambient sets, securebits. */

import {
  CAP_SETPCAP,
  SECBIT_KEEP_CAPS,
  SECBIT_KEEP_CAPS_LOCKED,
  SECBIT_NO_CAP_AMBIENT_RAISE,
} from "../../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import {
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_LOWER,
  PR_CAP_AMBIENT_RAISE,
} from "../../../ffi/abi/prctl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { difference, isKnownCap, singleCap, union } from "../../cred/cap_set.ts";
import { hasBit, hasOwnCap, NO_CAPS } from "../../cred/credentials.ts";
import type { Task } from "../../task/task.ts";

/** All securebits, and the lock bits, each of which locks the bit to its right. */
const ALL_BITS = 0xff, LOCK_BITS = 0xaa;

export function setKeepCaps(t: Task, value: number): number {
  if (value > 1) return -EINVAL;
  const { cred } = t;
  if ((cred.securebits & SECBIT_KEEP_CAPS_LOCKED) !== 0) return -EPERM;
  const securebits = value === 1
    ? cred.securebits | SECBIT_KEEP_CAPS
    : cred.securebits & ~SECBIT_KEEP_CAPS;
  t.cred = { ...cred, securebits };
  return 0;
}

/** PR_SET_SECUREBITS: locked bits cannot change, and locks cannot be removed. */
export function setSecurebits(t: Task, value: number): number {
  const old = t.cred.securebits, locked = (old & LOCK_BITS) >> 1;
  const isRefused =
    ((locked & (old ^ value)) | (old & LOCK_BITS & ~value) | (value & ~ALL_BITS)) !==
      0;
  if (isRefused || value > ALL_BITS || !hasOwnCap(t.cred, CAP_SETPCAP)) return -EPERM;
  t.cred = { ...t.cred, securebits: value };
  return 0;
}

export function isBounding(t: Task, cap: number): number {
  if (!isKnownCap(cap)) return -EINVAL;
  return hasBit(t.cred.bounding, cap) ? 1 : 0;
}

export function dropBounding(t: Task, cap: number): number {
  if (!hasOwnCap(t.cred, CAP_SETPCAP)) return -EPERM;
  if (!isKnownCap(cap)) return -EINVAL;
  t.cred = { ...t.cred, bounding: difference(t.cred.bounding, singleCap(cap)) };
  return 0;
}

export function changeAmbient(t: Task, a: SyscallArgs): number {
  const op = a.u64(1), cap = a.u64(2), { cred } = t;
  if (op === PR_CAP_AMBIENT_CLEAR_ALL) {
    if (cap !== 0 || a.u64(3) !== 0 || a.u64(4) !== 0) return -EINVAL;
    t.cred = { ...cred, ambient: NO_CAPS };
    return 0;
  }
  if (a.u64(3) !== 0 || a.u64(4) !== 0 || !isKnownCap(cap)) return -EINVAL;
  switch (op) {
    case PR_CAP_AMBIENT_IS_SET:
      return hasBit(cred.ambient, cap) ? 1 : 0;
    case PR_CAP_AMBIENT_LOWER:
      t.cred = { ...cred, ambient: difference(cred.ambient, singleCap(cap)) };
      return 0;
    case PR_CAP_AMBIENT_RAISE:
      if (!hasBit(cred.permitted, cap) || !hasBit(cred.inheritable, cap)) return -EPERM;
      if ((cred.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) !== 0) return -EPERM;
      t.cred = { ...cred, ambient: union(cred.ambient, singleCap(cap)) };
      return 0;
    default:
      return -EINVAL;
  }
}
