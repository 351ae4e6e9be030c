/** read(2), write(2), readv(2), pread(2), preadv2(2) and their variants. */

import { RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC } from "../../../ffi/abi/fs.ts";
import { EBADF, EINVAL, EOPNOTSUPP, ESPIPE } from "../../../ffi/abi/errno.ts";
import { O_APPEND } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { readFile, readFileAt, writeFile } from "./transfer.ts";

const RWF_NOAPPEND = 32;
const RWF_KNOWN = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND;

/** HOT */
export function sysRead(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null || !file.canRead) return -EBADF;
  const r = t.io.set(a.u64(1), a.u64(2));
  return r < 0 ? r : readFile(t, file, t.io, file.isNonblocking);
}

/** HOT */
export function sysWrite(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null || !file.canWrite) return -EBADF;
  const r = t.io.set(a.u64(1), a.u64(2));
  return r < 0 ? r : writeFile(t, file, t.io, -1, file.isNonblocking);
}

/** HOT */
export function sysPread64(t: Task, a: SyscallArgs): number {
  const offset = a.i64(3);
  if (offset < 0) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if (!file.isSeekable) return -ESPIPE;
  if (!file.canRead) return -EBADF;
  const r = t.io.set(a.u64(1), a.u64(2));
  if (r < 0) return r;
  if (offset > EXACT && endsBeyond(a, a.u64(2))) return -EINVAL;
  return readFileAt(t, file, t.io, offset, file.isNonblocking);
}

/** HOT */
export function sysPwrite64(t: Task, a: SyscallArgs): number {
  const offset = a.i64(3);
  if (offset < 0) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if (!file.isSeekable) return -ESPIPE;
  if (!file.canWrite) return -EBADF;
  const r = t.io.set(a.u64(1), a.u64(2));
  if (r < 0) return r;
  if (offset > EXACT && endsBeyond(a, a.u64(2))) return -EINVAL;
  return writeFile(t, file, t.io, offset, file.isNonblocking);
}

export function sysReadv(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null || !file.canRead) return -EBADF;
  const r = t.io.setIov(a.u64(1), a.u64(2));
  if (r < 0) return r;
  if (t.io.remaining === 0) return emptyTransfer(file, false);
  return readFile(t, file, t.io, file.isNonblocking);
}

export function sysWritev(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null || !file.canWrite) return -EBADF;
  const r = t.io.setIov(a.u64(1), a.u64(2));
  if (r < 0) return r;
  if (t.io.remaining === 0) return emptyTransfer(file, true);
  return writeFile(t, file, t.io, -1, file.isNonblocking);
}

export function sysPreadv(t: Task, a: SyscallArgs): number {
  return vectorAt(t, a, offsetOf(a), 0, false);
}
export function sysPwritev(t: Task, a: SyscallArgs): number {
  return vectorAt(t, a, offsetOf(a), 0, true);
}

/** preadv2(2): offset -1 uses the file's position. RWF_NOWAIT is for files that support it. */
export function sysPreadv2(t: Task, a: SyscallArgs): number {
  return vector2(t, a, false);
}
export function sysPwritev2(t: Task, a: SyscallArgs): number {
  return vector2(t, a, true);
}

/** Offsets beyond it have lost their low bits. */
const EXACT = Number.MAX_SAFE_INTEGER;

/** Whether the offset in argument 3, which is not negative, and a length pass the last offset. */
function endsBeyond({ words }: SyscallArgs, length: number): boolean {
  const low = words[6]! + length;
  return words[7]! + Math.floor(low / 0x100000000) >= 0x80000000;
}

/** The offset is in two words; 64-bit callers put all of it into the first one. */
function offsetOf(a: SyscallArgs): number {
  return a.i64(3);
}

