/** Reads, writes, polls and accepts of a ring. */

import { EBADF, EFAULT, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../../ffi/abi/socket.ts";
import { BLOCK } from "../../core/result.ts";
import { POLLERR, POLLHUP } from "../../vfs/open_file.ts";
import { readFile, readFileAt, writeFile } from "../io/transfer.ts";
import { sysAccept4 } from "../net/socket.ts";
import { setArguments } from "./arguments.ts";
import type { Worker } from "./worker.ts";

const RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16;
const RWF_KNOWN = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;

export function read(w: Worker): number {
  const r = w.io.set(w.sqe.addr, w.sqe.len);
  return r < 0 ? r : readCursor(w);
}
export function readVector(w: Worker): number {
  const r = w.io.setIov(w.sqe.addr, w.sqe.len);
  return r < 0 ? r : readCursor(w);
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

/** What it moves lies in its registered buffer, which it uses from now on. */
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

function readCursor(w: Worker): number {
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
  if (n <= 0 || n === BLOCK || (sqe.rwFlags & (RWF_DSYNC | RWF_SYNC)) === 0) return n;
  const r = file.fsync((sqe.rwFlags & RWF_SYNC) === 0);
  return r < 0 ? r : n;
}

/** IORING_OP_POLL_ADD: with IORING_POLL_ADD_MULTI it goes on until it is cancelled. */
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

/** IORING_OP_ACCEPT: with IORING_ACCEPT_MULTISHOT it goes on until an error. */
export function acceptMany(w: Worker): number {
  const { sqe, ring } = w;
  const isMany = (sqe.ioprio & U.IORING_ACCEPT_MULTISHOT) !== 0;
  if ((sqe.rwFlags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) !== 0) return -EINVAL;
  if (isMany && (sqe.addr !== 0 || sqe.off !== 0)) return -EINVAL;
  setArguments(w, [sqe.fd, sqe.addr, sqe.off, sqe.rwFlags]);
  for (;;) {
    const fd = sysAccept4(w, w.args);
    if (!isMany || fd < 0) return fd;
    ring.post(w, fd, U.IORING_CQE_F_MORE);
  }
}
