/** Reads and receives into buffers that the ring chooses, once or again and again (read_multishot, recv multishot). */

import { EBADF, EBADFD, EINVAL } from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { MSG_WAITALL } from "../../../ffi/abi/socket.ts";
import { BLOCK } from "../../core/result.ts";
import { POLLERR, POLLHUP, POLLIN } from "../../vfs/open_file.ts";
import { sysRecvfrom } from "../net/receive.ts";
import { setArguments } from "./arguments.ts";
import { selectBuffer, useBuffer } from "./buffers.ts";
import { read } from "./transfers.ts";
import type { Worker } from "./worker.ts";

/** LIMIT: buffers that one turn of the loop fills: there may be always more to read, and another thread that adds buffers. */
const TURN_BUFFERS = 32;
const READABLE = POLLIN | POLLERR | POLLHUP;

type Receive = (w: Worker, addr: number, len: number) => number;

function isSelecting(w: Worker): boolean {
  return (w.sqe.flags & U.IOSQE_BUFFER_SELECT) !== 0;
}

/** IORING_OP_READ. */
export function readSelected(w: Worker): number {
  if (!isSelecting(w)) return read(w);
  const buffer = selectBuffer(w), { sqe } = w;
  if (typeof buffer === "number") return buffer;
  const wanted = sqe.len;
  sqe.addr = buffer.addr;
  sqe.len = wanted === 0 ? buffer.len : Math.min(wanted, buffer.len);
  const n = read(w);
  sqe.len = wanted;
  if (n !== BLOCK) w.cqeFlags = useBuffer(w, buffer);
  return n;
}

/** IORING_OP_READ_MULTISHOT: pipes, sockets and the like. */
export function readMany(w: Worker): number {
  const { sqe, file } = w;
  if (file === null || !file.canRead) return -EBADF;
  if (file.waitQueue === null) return -EBADFD;
  return receiveMany(w, (o, addr, len) => {
    sqe.addr = addr;
    sqe.len = len;
    const n = read(o);
    sqe.len = 0;
    return n;
  });
}

export function checkReadMany({ flags, addr, len }: Worker["sqe"]): number {
  return (flags & U.IOSQE_BUFFER_SELECT) === 0 || addr !== 0 || len !== 0 ? -EINVAL : 0;
}

export function checkReceive(
  { flags, ioprio, len, rwFlags, off, spliceFd }: Worker["sqe"],
): number {
  if ((ioprio & ~(U.IORING_RECVSEND_POLL_FIRST | U.IORING_RECV_MULTISHOT)) !== 0) return -EINVAL;
  if (off !== 0 || spliceFd !== 0) return -EINVAL;
  if ((ioprio & U.IORING_RECV_MULTISHOT) === 0) return 0;
  const isSelecting = (flags & U.IOSQE_BUFFER_SELECT) !== 0;
  return !isSelecting || (rwFlags & MSG_WAITALL) !== 0 || len !== 0 ? -EINVAL : 0;
}

function receiveInto(w: Worker, addr: number, len: number): number {
  setArguments(w, [w.sqe.fd, addr, len, w.sqe.rwFlags, 0, 0]);
  return sysRecvfrom(w, w.args);
}

/** IORING_OP_RECV. */
export function receive(w: Worker): number {
  const { sqe } = w;
  if (!isSelecting(w)) return receiveInto(w, sqe.addr, sqe.len);
  if ((sqe.ioprio & U.IORING_RECV_MULTISHOT) !== 0) return receiveMany(w, receiveInto);
  const buffer = selectBuffer(w);
  if (typeof buffer === "number") return buffer;
  const len = sqe.len === 0 ? buffer.len : Math.min(sqe.len, buffer.len);
  const n = receiveInto(w, buffer.addr, len);
  if (n > 0) w.cqeFlags = useBuffer(w, buffer);
  return n;
}

/** A completion for each buffer that was filled; the last one, without bytes or with an error, ends it. */
function receiveMany(w: Worker, into: Receive): number {
  for (let i = 0; i < TURN_BUFFERS; i++) {
    const buffer = selectBuffer(w);
    if (typeof buffer === "number") return buffer;
    const n = into(w, buffer.addr, buffer.len);
    if (n <= 0 || n === BLOCK) return n;
    w.progress.reset();
    w.ring.post(w, n, (useBuffer(w, buffer) | U.IORING_CQE_F_MORE) >>> 0);
    // The next buffer is chosen when there is something for it.
    const { file } = w, queue = file?.waitQueue ?? null;
    if (file !== null && queue !== null && (file.poll() & READABLE) === 0) {
      return w.waitFor(queue, READABLE);
    }
  }
  return w.yieldTurn();
}
