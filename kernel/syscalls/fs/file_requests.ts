/**
 * Requests of ioctl(2) that the VFS handles for every file (do_vfs_ioctl and file_ioctl of
 * fs/ioctl.c): flags, blocks, clones, freezing. File systems without blocks refuse most of them, as
 * tmpfs does on Linux.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_ADMIN, CAP_SYS_RAWIO } from "../../../ffi/abi/capability.ts";
import {
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  ENOMEM,
  EOPNOTSUPP,
  EPERM,
  EXDEV,
} from "../../../ffi/abi/errno.ts";
import { FALLOC_FL_KEEP_SIZE } from "../../../ffi/abi/fcntl.ts";
import * as F from "../../../ffi/abi/fs.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap, hasCapIn } from "../../cred/credentials.ts";
import type { Task } from "../../task/task.ts";
import { isDirectory, isRegular } from "../../vfs/access.ts";
import { fallocateFile } from "../../vfs/fallocate.ts";
import { changeFileFlags } from "../../vfs/file_flags.ts";
import { emptyStatFs, type Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { mapExtents } from "./extents.ts";

/** The request is not handled here: the file handles it. */
export const PASSED = 1;
/** FS_XFLAG_* with the same meaning as FS_*_FL. */
const X_FLAGS: readonly (readonly [number, number])[] = [
  [F.FS_SYNC_FL, F.FS_XFLAG_SYNC],
  [F.FS_IMMUTABLE_FL, F.FS_XFLAG_IMMUTABLE],
  [F.FS_APPEND_FL, F.FS_XFLAG_APPEND],
  [F.FS_NODUMP_FL, F.FS_XFLAG_NODUMP],
  [F.FS_NOATIME_FL, F.FS_XFLAG_NOATIME],
  [F.FS_PROJINHERIT_FL, F.FS_XFLAG_PROJINHERIT],
];

/** 0, -errno, or PASSED. The argument is the third one of the call: a pointer, or an int. */
export function fileRequest(t: Task, file: OpenFile, request: number, a: SyscallArgs): number {
  const { inode } = file, arg = a.u64(2);
  switch (request) {
    case F.FIGETBSZ:
      return blockSize(t, inode, arg);
    case F.FS_IOC_FIEMAP:
      return mapExtents(t, file, arg);
    case F.FIFREEZE:
    case F.FITHAW:
      if (!hasCapIn(t.cred, inode.fs.owner, CAP_SYS_ADMIN)) return -EPERM;
      return request === F.FIFREEZE ? -EOPNOTSUPP : -EINVAL;
    case F.FICLONE:
      return clone(t, file, a.i32(2));
    case F.FICLONERANGE: {
      const { u8, dv } = t.kernel.scratch;
      if (t.mm.copyIn(u8, 0, arg, F.FileCloneRange.size) !== 0) return -EFAULT;
      return clone(t, file, dv.getInt32(F.FileCloneRange.at.srcFd, true));
    }
    case F.FIDEDUPERANGE:
      return dedupe(t, file, arg);
    case F.FS_IOC_GETFLAGS:
      if (!inode.hasFileFlags) return PASSED;
      return t.mm.store32(arg, inode.fileFlags) < 0 ? -EFAULT : 0;
    case F.FS_IOC_SETFLAGS: {
      const flags = t.mm.load32(arg);
      if (flags < 0) return -EFAULT;
      return setFlags(t, file, flags, false);
    }
    case F.FS_IOC_FSGETXATTR:
      return getExtended(t, inode, arg);
    case F.FS_IOC_FSSETXATTR:
      return setExtended(t, file, arg);
    default:
      return isRegular(inode) ? regularRequest(t, file, request, arg) : PASSED;
  }
}

function blockSize(t: Task, inode: Inode, addr: number): number {
  const out = emptyStatFs(), r = inode.fs.statfs(out);
  if (r < 0) return r;
  return t.mm.store32(addr, out.blockSize) < 0 ? -EFAULT : 0;
}

