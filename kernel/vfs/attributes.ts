/**
 * Changes of what stat(2) shows: chmod(2), chown(2), truncate(2), utimensat(2), with their
 * permission rules. The functions take a path or open file that the caller has found (`findAt` of
 * status.ts); those named `*At` look it up. kernel/syscalls/fs/attributes.ts calls them.
 */

import { EACCES, EINVAL, EISDIR, EOPNOTSUPP, EPERM, ETXTBSY } from "../../ffi/abi/errno.ts";
import { O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { FS_APPEND_FL, FS_IMMUTABLE_FL } from "../../ffi/abi/fs.ts";
import { IN_ACCESS, IN_ATTRIB, IN_MODIFY } from "../../ffi/abi/inotify.ts";
import { LANDLOCK_ACCESS_FS_TRUNCATE } from "../../ffi/abi/landlock.ts";
import { S_ISGID, S_ISUID, UTIME_NOW, UTIME_OMIT } from "../../ffi/abi/stat.ts";
import {
  MAY_WRITE,
  mayChangeGid,
  mayChangeUid,
  mayKeepSetgid,
  modeAfterWrite,
  ownsOrCapable,
  withoutSetid,
} from "../cred/permission.ts";
import { NO_ID } from "../cred/user_namespace.ts";
import {
  inodePermission,
  isDirectory,
  isProtected,
  isRegular,
  isSymlink,
  wantWrite,
} from "./access.ts";
import type { Caller } from "./caller.ts";
import { Path } from "./dentry.ts";
import {
  ATTR_ATIME,
  ATTR_ATIME_SET,
  ATTR_CTIME,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_MTIME_SET,
  ATTR_SIZE,
  ATTR_UID,
  emptyAttrChange,
  type Inode,
} from "./inode.ts";
import { mayDo } from "../landlock/file_access.ts";
import { breakLeases } from "./leases.ts";
import { notify } from "./notify.ts";
import type { OpenFile } from "./open_file.ts";
import { findAt } from "./status.ts";

/** chmod(2): sets the permission bits of `mode`. -EROFS, -EPERM, or the file system's error. */
export function chmodPath(caller: Caller, path: Path, mode: number): number {
  const inode = path.dentry.inode!;
  let r = wantWrite(path.mount);
  if (r < 0) return r;
  if (isSymlink(inode)) return -EOPNOTSUPP;
  if (isProtected(inode) || !ownsOrCapable(inode, caller.cred)) return -EPERM;
  const change = emptyAttrChange();
  change.valid = ATTR_MODE | ATTR_CTIME;
  change.mode = (inode.mode & ~0o7777) | (mode & 0o7777);
  if (!mayKeepSetgid(inode, caller.cred)) change.mode &= ~S_ISGID;
  r = inode.setattr(change, caller.cred);
  if (r === 0) notify(null, path.dentry, IN_ATTRIB);
  return r;
}

/** chown(2): ids of the caller's user namespace; -1 (or 2^32 - 1) leaves an id as it is. */
export function chownPath(caller: Caller, path: Path, uid: number, gid: number): number {
  const inode = path.dentry.inode!, cred = caller.cred;
  let r = wantWrite(path.mount);
  if (r < 0) return r;
  const change = emptyAttrChange();
  change.valid = ATTR_CTIME;
  if (isGiven(uid)) {
    change.valid |= ATTR_UID;
    change.uid = cred.userNs.kernelUid(uid >>> 0);
    if (change.uid === NO_ID) return -EINVAL;
  }
  if (isGiven(gid)) {
    change.valid |= ATTR_GID;
    change.gid = cred.userNs.kernelGid(gid >>> 0);
    if (change.gid === NO_ID) return -EINVAL;
  }
  if ((isGiven(uid) || isGiven(gid)) && isProtected(inode)) return -EPERM;
  if (isGiven(uid) && !mayChangeUid(inode, change.uid, cred)) return -EPERM;
  if (isGiven(gid) && !mayChangeGid(inode, change.gid, cred)) return -EPERM;
  if (!isDirectory(inode)) {
    const mode = withoutSetid(inode, cred);
    if (mode !== inode.mode) {
      if (!ownsOrCapable(inode, cred)) return -EPERM;
      change.valid |= ATTR_MODE;
      change.mode = mode;
    }
  }
  r = inode.setattr(change, cred);
  if (r < 0) return r;
  if (isRegular(inode)) inode.dropCapabilities();
  notifyChange(path, change.valid);
  return 0;
}

function isGiven(id: number): boolean {
  return id !== -1 && id !== 0xffffffff;
}

/**
 * do_truncate: sets the size of a regular file and clears its set-ID bits. The permission was
 * checked.
 */
export function truncateInode(caller: Caller, inode: Inode, size: number): number {
  const change = emptyAttrChange();
  change.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME;
  change.size = size;
  const mode = modeAfterWrite(inode, caller.cred);
  if (mode !== inode.mode) {
    change.valid |= ATTR_MODE;
    change.mode = mode;
  }
  const r = inode.setattr(change, caller.cred);
  if (r === 0 && inode.hasCapabilities) inode.dropCapabilities();
  return r;
}

/**
 * Whether a write to the inode takes set-ID bits or capabilities away: then `removePrivileges` is
 * due. HOT
 */
export function hasPrivileges(inode: Inode): boolean {
  return (inode.mode & (S_ISUID | S_ISGID)) !== 0 || inode.hasCapabilities;
}

/**
 * file_remove_privs: `caller` writes to `file`, which loses its capabilities, and its set-ID bits
 * unless the caller (not the opener) has CAP_FSETID. Every call that writes runs this when
 * `hasPrivileges`.
 */
export function removePrivileges(caller: Caller, file: OpenFile): number {
  const inode = file.inode;
  if (!isRegular(inode)) return 0;
  if (inode.hasCapabilities) inode.dropCapabilities();
  const change = emptyAttrChange();
  change.mode = modeAfterWrite(inode, caller.cred);
  if (change.mode === inode.mode) return 0;
  change.valid = ATTR_MODE | ATTR_CTIME;
  return inode.setattr(change, caller.cred);
}

/** truncate(2). The caller checks RLIMIT_FSIZE. */
function truncatePath(caller: Caller, path: Path, size: number): number {
  const inode = path.dentry.inode!;
  if (size < 0) return -EINVAL;
  if (isDirectory(inode)) return -EISDIR;
  if (!isRegular(inode)) return -EINVAL;
  let r = wantWrite(path.mount);
  if (r < 0) return r;
  r = inodePermission(inode, MAY_WRITE, caller.cred);
  if (r < 0) return r;
  if ((inode.fileFlags & FS_APPEND_FL) !== 0) return -EPERM;
  if (inode.writeCount < 0) return -ETXTBSY;
  r = breakLeases(caller, inode, O_WRONLY);
  if (r < 0) return r;
  r = mayDo(caller.cred.domain, path.mount, path.dentry, LANDLOCK_ACCESS_FS_TRUNCATE);
  if (r < 0) return r;
  r = truncateInode(caller, inode, size);
  if (r === 0) notify(null, path.dentry, IN_MODIFY);
  return r;
}

/** ftruncate(2): -EINVAL when the file is not regular or not open for writing. */
export function truncateFile(caller: Caller, file: OpenFile, size: number): number {
  if (size < 0 || !file.canWrite || !isRegular(file.inode)) return -EINVAL;
  if ((file.inode.fileFlags & FS_APPEND_FL) !== 0) return -EPERM;
  if ((file.deniedLater & LANDLOCK_ACCESS_FS_TRUNCATE) !== 0) return -EACCES;
  const mode = modeAfterWrite(file.inode, caller.cred);
  const r = mode === file.inode.mode && !file.inode.hasCapabilities
    ? file.truncate(size)
    : truncateInode(caller, file.inode, size);
  if (r === 0 && file.path !== null) notify(null, file.path.dentry, IN_MODIFY);
  return r;
}

/** Two timestamps of utimensat(2); nsec may be UTIME_NOW or UTIME_OMIT. */
export interface FileTimes {
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
}

function isValidNsec(nsec: number): boolean {
  return (nsec >= 0 && nsec < 1e9) || nsec === UTIME_NOW || nsec === UTIME_OMIT;
}

/** utimensat(2) after the lookup; null sets both times to now. */
export function setTimes(caller: Caller, path: Path, times: FileTimes | null): number {
  const inode = path.dentry.inode!, cred = caller.cred;
  let t = times;
  if (t !== null) {
    if (!isValidNsec(t.atimeNsec) || !isValidNsec(t.mtimeNsec)) return -EINVAL;
    if (t.atimeNsec === UTIME_OMIT && t.mtimeNsec === UTIME_OMIT) return 0;
    if (t.atimeNsec === UTIME_NOW && t.mtimeNsec === UTIME_NOW) t = null;
  }
  let r = wantWrite(path.mount);
  if (r < 0) return r;
  const change = emptyAttrChange();
  change.valid = ATTR_CTIME | ATTR_ATIME | ATTR_MTIME;
  const forbidden = t === null ? FS_IMMUTABLE_FL : FS_IMMUTABLE_FL | FS_APPEND_FL;
  if ((inode.fileFlags & forbidden) !== 0) return -EPERM;
  if (t === null) {
    if (!ownsOrCapable(inode, cred)) {
      r = inodePermission(inode, MAY_WRITE, cred);
      if (r < 0) return r;
    }
  } else {
    if (!ownsOrCapable(inode, cred)) return -EPERM;
    if (t.atimeNsec === UTIME_OMIT) change.valid &= ~ATTR_ATIME;
    else if (t.atimeNsec !== UTIME_NOW) change.valid |= ATTR_ATIME_SET;
    if (t.mtimeNsec === UTIME_OMIT) change.valid &= ~ATTR_MTIME;
    else if (t.mtimeNsec !== UTIME_NOW) change.valid |= ATTR_MTIME_SET;
    change.atimeSec = t.atimeSec;
    change.atimeNsec = t.atimeNsec;
    change.mtimeSec = t.mtimeSec;
    change.mtimeNsec = t.mtimeNsec;
  }
  r = inode.setattr(change, cred);
  if (r === 0) notifyChange(path, change.valid);
  return r;
}

/**
 * Reports changed attributes to watches (fsnotify_change): a change of one time alone is reported
 * as an access or a modification.
 */
function notifyChange(path: Path, valid: number): void {
  const times = valid & (ATTR_ATIME | ATTR_MTIME);
  let mask = (valid & (ATTR_UID | ATTR_GID | ATTR_MODE)) !== 0 ? IN_ATTRIB : 0;
  if (times === ATTR_ATIME) mask |= IN_ACCESS;
  else if (times === ATTR_MTIME) mask |= IN_MODIFY;
  else if (times !== 0) mask |= IN_ATTRIB;
  if (mask !== 0) notify(null, path.dentry, mask);
}

/** chmod(2), fchmodat(2) by path. */
export function chmodAt(
  caller: Caller,
  dirfd: number,
  text: string,
  mode: number,
  flags: number,
): number {
  const path = findAt(caller, dirfd, text, flags);
  return typeof path === "number" ? path : chmodPath(caller, path, mode);
}

/** chown(2), lchown(2), fchownat(2) by path. */
export function chownAt(
  caller: Caller,
  dirfd: number,
  text: string,
  uid: number,
  gid: number,
  flags: number,
): number {
  const path = findAt(caller, dirfd, text, flags);
  return typeof path === "number" ? path : chownPath(caller, path, uid, gid);
}

export function truncateAt(caller: Caller, dirfd: number, text: string, size: number): number {
  if (size < 0) return -EINVAL;
  const path = findAt(caller, dirfd, text, 0);
  return typeof path === "number" ? path : truncatePath(caller, path, size);
}

export function utimensAt(
  caller: Caller,
  dirfd: number,
  text: string,
  times: FileTimes | null,
  flags: number,
): number {
  const path = findAt(caller, dirfd, text, flags);
  return typeof path === "number" ? path : setTimes(caller, path, times);
}
