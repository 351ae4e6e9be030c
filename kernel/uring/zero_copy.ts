/**
 * Zero-copy sends, whose bytes must not change until a second completion (IORING_OP_SEND_ZC,
 * IORING_OP_SENDMSG_ZC). The bytes are copied, as on every loopback: the second completion follows
 * at once, and reports the copy on request.
 */

import { EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { Socket } from "../net/socket.ts";
import type { Sqe } from "./sqe.ts";
import { isInBuffer } from "./transfers.ts";
import type { Worker } from "./worker.ts";

const PRIORITIES = U.IORING_RECVSEND_POLL_FIRST | U.IORING_RECVSEND_FIXED_BUF |
  U.IORING_SEND_ZC_REPORT_USAGE;

/** Errors that need no second completion. */
export function checkZeroCopy({ flags, addr3, pad2 }: Sqe): number {
  const isSilent = (flags & U.IOSQE_CQE_SKIP_SUCCESS) !== 0;
  return isSilent || addr3 !== 0 || pad2 !== 0 ? -EINVAL : 0;
}

/** Checks the rest of the request and its file: 0 or -errno. */
function checkRest({ sqe, file }: Worker): number {
  if ((sqe.ioprio & ~PRIORITIES) !== 0) return -EINVAL;
  if (!(file instanceof Socket)) return -ENOTSOCK;
  return file.takesZerocopy ? 0 : -EOPNOTSUPP;
}

export function sendWith(send: (w: Worker) => number): (w: Worker) => number {
  return (w) => {
    const r = checkRest(w);
    if (r < 0) return r;
    const isFixed = (w.sqe.ioprio & U.IORING_RECVSEND_FIXED_BUF) !== 0;
    return isFixed && !isInBuffer(w) ? -EFAULT : send(w);
  };
}

export function sendMessageWith(send: (w: Worker) => number): (w: Worker) => number {
  return (w) => {
    const { off, spliceFd, ioprio } = w.sqe;
    if (off !== 0 || spliceFd !== 0) return -EINVAL;
    if ((ioprio & U.IORING_RECVSEND_FIXED_BUF) !== 0) return -EINVAL;
    const r = checkRest(w);
    return r < 0 ? r : send(w);
  };
}

/** The result of the second completion. */
export function usageOf({ ioprio }: Sqe): number {
  return (ioprio & U.IORING_SEND_ZC_REPORT_USAGE) !== 0 ? U.IORING_NOTIF_USAGE_ZC_COPIED | 0 : 0;
}
