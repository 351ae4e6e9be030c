/**
 * Calls about a file's storage: fsync(2), sync_file_range(2), ftruncate(2), fallocate(2),
 * posix_fadvise(2), readahead(2).
 */

import { SIGXFSZ } from "../../../ffi/abi/signal.ts";
import { SI_USER } from "../../../ffi/abi/siginfo.ts";
import { RLIMIT_FSIZE } from "../../../ffi/abi/resource.ts";
import { EBADF, EFBIG, EINVAL, ESPIPE } from "../../../ffi/abi/errno.ts";
import { FALLOC_FL_KEEP_SIZE } from "../../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { SigInfo } from "../../signal/pending.ts";
import { sendToTask } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import { truncateFile } from "../../vfs/attributes.ts";
import { checkFallocate, fallocateFile } from "../../vfs/fallocate.ts";

const SYNC_FILE_RANGE_KNOWN = 7;
const POSIX_FADV_LAST = 5;

export function sysFsync(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  return file === null ? -EBADF : file.fsync(false);
}

export function sysFdatasync(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  return file === null ? -EBADF : file.fsync(true);
}

/** sync_file_range(2): writes the whole file, which is more than requested. */
export function sysSyncFileRange(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  const offset = a.i64(1), len = a.i64(2);
  if (a.u32(3) & ~SYNC_FILE_RANGE_KNOWN || offset < 0 || len < 0) return -EINVAL;
  if (offset + len > 2 ** 63) return -EINVAL;
  const type = file.inode.mode & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) return -ESPIPE;
  return a.u32(3) === 0 ? 0 : file.fsync(true);
}

export function sysFtruncate(t: Task, a: SyscallArgs): number {
  const size = a.i64(1);
  if (size < 0) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if ((file.inode.mode & S_IFMT) !== S_IFREG || !file.canWrite) return -EINVAL;
  if (exceedsLimit(t, file.inode.size, size)) return -EFBIG;
  return truncateFile(t, file, size);
}

/** Growing beyond RLIMIT_FSIZE raises SIGXFSZ. */
export function exceedsLimit(t: Task, oldSize: number, newSize: number): boolean {
  if (newSize <= oldSize || newSize <= t.group.limits.get(RLIMIT_FSIZE)) return false;
  sendToTask(t, new SigInfo(SIGXFSZ, SI_USER));
  return true;
}

/** fallocate(2). */
export function sysFallocate(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  const mode = a.u32(1), offset = a.i64(2), len = a.i64(3);
  const r = checkFallocate(file, mode, offset, len);
  if (r < 0) return r;
  const grows = (mode & FALLOC_FL_KEEP_SIZE) === 0;
  if (grows && exceedsLimit(t, file.inode.size, offset + len)) return -EFBIG;
  return fallocateFile(t, file, mode, offset, len);
}

/** posix_fadvise(2): advice is accepted and has no effect. */
export function sysFadvise64(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (a.i64(2) < 0 || a.u32(3) > POSIX_FADV_LAST) return -EINVAL;
  return 0;
}

/** readahead(2). */
export function sysReadahead(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null || !file.canRead) return -EBADF;
  return (file.inode.mode & S_IFMT) === S_IFREG && a.i64(2) >= 0 ? 0 : -EINVAL;
}
