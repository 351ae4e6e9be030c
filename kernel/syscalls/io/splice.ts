/**
 * Calls that move bytes between two descriptors: sendfile(2), copy_file_range(2), splice(2),
 * tee(2), vmsplice(2).
 */

import { SIGPIPE } from "../../../ffi/abi/signal.ts";
import { MAX_RW_COUNT } from "../../../ffi/abi/fs.ts";
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  EPIPE,
  ESPIPE,
  ETXTBSY,
  EXDEV,
} from "../../../ffi/abi/errno.ts";
import { FAN_ACCESS_PERM } from "../../../ffi/abi/fanotify.ts";
import { SPLICE_F_NONBLOCK } from "../../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { PipeFile } from "../../ipc/pipe.ts";
import { sendToTask, userSignal } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { betweenPipes, moveBytes, MoveEnd } from "./move_bytes.ts";
import { askReadPermission } from "../../vfs/permission_events.ts";
import { readFile, waitReadable, waitWritable, writeFile } from "./transfer.ts";

export const SPLICE_F_KNOWN = 15;

/** The end of the move of the running call. */
const end = new MoveEnd();

/** Results of `offsetArg`. */
const NONE = -1, FAULTY = -2, NEGATIVE = -3;

/** Reads an optional offset pointer. */
function offsetArg(t: Task, addr: number): number {
  if (addr === 0) return NONE;
  const lo = t.mm.load32(addr), hi = t.mm.load32(addr + 4);
  if (lo < 0 || hi < 0) return FAULTY;
  return hi > 0x7fffffff ? NEGATIVE : lo + hi * 0x100000000;
}

/**
 * Stores the offset behind the moved bytes, if the caller passed one; returns the call's result.
 */
function storeOffset(t: Task, addr: number, offset: number, result: number): number {
  return addr !== 0 && t.mm.store64(addr, offset) < 0 ? -EFAULT : result;
}

/**
 * sendfile(2): from a file with positions (or from any file, to a pipe), until all bytes are sent.
 */
export function sysSendfile(t: Task, a: SyscallArgs): number {
  const addr = a.u64(2), len = Math.min(a.u64(3), MAX_RW_COUNT), p = t.progress;
  const offset = offsetArg(t, addr);
  if (offset === FAULTY) return -EFAULT;
  const from = t.files.get(a.i32(1));
  if (from === null || !from.canRead) return -EBADF;
  if (offset !== NONE && !from.isSeekable) return -ESPIPE;
  if (offset === NEGATIVE) return -EINVAL;
  const to = t.files.get(a.i32(0));
  if (to === null || !to.canWrite) return -EBADF;
  const type = from.inode.mode & S_IFMT;
  if (type === S_IFDIR || to.isAppending) return -EINVAL;
  if (!from.isSeekable && !(to instanceof PipeFile)) return -EINVAL;
  const may = askReadPermission(t, from, FAN_ACCESS_PERM);
  if (may < 0) return may;
  p.done += moveBytes(t, from, offset < 0 ? -1 : offset + p.done, to, -1, len - p.done, end);
  let r = end.reason;
  if (r === -EAGAIN) {
    // Bytes that are already in the pipe are not held back by a wait.
    const stops = to.isNonblocking || (p.done > 0 && to instanceof PipeFile);
    if (!stops) r = waitFor(t, from, to);
    if (r === BLOCK) return BLOCK;
  }
  if (end.isCutShort && t.yieldTurn() === BLOCK) return BLOCK;
  if (p.done > 0) r = p.done;
  else if (r === -EPIPE) sendToTask(t, userSignal(SIGPIPE, t));
  return r < 0 ? r : storeOffset(t, addr, offset + r, r);
}

/** Waits for the side that was not ready. */
function waitFor(t: Task, from: OpenFile, to: OpenFile): number {
  return end.isTargetBlocked ? waitWritable(t, to) : waitReadable(t, from);
}

/** copy_file_range(2): regular files of one file system only. */
export function sysCopyFileRange(t: Task, a: SyscallArgs): number {
  const inAddr = a.u64(1), outAddr = a.u64(3);
  const from = t.files.get(a.i32(0)), to = t.files.get(a.i32(2));
  if (from === null || to === null) return -EBADF;
  const inAt = offsetArg(t, inAddr), outAt = offsetArg(t, outAddr);
  if (inAt === FAULTY || outAt === FAULTY) return -EFAULT;
  if (a.u32(5) !== 0) return -EINVAL;
  const inType = from.inode.mode & S_IFMT, outType = to.inode.mode & S_IFMT;
  if (inType === S_IFDIR || outType === S_IFDIR) return -EISDIR;
  if (inType !== S_IFREG || outType !== S_IFREG) return -EINVAL;
  if (!from.canRead || !to.canWrite || to.isAppending) return -EBADF;
  if (from.inode.fs !== to.inode.fs) return -EXDEV;
  if (to.inode.writeCount < 0) return -ETXTBSY;
  if (inAt === NEGATIVE || outAt === NEGATIVE) return -EINVAL;
  const fresh = from.inode.refresh();
  if (fresh < 0) return fresh;
  const start = inAt < 0 ? from.pos : inAt, target = outAt < 0 ? to.pos : outAt;
  const len = Math.max(0, Math.min(a.u64(4), MAX_RW_COUNT, from.inode.size - start));
  const isSame = from.inode === to.inode;
  if (isSame && start < target + len && target < start + len) return -EINVAL;
  const may = askReadPermission(t, from, FAN_ACCESS_PERM);
  if (may < 0) return may;
  const n = moveBytes(t, from, inAt, to, outAt, len, end);
  if (n === 0 && end.reason < 0) return end.reason;
  const r = storeOffset(t, inAddr, inAt + n, n);
  return r < 0 ? r : storeOffset(t, outAddr, outAt + n, n);
}

