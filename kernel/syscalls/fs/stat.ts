/** stat(2), fstat(2), lstat(2), newfstatat(2), statx(2), statfs(2). */

import { EBADF, EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_STATX_SYNC_TYPE,
  AT_SYMLINK_NOFOLLOW,
} from "../../../ffi/abi/fcntl.ts";
import {
  majorOf,
  minorOf,
  Stat,
  Statx,
  STATX__RESERVED,
  STATX_ATTR_APPEND,
  STATX_ATTR_AUTOMOUNT,
  STATX_ATTR_DAX,
  STATX_ATTR_IMMUTABLE,
  STATX_ATTR_MOUNT_ROOT,
  STATX_ATTR_NODUMP,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_MNT_ID,
  STATX_MNT_ID_UNIQUE,
  StatxTimestamp,
} from "../../../ffi/abi/stat.ts";
import { MNT_UNIQUE_ID_OFFSET } from "../../../ffi/abi/statmount.ts";
import { Statfs } from "../../../ffi/abi/statfs.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Scratch } from "../../task/kernel_services.ts";
import type { Task } from "../../task/task.ts";
import type { Mount } from "../../vfs/dentry.ts";
import { emptyStatFs, type FileSystem, type Inode } from "../../vfs/inode.ts";
import { statfsFlags } from "../../vfs/mount_info.ts";
import { firstWalk, LOOKUP_EMPTY, LOOKUP_FOLLOW } from "../../vfs/walk.ts";
import { pathArg, pathOrEmpty, scratchOut } from "./arguments.ts";

/** Flags of files whose statx bits are the same, and attributes that are always known. */
const FILE_FLAGS = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP;
const STATX_KNOWN = STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;

const STAT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
const TWO32 = 0x100000000;

/** HOT */
export function sysStat(t: Task, a: SyscallArgs): number {
  return statPath(t, AT_FDCWD, a.u64(0), a.u64(1), LOOKUP_FOLLOW);
}

export function sysLstat(t: Task, a: SyscallArgs): number {
  return statPath(t, AT_FDCWD, a.u64(0), a.u64(1), 0);
}

/** HOT */
export function sysFstat(t: Task, a: SyscallArgs): number {
  return statFd(t, a.i32(0), a.u64(1));
}

/** newfstatat(2), which is also glibc's fstat (empty path). HOT */
export function sysNewfstatat(t: Task, a: SyscallArgs): number {
  const flags = a.i32(3), dirfd = a.i32(0);
  if ((flags & ~STAT_FLAGS) !== 0) return -EINVAL;
  let lookup = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW;
  if ((flags & AT_EMPTY_PATH) !== 0) {
    const first = a.u64(1) === 0 ? 0 : t.mm.load8(a.u64(1));
    if (first < 0) return -EFAULT;
    if (first === 0 && dirfd >= 0) return statFd(t, dirfd, a.u64(2));
    lookup |= LOOKUP_EMPTY;
  }
  return statPath(t, dirfd, a.u64(1), a.u64(2), lookup);
}

function statFd(t: Task, fd: number, addr: number): number {
  const file = t.files.getAny(fd);
  return file === null ? -EBADF : putStat(t, file.inode, addr);
}

function statPath(t: Task, dirfd: number, pathAddr: number, addr: number, lookup: number): number {
  const path = (lookup & LOOKUP_EMPTY) === 0 ? pathArg(t, pathAddr) : pathOrEmpty(t, pathAddr);
  if (typeof path === "number") return path;
  const walk = firstWalk(t);
  const r = walk.run(t, dirfd, path, lookup);
  return r < 0 ? r : putStat(t, walk.inode, addr);
}

/** HOT */
function putStat(t: Task, inode: Inode, addr: number): number {
  const r = inode.refresh();
  if (r < 0) return r;
  const s = t.kernel.scratch, dv = s.dv, at = Stat.at, { userNs } = t.cred;
  u64(dv, at.dev, inode.dev);
  u64(dv, at.ino, inode.ino);
  u64(dv, at.nlink, inode.nlink);
  dv.setUint32(at.mode, inode.mode, true);
  dv.setUint32(at.uid, userNs.shownUid(inode.uid), true);
  dv.setUint32(at.gid, userNs.shownGid(inode.gid), true);
  dv.setUint32(at.pad0, 0, true);
  u64(dv, at.rdev, inode.rdev);
  u64(dv, at.size, inode.size);
  u64(dv, at.blksize, inode.blockSize);
  u64(dv, at.blocks, inode.blocks);
  i64(dv, at.atime, inode.atimeSec);
  u64(dv, at.atimeNsec, inode.atimeNsec);
  i64(dv, at.mtime, inode.mtimeSec);
  u64(dv, at.mtimeNsec, inode.mtimeNsec);
  i64(dv, at.ctime, inode.ctimeSec);
  u64(dv, at.ctimeNsec, inode.ctimeNsec);
  for (let i = 0; i < 24; i += 4) dv.setUint32(at.unused + i, 0, true);
  return scratchOut(t, addr, Stat.size);
}

function u64(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value, true);
  dv.setUint32(at + 4, value < TWO32 ? 0 : Math.floor(value / TWO32), true);
}

function i64(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value, true);
  dv.setInt32(at + 4, Math.floor(value / TWO32), true);
}

