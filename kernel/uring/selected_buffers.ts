/**
 * Reads, receives and sends with buffers that the ring chooses: one, several at once (bundles), or
 * multishot. Neighbours: buffers.ts, messages.ts.
 */

import { POLLERR, POLLHUP, POLLIN } from "../../ffi/abi/poll.ts";
import { EBADF, EBADFD, EINVAL } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { AF_INET, AF_INET6, MSG_NOSIGNAL, MSG_WAITALL, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { Socket } from "../net/socket.ts";
import { receivePrepared } from "../net/calls/receive.ts";
import { sendPrepared } from "../net/calls/send.ts";
import { hasNoBuffer, isSelecting, selectBuffers, useBuffers } from "./buffers.ts";
import { readCursor } from "./transfers.ts";
import type { Sqe } from "./sqe.ts";
import type { Worker } from "./worker.ts";

/**
 * LIMIT: completions of one request in a turn of the loop. Its input may never end, while another
 * thread adds buffers.
 */
const TURN_COMPLETIONS = 32;
const READABLE = POLLIN | POLLERR | POLLHUP;

/** IORING_OP_READ_MULTISHOT: pipes, sockets and other files without positions. */
export function readMany(w: Worker): number {
  const { file } = w;
  if (file === null || !file.canRead) return -EBADF;
  if (file.waitQueue === null) return -EBADFD;
  return completeRepeatedly(w, () => {
    const wanted = selectBuffers(w, 0, false);
    return wanted < 0 ? wanted : readCursor(w);
  });
}

export function checkReadMany({ flags, addr, len }: Sqe): number {
  return (flags & U.IOSQE_BUFFER_SELECT) === 0 || addr !== 0 || len !== 0 ? -EINVAL : 0;
}

const RECEIVE_FLAGS = U.IORING_RECVSEND_POLL_FIRST | U.IORING_RECV_MULTISHOT |
  U.IORING_RECVSEND_BUNDLE;

export function checkReceive(s: Sqe): number {
  const isMessage = s.opcode === U.IORING_OP_RECVMSG;
  if ((s.ioprio & ~RECEIVE_FLAGS) !== 0) return -EINVAL;
  if (s.off !== 0 || s.spliceFd !== 0) return -EINVAL;
  if (isMessage && (s.ioprio & U.IORING_RECVSEND_BUNDLE) !== 0) return -EINVAL;
  if ((s.ioprio & U.IORING_RECV_MULTISHOT) === 0) return 0;
  if (!isSelecting(s) || (s.rwFlags & MSG_WAITALL) !== 0) return -EINVAL;
  return !isMessage && s.len !== 0 ? -EINVAL : 0;
}

/** IORING_OP_RECV. */
export function receive(w: Worker): number {
  const { sqe } = w, isBundle = (sqe.ioprio & U.IORING_RECVSEND_BUNDLE) !== 0;
  const once = (): number => {
    const wanted = isSelecting(sqe)
      ? selectBuffers(w, sqe.len, isBundle)
      : w.io.set(sqe.addr, sqe.len);
    return wanted < 0 ? wanted : receivePrepared(w, sqe.fd, sqe.rwFlags);
  };
  if ((sqe.ioprio & U.IORING_RECV_MULTISHOT) !== 0) return completeRepeatedly(w, once);
  const n = once();
  if (n > 0 && isSelecting(sqe)) w.cqeFlags = useBuffers(w, n);
  if (n >= 0) w.cqeFlags |= moreToCome(w);
  return n;
}

/**
 * Runs `once` and posts a completion for each result with bytes; the last one, without bytes or
 * with an error, ends the request. `empty` is the result without bytes.
 */
export function completeRepeatedly(w: Worker, once: () => number, empty: number = 0): number {
  const { file } = w, queue = file?.waitQueue ?? null;
  for (let i = 0; i < TURN_COMPLETIONS; i++) {
    const n = once();
    if (n <= empty) {
      if (n > 0) w.cqeFlags = useBuffers(w, n);
      return n;
    }
    w.progress.reset();
    w.ring.post(w, n, (useBuffers(w, n) | U.IORING_CQE_F_MORE | moreToCome(w)) >>> 0);
    // The next buffer is chosen only when there is input for it.
    if (file !== null && queue !== null && (file.poll() & READABLE) === 0) {
      return w.waitFor(queue, READABLE);
    }
  }
  return w.yieldTurn();
}

/** IORING_CQE_F_SOCK_NONEMPTY: a TCP connection has more bytes. */
export function moreToCome({ file }: Worker): number {
  if (!(file instanceof Socket) || file.type !== SOCK_STREAM) return 0;
  const isTcp = file.family === AF_INET || file.family === AF_INET6;
  return isTcp && file.pendingBytes > 0 ? U.IORING_CQE_F_SOCK_NONEMPTY : 0;
}

export function checkSend(s: Sqe): number {
  if ((s.ioprio & ~(U.IORING_RECVSEND_POLL_FIRST | U.IORING_RECVSEND_BUNDLE)) !== 0) return -EINVAL;
  return (s.ioprio & U.IORING_RECVSEND_BUNDLE) !== 0 && !isSelecting(s) ? -EINVAL : 0;
}

export function checkSendMessage({ ioprio, off, spliceFd }: Sqe): number {
  return (ioprio & ~U.IORING_RECVSEND_POLL_FIRST) !== 0 || off !== 0 || spliceFd !== 0
    ? -EINVAL
    : 0;
}

/** IORING_OP_SEND; a bundle goes on until no buffer is left. */
export function send(w: Worker): number {
  const { sqe } = w, isBundle = (sqe.ioprio & U.IORING_RECVSEND_BUNDLE) !== 0;
  const flags = sqe.rwFlags | MSG_NOSIGNAL | (isBundle ? MSG_WAITALL : 0);
  for (let i = 0; i < TURN_COMPLETIONS; i++) {
    const wanted = isSelecting(sqe)
      ? selectBuffers(w, sqe.len, isBundle)
      : w.io.set(sqe.addr, sqe.len);
    if (wanted < 0) return wanted;
    const n = sendPrepared(w, sqe.fd, flags, sqe.off, sqe.spliceFd & 0xffff);
    if (n < 0 || !isSelecting(sqe)) return n;
    const used = useBuffers(w, n);
    if (!isBundle || n === 0 || hasNoBuffer(w)) {
      w.cqeFlags = used;
      return n;
    }
    w.progress.reset();
    w.ring.post(w, n, (used | U.IORING_CQE_F_MORE) >>> 0);
    // Only the first buffer is limited by the requested length.
    sqe.len = 0;
  }
  return w.yieldTurn();
}
