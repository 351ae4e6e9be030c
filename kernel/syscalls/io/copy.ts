/**
 * Moving bytes between two descriptors: sendfile(2), copy_file_range(2), splice(2), tee(2), vmsplice(2).
 *
 * All go through one kernel buffer, a piece at a time; what was moved before a wait is in `progress.done`.
 */

import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  EPIPE,
  ESPIPE,
  ETXTBSY,
} from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { PipeFile } from "../../ipc/pipe.ts";
import { KernelCursor, MAX_RW_COUNT } from "../../mm/cursor.ts";
import { SI_USER, SigInfo } from "../../task/signal/pending.ts";
import { sendToTask } from "../../task/signal/send.ts";
import { SIGPIPE } from "../../task/signal/sigset.ts";
import type { Task } from "../../task/task.ts";
import { type OpenFile, POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../vfs/open_file.ts";
import { readFile, writeFile } from "./transfer.ts";

const PIECE = 65536, PAGE = 4096;
const SPLICE_F_NONBLOCK = 2, SPLICE_F_KNOWN = 15;
const cursor = new KernelCursor();

/** Host address of the buffer; allocated once a kernel. */
function bufferOf(t: Task): number {
  const frames = t.kernel.memory.frames;
  if (buffers.get(frames) === undefined) buffers.set(frames, frames.alloc(PIECE / PAGE));
  const frame = buffers.get(frames)!;
  return frame < 0 ? -1 : frames.arena.base + frame;
}
const buffers: WeakMap<object, number> = new WeakMap();

/**
 * Move up to `len` bytes from file to file. Offsets -1 use the files' positions. Bytes moved, or -errno when none. The
 * target may take less than was read: sources with a position step back then; a pipe source is only read as far as the
 * target pipe has room.
 */
function move(
  from: OpenFile,
  fromAt: number,
  to: OpenFile,
  toAt: number,
  len: number,
  buf: number,
) {
  let moved = 0;
  while (moved < len) {
    let want = Math.min(len - moved, PIECE);
    if (to instanceof PipeFile) want = Math.min(want, Math.max(to.pipe.room, 1));
    if (!from.isSeekable && (to.poll() & POLLOUT) === 0 && !(to.poll() & POLLERR)) {
      return moved > 0 ? moved : -EAGAIN;
    }
    const offset = fromAt >= 0 ? fromAt + moved : from.isSeekable ? from.pos : -1;
    const got = from.read(cursor.set(buf, want), offset);
    if (got <= 0) return moved > 0 || got === 0 ? moved : got;
    const target = toAt >= 0 ? toAt + moved : to.isSeekable ? to.pos : -1;
    const put = to.write(cursor.set(buf, got), target);
    if (put < 0) return moved > 0 ? moved : put;
    if (fromAt < 0 && from.isSeekable) from.pos = offset + put;
    if (toAt < 0 && to.isSeekable && !to.isAppending) to.pos = target + put;
    moved += put;
    if (put < got) break;
  }
  return moved;
}

/** An optional offset pointer: -1 when it is null, -2 for a fault, -3 for a negative offset. */
function offsetArg(t: Task, addr: number): number {
  if (addr === 0) return -1;
  const lo = t.mm.load32(addr), hi = t.mm.load32(addr + 4);
  if (lo < 0 || hi < 0) return -2;
  return hi > 0x7fffffff ? -3 : lo + hi * 0x100000000;
}

export function sysSendfile(t: Task, a: SyscallArgs): number {
  const addr = a.u64(2), len = Math.min(a.u64(3), MAX_RW_COUNT);
  const offset = offsetArg(t, addr);
  if (offset === -2) return -EFAULT;
  const from = t.files.get(a.i32(1));
  if (from === null || !from.canRead) return -EBADF;
  if (offset === -3) return -EINVAL;
  if (offset >= 0 && !from.isSeekable) return -ESPIPE;
  const to = t.files.get(a.i32(0));
  if (to === null || !to.canWrite) return -EBADF;
  if ((from.inode.mode & S_IFMT) === S_IFDIR || to.isAppending) return -EINVAL;
  const buf = bufferOf(t), p = t.progress;
  const n = move(from, offset < 0 ? -1 : offset + p.done, to, -1, len - p.done, buf);
  if (n > 0) p.done += n;
  const result = settle(t, from, to, n, len, to.isNonblocking);
  if (result >= 0 && addr !== 0 && t.mm.store64(addr, offset + result) < 0) return -EFAULT;
  return result;
}

/** Wait for the slower side when nothing more can be moved now. */
function settle(
  t: Task,
  from: OpenFile,
  to: OpenFile,
  n: number,
  len: number,
  nonblocking: boolean,
): number {
  const p = t.progress;
  if (n === -EPIPE && p.done === 0) sendToTask(t, new SigInfo(SIGPIPE, SI_USER));
  if (n === -EAGAIN || (n > 0 && p.done < len && !to.isSeekable)) {
    if (nonblocking) return p.done > 0 ? p.done : -EAGAIN;
    const isTargetFull = (to.poll() & (POLLOUT | POLLERR)) === 0;
    if (!isTargetFull && (from.poll() & (POLLIN | POLLHUP)) !== 0 && n > 0) return p.done;
    const r = isTargetFull
      ? t.waitForFile(to, POLLOUT | POLLERR | POLLHUP)
      : t.waitForFile(from, POLLIN | POLLHUP | POLLERR);
    return r === BLOCK || p.done === 0 ? r : p.done;
  }
  return p.done > 0 ? p.done : n;
}

/** copy_file_range(2): regular files only. */
export function sysCopyFileRange(t: Task, a: SyscallArgs): number {
  const inAddr = a.u64(1), outAddr = a.u64(3), len = Math.min(a.u64(4), MAX_RW_COUNT);
  const from = t.files.get(a.i32(0)), to = t.files.get(a.i32(2));
  if (from === null || to === null) return -EBADF;
  const inAt = offsetArg(t, inAddr), outAt = offsetArg(t, outAddr);
  if (inAt === -2 || outAt === -2) return -EFAULT;
  if (a.u32(5) !== 0) return -EINVAL;
  for (const f of [from, to]) {
    const type = f.inode.mode & S_IFMT;
    if (type === S_IFDIR) return -EISDIR;
    if (type !== S_IFREG) return -EINVAL;
  }
  if (!from.canRead || !to.canWrite || to.isAppending) return -EBADF;
  if (to.inode.writeCount < 0) return -ETXTBSY;
  if (inAt === -3 || outAt === -3) return -EINVAL;
  const start = inAt < 0 ? from.pos : inAt, target = outAt < 0 ? to.pos : outAt;
  const isSame = from.inode === to.inode;
  if (isSame && start < target + len && target < start + len) return -EINVAL;
  const n = move(from, inAt, to, outAt, len, bufferOf(t));
  if (n < 0) return n;
  const failed = (inAddr !== 0 && t.mm.store64(inAddr, inAt + n) < 0) ||
    (outAddr !== 0 && t.mm.store64(outAddr, outAt + n) < 0);
  return failed ? -EFAULT : n;
}

/** splice(2): at least one side is a pipe. */
export function sysSplice(t: Task, a: SyscallArgs): number {
  const inAddr = a.u64(1), outAddr = a.u64(3), len = Math.min(a.u64(4), MAX_RW_COUNT);
  const flags = a.u32(5);
  if (len === 0) return 0;
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  const from = t.files.get(a.i32(0)), to = t.files.get(a.i32(2));
  if (from === null || to === null || !from.canRead || !to.canWrite) return -EBADF;
  if (!(from instanceof PipeFile) && !(to instanceof PipeFile)) return -EINVAL;
  if (from instanceof PipeFile && inAddr !== 0) return -ESPIPE;
  if (to instanceof PipeFile && outAddr !== 0) return -ESPIPE;
  const inAt = offsetArg(t, inAddr), outAt = offsetArg(t, outAddr);
  if (inAt === -2 || outAt === -2) return -EFAULT;
  if (inAt === -3 || outAt === -3) return -EINVAL;
  if (inAt >= 0 && !from.isSeekable || outAt >= 0 && !to.isSeekable) return -ESPIPE;
  if (to.isAppending) return -EINVAL;
  let n: number;
  if (from instanceof PipeFile && to instanceof PipeFile) {
    if (from.pipe === to.pipe) return -EINVAL;
    n = pipeToPipe(from, to, len, true);
  } else {
    n = move(from, inAt, to, outAt, len, bufferOf(t));
  }
  const nonblocking = (flags & SPLICE_F_NONBLOCK) !== 0 || from.isNonblocking || to.isNonblocking;
  if (n === -EPIPE) sendToTask(t, new SigInfo(SIGPIPE, SI_USER));
  if (n === -EAGAIN && !nonblocking) return waitForPipes(t, from, to);
  if (n < 0) return n;
  const failed = (inAddr !== 0 && t.mm.store64(inAddr, inAt + n) < 0) ||
    (outAddr !== 0 && t.mm.store64(outAddr, outAt + n) < 0);
  return failed ? -EFAULT : n;
}

/** tee(2): pipe to pipe, and the source keeps its bytes. */
export function sysTee(t: Task, a: SyscallArgs): number {
  const len = Math.min(a.u64(2), MAX_RW_COUNT), flags = a.u32(3);
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  if (len === 0) return 0;
  const from = t.files.get(a.i32(0)), to = t.files.get(a.i32(1));
  if (from === null || to === null || !from.canRead || !to.canWrite) return -EBADF;
  if (!(from instanceof PipeFile) || !(to instanceof PipeFile) || from.pipe === to.pipe) {
    return -EINVAL;
  }
  const n = pipeToPipe(from, to, len, false);
  const nonblocking = (flags & SPLICE_F_NONBLOCK) !== 0 || from.isNonblocking || to.isNonblocking;
  return n === -EAGAIN && !nonblocking ? waitForPipes(t, from, to) : n;
}

function pipeToPipe(from: PipeFile, to: PipeFile, len: number, consume: boolean): number {
  if (to.pipe.readers === 0) return -EPIPE;
  if (from.pipe.length === 0) return from.pipe.writers > 0 ? -EAGAIN : 0;
  if (to.pipe.room === 0) return -EAGAIN;
  return to.pipe.moveFrom(from.pipe, len, consume);
}

function waitForPipes(t: Task, from: OpenFile, to: OpenFile): number {
  const isTargetFull = (to.poll() & (POLLOUT | POLLERR)) === 0;
  return isTargetFull
    ? t.waitForFile(to, POLLOUT | POLLERR | POLLHUP)
    : t.waitForFile(from, POLLIN | POLLHUP | POLLERR);
}

/** vmsplice(2): user memory into a pipe, or out of one; always a copy. */
export function sysVmsplice(t: Task, a: SyscallArgs): number {
  const flags = a.u32(3);
  if (flags & ~SPLICE_F_KNOWN) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null || !(file instanceof PipeFile)) return -EBADF;
  const r = t.io.setIov(a.u64(1), a.u64(2));
  if (r < 0) return r;
  if (t.io.remaining === 0) return 0;
  const nonblocking = file.isNonblocking || (flags & SPLICE_F_NONBLOCK) !== 0;
  return file.canWrite
    ? writeFile(t, file, t.io, -1, nonblocking)
    : readFile(t, file, t.io, nonblocking);
}
