/**
 * Discretionary access: whether credentials may read, write or search a file with this owner and
 * mode (path_resolution(7), "Permissions"; capabilities(7)). Pure functions of owner, mode and
 * credentials.
 *
 * vfs/access.ts builds on them: read-only mounts, ACLs, sticky directories.
 */

import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
} from "../../ffi/abi/capability.ts";
import { EACCES } from "../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT, S_ISGID, S_ISUID, S_IXGRP } from "../../ffi/abi/stat.ts";
import { type Credentials, hasCap, hasOwnCap, inGroup, NO_CAPS } from "./credentials.ts";

/** The requested access: the bits of access(2) and of one permission triplet. */
export const MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4;

/** SECBIT_NO_SETUID_FIXUP of capabilities(7). */
const NO_SETUID_FIXUP = 4;

/** An object with an owner and a mode, as inodes are. */
export interface Owned {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The permission triplet that applies to `cred`, without capabilities. */
function triplet(file: Owned, cred: Credentials): number {
  if (file.uid === cred.fsuid) return (file.mode >> 6) & 7;
  // Group and others have equal bits: the groups need no search.
  if (((file.mode >> 3) & 7) === (file.mode & 7)) return file.mode & 7;
  return inGroup(cred, file.gid) ? (file.mode >> 3) & 7 : file.mode & 7;
}

/** Whether `cred` may do all of `mask` (MAY_*): 0 or -EACCES. HOT */
export function checkAccess(file: Owned, mask: number, cred: Credentials): number {
  if ((mask & ~triplet(file, cred)) === 0) return 0;
  return checkCapabilities(file, mask, cred);
}

/**
 * A capability over a file: it counts when the file's owner and group are mapped in the task's user
 * namespace (capable_wrt_inode_uidgid of Linux).
 */
export function hasCapOver(file: Owned, cred: Credentials, cap: number): boolean {
  const { userNs } = cred;
  return hasOwnCap(cred, cap) && userNs.hasUid(file.uid) && userNs.hasGid(file.gid);
}

/** The second part of `checkAccess`, after the mode: what CAP_DAC_* allows. */
export function checkCapabilities(file: Owned, mask: number, cred: Credentials): number {
  if ((file.mode & S_IFMT) === S_IFDIR) {
    if ((mask & MAY_WRITE) === 0 && hasCapOver(file, cred, CAP_DAC_READ_SEARCH)) return 0;
    return hasCapOver(file, cred, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if (mask === MAY_READ && hasCapOver(file, cred, CAP_DAC_READ_SEARCH)) return 0;
  if ((mask & MAY_EXEC) === 0 || (file.mode & 0o111) !== 0) {
    if (hasCapOver(file, cred, CAP_DAC_OVERRIDE)) return 0;
  }
  return -EACCES;
}

/** Whether `cred` owns the file or has CAP_FOWNER over it. */
export function ownsOrCapable(file: Owned, cred: Credentials): boolean {
  return file.uid === cred.fsuid ||
    (hasOwnCap(cred, CAP_FOWNER) && cred.userNs.hasUid(file.uid));
}

/** Whether the owner may be changed to `uid`: chown(2). */
export function mayChangeUid(file: Owned, uid: number, cred: Credentials): boolean {
  return (cred.fsuid === file.uid && uid === file.uid) ||
    hasCapOver(file, cred, CAP_CHOWN);
}

/** Whether the group may be changed to `gid`: chown(2). */
export function mayChangeGid(file: Owned, gid: number, cred: Credentials): boolean {
  if (cred.fsuid === file.uid && (gid === file.gid || inGroup(cred, gid))) return true;
  return hasCapOver(file, cred, CAP_CHOWN);
}

/** Whether `victim` in `dir` may be removed or renamed if `dir` is sticky: unlink(2) EPERM. */
export function stickyAllows(dir: Owned, victim: Owned, cred: Credentials): boolean {
  if ((dir.mode & 0o1000) === 0) return true;
  return victim.uid === cred.fsuid || dir.uid === cred.fsuid ||
    hasCapOver(victim, cred, CAP_FOWNER);
}

/** Whether `cred` may keep the set-group-ID bit of `file`. */
export function mayKeepSetgid(file: Owned, cred: Credentials): boolean {
  return inGroup(cred, file.gid) || hasCapOver(file, cred, CAP_FSETID);
}

/**
 * The mode without the set-ID bits that a change of owner or a write clears: chown(2), write(2).
 */
export function withoutSetid(file: Owned, cred: Credentials): number {
  let mode = file.mode & ~S_ISUID;
  if ((mode & S_ISGID) !== 0) {
    if ((mode & S_IXGRP) !== 0 || !mayKeepSetgid(file, cred)) mode &= ~S_ISGID;
  }
  return mode;
}

/** The mode after a write or truncation by `cred`: set-ID bits are cleared without CAP_FSETID. */
export function modeAfterWrite(file: Owned, cred: Credentials): number {
  return hasCap(cred, CAP_FSETID) ? file.mode : withoutSetid(file, cred);
}

/** The credentials for access(2): with the real ids. */
export function realCredentials(cred: Credentials): Credentials {
  const effective = (cred.securebits & NO_SETUID_FIXUP) !== 0
    ? cred.effective
    : cred.uid === cred.userNs.kernelUid(0)
    ? cred.permitted
    : NO_CAPS;
  return { ...cred, fsuid: cred.uid, fsgid: cred.gid, effective };
}