/** FICLONE: no file system here shares blocks. */
function clone(t: Task, file: OpenFile, fd: number): number {
  const from = t.files.get(fd);
  if (from === null) return -EBADF;
  if (from.inode.fs !== file.inode.fs) return -EXDEV;
  if (isDirectory(from.inode) || isDirectory(file.inode)) return -EISDIR;
  if (!isRegular(from.inode) || !isRegular(file.inode)) return -EINVAL;
  if (!from.canRead || !file.canWrite || file.isAppending) return -EBADF;
  return -EOPNOTSUPP;
}

function dedupe(t: Task, file: OpenFile, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = F.FileDedupeRange;
  if (t.mm.copyIn(u8, 0, addr + at.destCount, 2) !== 0) return -EFAULT;
  const bytes = size + dv.getUint16(0, true) * F.FileDedupeRangeInfo.size;
  if (bytes > PAGE_SIZE) return -ENOMEM;
  if (t.mm.copyIn(u8, 0, addr, bytes) !== 0) return -EFAULT;
  if (!file.canRead) return -EINVAL;
  if (dv.getUint16(at.reserved1, true) !== 0 || dv.getUint32(at.reserved2, true) !== 0) {
    return -EINVAL;
  }
  if (isDirectory(file.inode)) return -EISDIR;
  return isRegular(file.inode) ? -EOPNOTSUPP : -EINVAL;
}

/** Sets flags; the file decides for file systems without flags. */
function setFlags(t: Task, file: OpenFile, flags: number, isMore: boolean): number {
  const { inode, path } = file;
  if (path === null || !inode.hasFileFlags) return PASSED;
  return changeFileFlags(t, path.mount, inode, flags, isMore);
}

function getExtended(t: Task, inode: Inode, addr: number): number {
  if (!inode.hasFileFlags) return PASSED;
  const { scratch } = t.kernel;
  scratch.clear(F.Fsxattr.size);
  let flags = 0;
  for (const [flag, x] of X_FLAGS) if ((inode.fileFlags & flag) !== 0) flags |= x;
  scratch.dv.setUint32(F.Fsxattr.at.xflags, flags, true);
  return t.mm.copyOut(addr, scratch.u8, 0, F.Fsxattr.size) < 0 ? -EFAULT : 0;
}

/** FS_IOC_FSSETXATTR: extent sizes and project ids cannot be set. */
function setExtended(t: Task, file: OpenFile, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at } = F.Fsxattr;
  if (t.mm.copyIn(u8, 0, addr, F.Fsxattr.size) !== 0) return -EFAULT;
  const given = dv.getUint32(at.xflags, true);
  let flags = 0, known = 0;
  for (const [flag, x] of X_FLAGS) {
    known |= x;
    if ((given & x) !== 0) flags |= flag;
  }
  const sizes = dv.getUint32(at.extsize, true) | dv.getUint32(at.projid, true) |
    dv.getUint32(at.cowextsize, true);
  return setFlags(t, file, flags, sizes !== 0 || (given & ~known) !== 0);
}

function regularRequest(t: Task, file: OpenFile, request: number, arg: number): number {
  switch (request) {
    case F.FIBMAP: {
      if (!hasCap(t.cred, CAP_SYS_RAWIO)) return -EPERM;
      const block = t.mm.load32(arg);
      if (block < 0) return -EFAULT;
      if ((block | 0) < 0) return -EINVAL;
      return t.mm.store32(arg, 0) < 0 ? -EFAULT : -EINVAL;
    }
    case F.FS_IOC_RESVSP:
    case F.FS_IOC_RESVSP64:
      return preallocate(t, file, arg);
    default:
      return PASSED;
  }
}

/** FS_IOC_RESVSP of XFS: fallocate(2) that keeps the size. */
function preallocate(t: Task, file: OpenFile, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = F.SpaceResv;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const whence = dv.getInt16(at.whence, true);
  let start = Number(dv.getBigInt64(at.start, true));
  if (whence === F.SEEK_CUR) start += file.pos;
  else if (whence === F.SEEK_END) start += file.inode.size;
  else if (whence !== F.SEEK_SET) return -EINVAL;
  const len = Number(dv.getBigInt64(at.len, true));
  return fallocateFile(t, file, FALLOC_FL_KEEP_SIZE, start, len);
}