/** splice(2): at least one side is a pipe. */
export function sysSplice(t: Task, a: SyscallArgs): number {
  const inAddr = a.u64(1), outAddr = a.u64(3), len = Math.min(a.u64(4), MAX_RW_COUNT);
  const flags = a.u32(5);
  if (len === 0) return 0;
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  const from = t.files.get(a.i32(0)), to = t.files.get(a.i32(2));
  if (from === null || to === null || !from.canRead || !to.canWrite) return -EBADF;
  if (from instanceof PipeFile && inAddr !== 0) return -ESPIPE;
  if (to instanceof PipeFile && outAddr !== 0) return -ESPIPE;
  if (!(from instanceof PipeFile) && !(to instanceof PipeFile)) return -EINVAL;
  if ((from.inode.mode & S_IFMT) === S_IFDIR) return -EINVAL;
  const inAt = offsetArg(t, inAddr), outAt = offsetArg(t, outAddr);
  if (inAt === FAULTY || outAt === FAULTY) return -EFAULT;
  if (inAt === NEGATIVE || outAt === NEGATIVE) return -EINVAL;
  const n = spliceFiles(t, from, inAt, to, outAt, len, flags);
  if (n < 0) return n;
  const r = storeOffset(t, inAddr, inAt + n, n);
  return r < 0 ? r : storeOffset(t, outAddr, outAt + n, n);
}

/** splice(2) with decoded arguments; offsets are -1 where there is none. Bytes, BLOCK or -errno. */
export function spliceFiles(
  t: Task,
  from: OpenFile | null,
  inAt: number,
  to: OpenFile | null,
  outAt: number,
  len: number,
  flags: number,
): number {
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  if (from === null || to === null || !from.canRead || !to.canWrite) return -EBADF;
  if (from instanceof PipeFile && inAt >= 0) return -ESPIPE;
  if (to instanceof PipeFile && outAt >= 0) return -ESPIPE;
  if (!(from instanceof PipeFile) && !(to instanceof PipeFile)) return -EINVAL;
  if (inAt >= 0 && !from.isSeekable || outAt >= 0 && !to.isSeekable) return -EINVAL;
  if (!(to instanceof PipeFile) && (to.isAppending || !to.takesSplice)) return -EINVAL;
  if (from instanceof PipeFile && to instanceof PipeFile && from.pipe === to.pipe) return -EINVAL;
  const may = askReadPermission(t, from, FAN_ACCESS_PERM);
  if (may < 0) return may;
  const n = moveBytes(t, from, inAt, to, outAt, len, end);
  return n === 0 && end.reason < 0 ? waitOrFail(t, from, to, end.reason, flags) : n;
}

/** No bytes were moved: waits, or returns the error. */
function waitOrFail(t: Task, from: OpenFile, to: OpenFile, r: number, flags: number): number {
  if (r === -EPIPE) sendToTask(t, userSignal(SIGPIPE, t));
  if (r !== -EAGAIN || (flags & SPLICE_F_NONBLOCK) !== 0) return r;
  return (end.isTargetBlocked ? to : from).isNonblocking ? r : waitFor(t, from, to);
}

/** tee(2): pipe to pipe, and the source keeps its bytes. */
export function sysTee(t: Task, a: SyscallArgs): number {
  const len = Math.min(a.u64(2), MAX_RW_COUNT), flags = a.u32(3);
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  if (len === 0) return 0;
  return teeFiles(t, t.files.get(a.i32(0)), t.files.get(a.i32(1)), len, flags);
}

/** tee(2) with decoded arguments; `len` is not 0. */
export function teeFiles(
  t: Task,
  from: OpenFile | null,
  to: OpenFile | null,
  len: number,
  flags: number,
): number {
  if (from === null || to === null || !from.canRead || !to.canWrite) return -EBADF;
  if (!(from instanceof PipeFile) || !(to instanceof PipeFile) || from.pipe === to.pipe) {
    return -EINVAL;
  }
  const n = betweenPipes(from, to, len, false, end);
  return n < 0 ? waitOrFail(t, from, to, n, flags) : n;
}

/** vmsplice(2): user memory into a pipe, or out of one; always a copy. */
export function sysVmsplice(t: Task, a: SyscallArgs): number {
  const flags = a.u32(3);
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  const r = t.io.setIov(a.u64(1), a.u64(2));
  if (r < 0 || t.io.remaining === 0) return r;
  if (!(file instanceof PipeFile)) return -EBADF;
  const reachable = file.canWrite ? t.io.stopAtSecrets() : 0;
  if (reachable < 0) return reachable;
  const nonblocking = file.isNonblocking || (flags & SPLICE_F_NONBLOCK) !== 0;
  return file.canWrite
    ? writeFile(t, file, t.io, -1, nonblocking)
    : readFile(t, file, t.io, nonblocking);
}
