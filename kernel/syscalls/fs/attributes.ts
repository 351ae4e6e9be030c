/**
 * Calls that query or change attributes by path or descriptor: access(2), chmod(2), chown(2),
 * utimensat(2), truncate(2) and their variants. This file decodes arguments; vfs/attributes.ts has
 * the rules.
 */

import { SIGXFSZ } from "../../../ffi/abi/signal.ts";
import { SI_USER } from "../../../ffi/abi/siginfo.ts";
import { RLIMIT_FSIZE } from "../../../ffi/abi/resource.ts";
import { EBADF, EFAULT, EFBIG, EINVAL, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { UTIME_OMIT } from "../../../ffi/abi/stat.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import { mayChangeGid, mayChangeUid, ownsOrCapable } from "../../cred/permission.ts";
import { SigInfo } from "../../signal/pending.ts";
import { sendToTask } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import {
  chmodAt,
  chmodPath,
  chownAt,
  chownPath,
  type FileTimes,
  setTimes,
  truncateAt,
  utimensAt,
} from "../../vfs/attributes.ts";
import { ATTR_GID, ATTR_MODE, ATTR_UID, emptyAttrChange, type Inode } from "../../vfs/inode.ts";
import { accessAt } from "../../vfs/status.ts";
import { pathArg, pathOrEmpty } from "./arguments.ts";

const PATH_FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

export function sysAccess(t: Task, a: SyscallArgs): number {
  return checkAccess(t, AT_FDCWD, a.u64(0), a.i32(1), 0);
}
export function sysFaccessat(t: Task, a: SyscallArgs): number {
  return checkAccess(t, a.i32(0), a.u64(1), a.i32(2), 0);
}
export function sysFaccessat2(t: Task, a: SyscallArgs): number {
  return checkAccess(t, a.i32(0), a.u64(1), a.i32(2), a.i32(3));
}
function checkAccess(t: Task, dirfd: number, addr: number, mode: number, flags: number): number {
  const path = pathWith(t, addr, flags);
  return typeof path === "number" ? path : accessAt(t, dirfd, path, mode, flags);
}

function pathWith(t: Task, addr: number, flags: number): string | number {
  return (flags & AT_EMPTY_PATH) !== 0 ? pathOrEmpty(t, addr) : pathArg(t, addr);
}

export function sysChmod(t: Task, a: SyscallArgs): number {
  return chmod(t, AT_FDCWD, a.u64(0), a.u32(1), 0);
}
export function sysFchmodat(t: Task, a: SyscallArgs): number {
  return chmod(t, a.i32(0), a.u64(1), a.u32(2), 0);
}
export function sysFchmodat2(t: Task, a: SyscallArgs): number {
  const flags = a.i32(3);
  if ((flags & ~PATH_FLAGS) !== 0) return -EINVAL;
  return chmod(t, a.i32(0), a.u64(1), a.u32(2), flags);
}
function chmod(t: Task, dirfd: number, addr: number, mode: number, flags: number): number {
  const path = pathWith(t, addr, flags);
  return typeof path === "number" ? path : chmodAt(t, dirfd, path, mode, flags);
}

export function sysFchmod(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if (file.path !== null) return chmodPath(t, file.path, a.u32(1));
  return chmodUnnamed(t, file.inode, a.u32(1));
}

/**
 * Pipes and sockets have an owner and a mode too. Files that stand for a process refuse every
 * caller, also one with no rights.
 */
function chmodUnnamed(t: Task, inode: Inode, mode: number): number {
  if (inode.fs.type === "pidfs") return -EOPNOTSUPP;
  if (!ownsOrCapable(inode, t.cred)) return -EPERM;
  const change = emptyAttrChange();
  change.valid = ATTR_MODE;
  change.mode = (inode.mode & ~0o7777) | (mode & 0o7777);
  return inode.setattr(change, t.cred);
}

export function sysChown(t: Task, a: SyscallArgs): number {
  return chown(t, AT_FDCWD, a.u64(0), a.u32(1), a.u32(2), 0);
}
export function sysLchown(t: Task, a: SyscallArgs): number {
  return chown(t, AT_FDCWD, a.u64(0), a.u32(1), a.u32(2), AT_SYMLINK_NOFOLLOW);
}
export function sysFchownat(t: Task, a: SyscallArgs): number {
  const flags = a.i32(4);
  if ((flags & ~PATH_FLAGS) !== 0) return -EINVAL;
  return chown(t, a.i32(0), a.u64(1), a.u32(2), a.u32(3), flags);
}
function chown(
  t: Task,
  dirfd: number,
  addr: number,
  uid: number,
  gid: number,
  flags: number,
): number {
  const path = pathWith(t, addr, flags);
  return typeof path === "number" ? path : chownAt(t, dirfd, path, uid, gid, flags);
}

export function sysFchown(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0)), { userNs } = t.cred;
  if (file === null) return -EBADF;
  if (file.path !== null) return chownPath(t, file.path, a.u32(1), a.u32(2));
  const uid = a.u32(1) === NO_ID ? NO_ID : userNs.kernelUid(a.u32(1));
  const gid = a.u32(2) === NO_ID ? NO_ID : userNs.kernelGid(a.u32(2));
  if ((uid === NO_ID && a.u32(1) !== NO_ID) || (gid === NO_ID && a.u32(2) !== NO_ID)) {
    return -EINVAL;
  }
  const change = emptyAttrChange(), inode = file.inode;
  if (inode.fs.type === "pidfs") return -EOPNOTSUPP;
  if (uid !== NO_ID) {
    if (!mayChangeUid(inode, uid, t.cred)) return -EPERM;
    change.valid |= ATTR_UID;
    change.uid = uid;
  }
  if (gid !== NO_ID) {
    if (!mayChangeGid(inode, gid, t.cred)) return -EPERM;
    change.valid |= ATTR_GID;
    change.gid = gid;
  }
  return inode.setattr(change, t.cred);
}