/** statx(2). DIFFERS: STATX_SUBVOL, DIOALIGN and the atomic-write fields are never filled. */
export function sysStatx(t: Task, a: SyscallArgs): number {
  const dirfd = a.i32(0), flags = a.u32(2), mask = a.u32(3), out = a.u64(4);
  if ((mask & STATX__RESERVED) !== 0) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  if ((flags & ~STAT_FLAGS) !== 0) return -EINVAL;
  const isEmptyOk = (flags & AT_EMPTY_PATH) !== 0;
  const path = isEmptyOk ? pathOrEmpty(t, a.u64(1)) : pathArg(t, a.u64(1));
  if (typeof path === "number") return path;
  if (path.length === 0 && isEmptyOk && dirfd >= 0) {
    const file = t.files.getAny(dirfd);
    if (file === null) return -EBADF;
    const at = file.path;
    const isRoot = at !== null && at.dentry === at.mount.root;
    return putStatx(t, file.inode, at === null ? null : at.mount, isRoot, mask, out);
  }
  let lookup = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW;
  if (isEmptyOk) lookup |= LOOKUP_EMPTY;
  const walk = firstWalk(t);
  const r = walk.run(t, dirfd, path, lookup);
  if (r < 0) return r;
  return putStatx(t, walk.inode, walk.mount, walk.dentry === walk.mount.root, mask, out);
}

function putStatx(
  t: Task,
  inode: Inode,
  mount: Mount | null,
  isMountRoot: boolean,
  mask: number,
  addr: number,
): number {
  const r = inode.refresh();
  if (r < 0) return r;
  const s = t.kernel.scratch, dv = s.dv, at = Statx.at, { userNs } = t.cred;
  s.clear(Statx.size);
  const unique = (mask & STATX_MNT_ID_UNIQUE) !== 0 ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID;
  const birth = inode.btimeSec !== 0 || inode.btimeNsec !== 0 ? STATX_BTIME : 0;
  dv.setUint32(at.mask, STATX_BASIC_STATS | birth | unique, true);
  dv.setUint32(at.blksize, inode.blockSize, true);
  const known = inode.hasFileFlags ? FILE_FLAGS : 0, flags = inode.fileFlags & known;
  dv.setUint32(at.attributes, isMountRoot ? flags | STATX_ATTR_MOUNT_ROOT : flags, true);
  dv.setUint32(at.attributesMask, known | STATX_KNOWN, true);
  dv.setUint32(at.nlink, inode.nlink, true);
  dv.setUint32(at.uid, userNs.shownUid(inode.uid), true);
  dv.setUint32(at.gid, userNs.shownGid(inode.gid), true);
  dv.setUint16(at.mode, inode.mode, true);
  u64(dv, at.ino, inode.ino);
  u64(dv, at.size, inode.size);
  u64(dv, at.blocks, inode.blocks);
  putTime(s, at.atime, inode.atimeSec, inode.atimeNsec);
  putTime(s, at.mtime, inode.mtimeSec, inode.mtimeNsec);
  putTime(s, at.ctime, inode.ctimeSec, inode.ctimeNsec);
  putTime(s, at.btime, inode.btimeSec, inode.btimeNsec);
  dv.setUint32(at.rdevMajor, majorOf(inode.rdev), true);
  dv.setUint32(at.rdevMinor, minorOf(inode.rdev), true);
  dv.setUint32(at.devMajor, majorOf(inode.dev), true);
  dv.setUint32(at.devMinor, minorOf(inode.dev), true);
  const base = unique === STATX_MNT_ID_UNIQUE ? MNT_UNIQUE_ID_OFFSET : 0;
  u64(dv, at.mntId, mount === null ? 0 : base + mount.id);
  return scratchOut(t, addr, Statx.size);
}

function putTime(s: Scratch, at: number, sec: number, nsec: number): void {
  i64(s.dv, at + StatxTimestamp.at.sec, sec);
  s.dv.setUint32(at + StatxTimestamp.at.nsec, nsec, true);
}

export function sysStatfs(t: Task, a: SyscallArgs): number {
  const path = pathArg(t, a.u64(0));
  if (typeof path === "number") return path;
  const walk = firstWalk(t);
  const r = walk.run(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  return r < 0 ? r : putStatfs(t, walk.dentry.fs, walk.mount, a.u64(1));
}

export function sysFstatfs(t: Task, a: SyscallArgs): number {
  const file = t.files.getAny(a.i32(0));
  if (file === null) return -EBADF;
  const mount = file.path === null ? null : file.path.mount;
  return putStatfs(t, file.inode.fs, mount, a.u64(1));
}

function putStatfs(t: Task, fs: FileSystem, mount: Mount | null, addr: number): number {
  const out = emptyStatFs();
  const r = fs.statfs(out);
  if (r < 0) return r;
  const s = t.kernel.scratch, dv = s.dv, at = Statfs.at;
  s.clear(Statfs.size);
  u64(dv, at.type, out.type);
  u64(dv, at.bsize, out.blockSize);
  u64(dv, at.blocks, out.blocks);
  u64(dv, at.bfree, out.blocksFree);
  u64(dv, at.bavail, out.blocksAvailable);
  u64(dv, at.files, out.files);
  u64(dv, at.ffree, out.filesFree);
  u64(dv, at.fsid, out.fsid === 0 ? fs.dev : out.fsid);
  u64(dv, at.namelen, out.nameMax);
  u64(dv, at.frsize, out.blockSize);
  u64(dv, at.flags, mount === null ? out.flags : statfsFlags(mount));
  return scratchOut(t, addr, Statfs.size);
}
