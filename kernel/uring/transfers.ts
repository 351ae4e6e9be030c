/** Reads, writes, polls and accepts of io_uring. */

import { POLLERR, POLLHUP, POLLIN } from "../../ffi/abi/poll.ts";
import { RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC } from "../../ffi/abi/fs.ts";
import { EAGAIN, EBADF, EFAULT, EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../ffi/abi/socket.ts";
import { BLOCK } from "../core/result.ts";
import { Socket } from "../net/socket.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { readFile, readFileAt, writeFile } from "../syscalls/io/transfer.ts";
import { sysAccept4 } from "../net/calls/socket.ts";
import { setArguments } from "./arguments.ts";
import { isSelecting, selectBuffers, useBuffers } from "./buffers.ts";
import type { Worker } from "./worker.ts";

const RWF_KNOWN = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;

/** IORING_OP_READ. */
export function read(w: Worker): number {
  if (isSelecting(w.sqe)) return readSelected(w, w.sqe.len);
  const r = w.io.set(w.sqe.addr, w.sqe.len);
  return r < 0 ? r : readCursor(w);
}
/** IORING_OP_READV; for a buffer that the ring chooses, one iovec limits its length. */
export function readVector(w: Worker): number {
  const { sqe } = w;
  if (isSelecting(sqe)) {
    if (sqe.len !== 1) return -EINVAL;
    const most = w.mm.load64(sqe.addr + 8);
    return most < 0 ? -EFAULT : readSelected(w, most);
  }
  const r = w.io.setIov(w.sqe.addr, w.sqe.len);
  return r < 0 ? r : readCursor(w);
}
/** Reads into a buffer that the ring chooses, at most `most` bytes, if not 0. */
function readSelected(w: Worker, most: number): number {
  const wanted = selectBuffers(w, most, false);
  if (wanted < 0) return wanted;
  const n = readCursor(w);
  // For a file that never blocks, the requested bytes count as used.
  if (n !== BLOCK) w.cqeFlags = useBuffers(w, w.file?.waitQueue === null ? wanted : Math.max(0, n));
  return n;
}

export function readFixed(w: Worker): number {
  return isInBuffer(w) ? read(w) : -EFAULT;
}
export function write(w: Worker): number {
  const r = w.io.set(w.sqe.addr, w.sqe.len);
  return r < 0 ? r : writeCursor(w);
}
export function writeVector(w: Worker): number {
  const r = w.io.setIov(w.sqe.addr, w.sqe.len);
  return r < 0 ? r : writeCursor(w);
}
export function writeFixed(w: Worker): number {
  return isInBuffer(w) ? write(w) : -EFAULT;
}

/** The bytes to move are in the request's registered buffer, which it uses from now on. */
export function isInBuffer(w: Worker): boolean {
  const { sqe, ring } = w;
  if (w.fixedBuffer === null) {
    w.fixedBuffer = ring.buffers?.[sqe.bufIndex] ?? null;
    if (w.fixedBuffer === null) return false;
    w.fixedBuffer.users++;
  }
  const { addr, len } = w.fixedBuffer;
  return sqe.addr >= addr && sqe.addr + sqe.len <= addr + len;
}

export function readCursor(w: Worker): number {
  const { file, sqe } = w;
  if (file === null || !file.canRead) return -EBADF;
  if ((sqe.rwFlags & ~RWF_KNOWN) !== 0) return -EOPNOTSUPP;
  if ((sqe.rwFlags & RWF_NOWAIT) !== 0 && !file.readsNow) return -EOPNOTSUPP;
  if (sqe.off < -1) return -EINVAL;
  w.wanted = w.io.remaining;
  const isNow = file.isNonblocking || (sqe.rwFlags & RWF_NOWAIT) !== 0;
  return sqe.off === -1 || !file.isSeekable
    ? readFile(w, file, w.io, isNow)
    : readFileAt(w, file, w.io, sqe.off, isNow);
}

function writeCursor(w: Worker): number {
  const { file, sqe } = w;
  if (file === null || !file.canWrite) return -EBADF;
  if ((sqe.rwFlags & ~RWF_KNOWN) !== 0) return -EOPNOTSUPP;
  if ((sqe.rwFlags & RWF_NOWAIT) !== 0 && !file.writesNow) return -EOPNOTSUPP;
  if (sqe.off < -1) return -EINVAL;
  w.wanted = w.io.remaining;
  const isNow = file.isNonblocking || (sqe.rwFlags & RWF_NOWAIT) !== 0;
  const at = !file.isSeekable
    ? -1
    : (sqe.rwFlags & RWF_APPEND) !== 0
    ? file.inode.size - w.progress.done
    : sqe.off;
  const n = writeFile(w, file, w.io, at, isNow);
  if (sqe.off === -1 && at >= 0 && n > 0) file.pos = at + n;
  if (n <= 0 || n === BLOCK || (sqe.rwFlags & (RWF_DSYNC | RWF_SYNC)) === 0) return n;
  const r = file.fsync((sqe.rwFlags & RWF_SYNC) === 0);
  return r < 0 ? r : n;
}

/** IORING_OP_POLL_ADD: with IORING_POLL_ADD_MULTI until it is cancelled. */
export function poll(w: Worker): number {
  const { file, sqe, ring } = w;
  if (file === null) return -EBADF;
  const mask = (sqe.rwFlags & 0xffff) | POLLERR | POLLHUP;
  const bits = file.poll() & mask, queue = file.waitQueue;
  const goesOn = (sqe.len & U.IORING_POLL_ADD_MULTI) !== 0 && queue !== null;
  if (bits !== 0 && !goesOn) return bits;
  if (bits !== 0) ring.post(w, bits, U.IORING_CQE_F_MORE);
  return queue === null ? bits : w.waitFor(queue, mask);
}

/** IORING_OP_ACCEPT: with IORING_ACCEPT_MULTISHOT until an error. */
export function acceptMany(w: Worker): number {
  const { sqe, ring, file } = w;
  const isMany = (sqe.ioprio & U.IORING_ACCEPT_MULTISHOT) !== 0;
  if ((sqe.rwFlags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) !== 0) return -EINVAL;
  if (isMany && (sqe.addr !== 0 || sqe.off !== 0)) return -EINVAL;
  setArguments(w, [sqe.fd, sqe.addr, sqe.off, sqe.rwFlags]);
  for (;;) {
    const isNow = (sqe.ioprio & U.IORING_ACCEPT_DONTWAIT) !== 0 && file !== null;
    if (isNow && (file.poll() & (POLLIN | POLLERR | POLLHUP)) === 0) return -EAGAIN;
    const fd = sysAccept4(w, w.args);
    if (fd < 0) return fd;
    const flags = hasMoreWaiting(file) ? U.IORING_CQE_F_SOCK_NONEMPTY : 0;
    if (!isMany) {
      w.cqeFlags = flags;
      return fd;
    }
    ring.post(w, fd, U.IORING_CQE_F_MORE | flags);
  }
}

/** IORING_CQE_F_SOCK_NONEMPTY: a TCP listener has further connections. */
function hasMoreWaiting(file: OpenFile | null): boolean {
  if (!(file instanceof Socket)) return false;
  const isInet = file.family === AF_INET || file.family === AF_INET6;
  return isInet && (file.poll() & POLLIN) !== 0;
}