/** Times of the running call; read and used at once. */
const given: FileTimes = { atimeSec: 0, atimeNsec: 0, mtimeSec: 0, mtimeNsec: 0 };

/**
 * Reads two { seconds, fraction } pairs into `given`, the fraction in us or ns: 0, -EFAULT, or
 * -EINVAL for a fraction of a second or more.
 */
function timesIn(t: Task, addr: number, isMicro: boolean): number {
  const s = t.kernel.scratch;
  if (t.mm.copyIn(s.u8, 0, addr, 32) < 0) return -EFAULT;
  const aSub = i64At(s.dv, 8), mSub = i64At(s.dv, 24);
  if (isMicro && (aSub < 0 || aSub >= 1e6 || mSub < 0 || mSub >= 1e6)) return -EINVAL;
  const unit = isMicro ? 1000 : 1;
  given.atimeSec = i64At(s.dv, 0);
  given.atimeNsec = aSub * unit;
  given.mtimeSec = i64At(s.dv, 16);
  given.mtimeNsec = mSub * unit;
  return 0;
}

function i64At(dv: DataView, at: number): number {
  return dv.getUint32(at, true) + dv.getInt32(at + 4, true) * 0x100000000;
}

/** utimensat(2). A null path means the descriptor itself. */
export function sysUtimensat(t: Task, a: SyscallArgs): number {
  const dirfd = a.i32(0), pathAddr = a.u64(1), timesAddr = a.u64(2), flags = a.i32(3);
  if (timesAddr !== 0) {
    const r = timesIn(t, timesAddr, false);
    if (r < 0) return r;
    if (given.atimeNsec === UTIME_OMIT && given.mtimeNsec === UTIME_OMIT) return 0;
  }
  const times = timesAddr === 0 ? null : given;
  if (pathAddr === 0 && dirfd !== AT_FDCWD) {
    if (flags !== 0) return -EINVAL;
    return setFileTimes(t, dirfd, times);
  }
  if ((flags & ~PATH_FLAGS) !== 0) return -EINVAL;
  const path = pathWith(t, pathAddr, flags);
  return typeof path === "number" ? path : utimensAt(t, dirfd, path, times, flags);
}

function setFileTimes(t: Task, fd: number, times: FileTimes | null): number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return file.path === null ? 0 : setTimes(t, file.path, times);
}

export function sysUtimes(t: Task, a: SyscallArgs): number {
  return utimes(t, AT_FDCWD, a.u64(0), a.u64(1));
}
export function sysFutimesat(t: Task, a: SyscallArgs): number {
  return utimes(t, a.i32(0), a.u64(1), a.u64(2));
}
function utimes(t: Task, dirfd: number, pathAddr: number, timesAddr: number): number {
  if (timesAddr !== 0) {
    const r = timesIn(t, timesAddr, true);
    if (r < 0) return r;
  }
  const times = timesAddr === 0 ? null : given;
  if (pathAddr === 0 && dirfd !== AT_FDCWD) return setFileTimes(t, dirfd, times);
  const path = pathArg(t, pathAddr);
  return typeof path === "number" ? path : utimensAt(t, dirfd, path, times, 0);
}

export function sysUtime(t: Task, a: SyscallArgs): number {
  const addr = a.u64(1);
  if (addr !== 0) {
    const s = t.kernel.scratch;
    if (t.mm.copyIn(s.u8, 0, addr, 16) < 0) return -EFAULT;
    given.atimeSec = i64At(s.dv, 0);
    given.mtimeSec = i64At(s.dv, 8);
    given.atimeNsec = given.mtimeNsec = 0;
  }
  const path = pathArg(t, a.u64(0));
  if (typeof path === "number") return path;
  return utimensAt(t, AT_FDCWD, path, addr === 0 ? null : given, 0);
}

export function sysTruncate(t: Task, a: SyscallArgs): number {
  const size = a.i64(1);
  if (size < 0) return -EINVAL;
  const path = pathArg(t, a.u64(0));
  if (typeof path === "number") return path;
  if (size > t.group.limits.get(RLIMIT_FSIZE)) {
    sendToTask(t, new SigInfo(SIGXFSZ, SI_USER));
    return -EFBIG;
  }
  return truncateAt(t, AT_FDCWD, path, size);
}