function vector2(t: Task, a: SyscallArgs, isWrite: boolean): number {
  const flags = a.u32(5), offset = offsetOf(a);
  if (offset !== -1) return vectorAt(t, a, offset, flags, isWrite);
  const file = t.files.get(a.i32(0));
  if (file === null || !(isWrite ? file.canWrite : file.canRead)) return -EBADF;
  const r = setVector(t, a, file, flags, isWrite);
  if (r < 0) return r;
  if (t.io.remaining === 0) return emptyTransfer(file, isWrite);
  if (!isWrite) return readFile(t, file, t.io, isImmediate(file, flags));
  const at = (flags & RWF_APPEND) !== 0 && file.isSeekable ? endOf(t, file) : -1;
  const n = writeWith(t, file, at, flags);
  if (n >= 0 && at >= 0) file.pos = at + n;
  return synced(file, n, flags);
}

function vectorAt(
  t: Task,
  a: SyscallArgs,
  offset: number,
  flags: number,
  isWrite: boolean,
): number {
  if (offset < 0) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if (!file.isSeekable) return -ESPIPE;
  if (!(isWrite ? file.canWrite : file.canRead)) return -EBADF;
  const r = setVector(t, a, file, flags, isWrite);
  if (r < 0) return r;
  if (t.io.remaining === 0) return emptyTransfer(file, isWrite);
  if (offset > EXACT && endsBeyond(a, t.io.remaining)) return -EINVAL;
  if (!isWrite) return readFileAt(t, file, t.io, offset, isImmediate(file, flags));
  const at = flags & RWF_APPEND ? endOf(t, file) : offset;
  return synced(file, writeWith(t, file, at, flags), flags);
}

/** RWF_NOAPPEND: ignores O_APPEND of the open file for this call. */
export function writeWith(t: Task, file: OpenFile, at: number, flags: number): number {
  const shown = file.flags;
  if ((flags & RWF_NOAPPEND) !== 0) file.flags &= ~O_APPEND;
  const n = writeFile(t, file, t.io, at, isImmediate(file, flags));
  if ((flags & RWF_NOAPPEND) !== 0) file.flags |= shown & O_APPEND;
  return n;
}

/**
 * Vectors without a byte do not reach the file, which must only support the operation (vfs_readv,
 * vfs_writev).
 */
function emptyTransfer(file: OpenFile, isWrite: boolean): number {
  const { read, write } = OpenFile.prototype;
  return (isWrite ? file.write === write : file.read === read) ? -EINVAL : 0;
}

/** The end of the file when the call started: a long write may already have added bytes. */
function endOf(t: Task, file: OpenFile): number {
  return file.inode.size - t.progress.done;
}

function setVector(
  t: Task,
  a: SyscallArgs,
  file: OpenFile,
  flags: number,
  isWrite: boolean,
): number {
  const r = t.io.setIov(a.u64(1), a.u64(2));
  if (r < 0 || t.io.remaining === 0) return r;
  return checkFlags(file, flags, isWrite);
}

/** Checks RWF_* of a transfer: 0 or -errno. */
export function checkFlags(file: OpenFile, flags: number, isWrite: boolean): number {
  if (flags & ~RWF_KNOWN) return -EOPNOTSUPP;
  if ((flags & RWF_NOWAIT) !== 0) {
    const none = emptyTransfer(file, isWrite);
    if (none < 0) return none;
    if (!(isWrite ? file.writesNow : file.readsNow)) return -EOPNOTSUPP;
  }
  return (flags & RWF_APPEND) !== 0 && (flags & RWF_NOAPPEND) !== 0 ? -EINVAL : 0;
}

/** True if the call returns -EAGAIN instead of waiting. */
export function isImmediate(file: OpenFile, flags: number): boolean {
  return file.isNonblocking || (flags & RWF_NOWAIT) !== 0;
}

/** Applies RWF_DSYNC and RWF_SYNC. */
export function synced(file: OpenFile, result: number, flags: number): number {
  if (result <= 0 || (flags & (RWF_DSYNC | RWF_SYNC)) === 0 || !file.isSeekable) return result;
  const r = file.fsync((flags & RWF_SYNC) === 0);
  return r < 0 ? r : result;
}
