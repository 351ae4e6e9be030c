/**
 * fallocate(2): checks which modes are allowed on which files; the file system does the work.
 * kernel/syscalls/io/storage.ts calls it.
 */

import {
  EBADF,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  ESPIPE,
} from "../../ffi/abi/errno.ts";
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_ZERO_RANGE,
} from "../../ffi/abi/fcntl.ts";
import { FS_APPEND_FL, FS_IMMUTABLE_FL } from "../../ffi/abi/fs.ts";
import { IN_MODIFY } from "../../ffi/abi/inotify.ts";
import { S_IFBLK, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../ffi/abi/stat.ts";
import { hasPrivileges, removePrivileges } from "./attributes.ts";
import type { Caller } from "./caller.ts";
import { notifyFile } from "./notify.ts";
import type { OpenFile } from "./open_file.ts";

/** 0 or -EOPNOTSUPP: the modes exclude each other; some need KEEP_SIZE and some forbid it. */
function checkMode(mode: number): number {
  const keeps = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0:
    case FALLOC_FL_UNSHARE_RANGE:
    case FALLOC_FL_ZERO_RANGE:
      return 0;
    case FALLOC_FL_PUNCH_HOLE:
      return keeps ? 0 : -EOPNOTSUPP;
    case FALLOC_FL_COLLAPSE_RANGE:
    case FALLOC_FL_INSERT_RANGE:
      return keeps ? -EOPNOTSUPP : 0;
    default:
      return -EOPNOTSUPP;
  }
}

/** The checks of vfs_fallocate, in its order: 0 or -errno. */
export function checkFallocate(file: OpenFile, mode: number, offset: number, len: number): number {
  if (offset < 0 || len <= 0) return -EINVAL;
  const r = checkMode(mode);
  if (r < 0) return r;
  if (!file.canWrite) return -EBADF;
  const type = file.inode.mode & S_IFMT, flags = file.inode.fileFlags;
  if ((flags & FS_APPEND_FL) !== 0 && (mode & ~FALLOC_FL_KEEP_SIZE) !== 0) return -EPERM;
  if ((flags & FS_IMMUTABLE_FL) !== 0) return -EPERM;
  if (type === S_IFIFO) return -ESPIPE;
  if (type === S_IFDIR) return -EISDIR;
  if (type !== S_IFREG && type !== S_IFBLK) return -ENODEV;
  return offset + len > Number.MAX_SAFE_INTEGER ? -EFBIG : 0;
}

/** fallocate(2) on an open file. The caller checks RLIMIT_FSIZE. */
export function fallocateFile(
  caller: Caller,
  file: OpenFile,
  mode: number,
  offset: number,
  len: number,
): number {
  let r = checkFallocate(file, mode, offset, len);
  if (r < 0) return r;
  if (hasPrivileges(file.inode)) removePrivileges(caller, file);
  r = file.fallocate(mode, offset, len);
  if (r === 0) notifyFile(file, IN_MODIFY);
  return r;
}
