/**
 * Cancels requests by user_data, file or opcode (IORING_OP_ASYNC_CANCEL,
 * IORING_REGISTER_SYNC_CANCEL).
 */

import { EBADF, ECANCELED, EFAULT, EINVAL, ENOENT } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import type { FdTable } from "../vfs/fd_table.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { Task } from "../task/task.ts";
import type { Uring } from "./ring.ts";
import type { Sqe } from "./sqe.ts";
import type { Worker } from "./worker.ts";

const FLAGS = U.IORING_ASYNC_CANCEL_ALL | U.IORING_ASYNC_CANCEL_FD | U.IORING_ASYNC_CANCEL_ANY |
  U.IORING_ASYNC_CANCEL_FD_FIXED | U.IORING_ASYNC_CANCEL_USERDATA | U.IORING_ASYNC_CANCEL_OP;

/** The requests to cancel. */
interface Wanted {
  /** IORING_ASYNC_CANCEL_* */
  readonly flags: number;
  readonly userLo: number;
  readonly userHi: number;
  readonly opcode: number;
  readonly file: OpenFile | null;
}

function isMeant({ sqe, file }: Worker, wanted: Wanted): boolean {
  const { flags } = wanted;
  if ((flags & U.IORING_ASYNC_CANCEL_ANY) !== 0) return true;
  const isByFile = (flags & U.IORING_ASYNC_CANCEL_FD) !== 0;
  const isByOpcode = (flags & U.IORING_ASYNC_CANCEL_OP) !== 0;
  const isByData = (flags & U.IORING_ASYNC_CANCEL_USERDATA) !== 0 || (!isByFile && !isByOpcode);
  if (isByFile && file !== wanted.file) return false;
  if (isByOpcode && sqe.opcode !== wanted.opcode) return false;
  return !isByData || (sqe.userLo === wanted.userLo && sqe.userHi === wanted.userHi);
}

/** 0, or the number of cancelled requests; -ENOENT. */
function cancelRequests(ring: Uring, self: Worker | null, wanted: Wanted): number {
  const isAll = (wanted.flags & (U.IORING_ASYNC_CANCEL_ALL | U.IORING_ASYNC_CANCEL_ANY)) !== 0;
  let count = 0;
  for (const w of ring.inFlight) {
    if (w === self || !isMeant(w, wanted)) continue;
    ring.complete(w, -ECANCELED);
    count++;
    if (!isAll) return w.op?.countsCancels === true ? 1 : 0;
  }
  return isAll ? count : -ENOENT;
}

/** The file of the requests to cancel; null unless they are selected by file; -EBADF. */
function fileMeant(
  ring: Uring,
  table: FdTable,
  flags: number,
  fd: number,
): OpenFile | null | number {
  if ((flags & U.IORING_ASYNC_CANCEL_FD) === 0) return null;
  const isFixed = (flags & U.IORING_ASYNC_CANCEL_FD_FIXED) !== 0;
  return (isFixed ? ring.files?.places[fd]?.file : table.get(fd)) ?? -EBADF;
}

export function checkCancel({ off, spliceFd, rwFlags }: Sqe): number {
  if (off !== 0 || spliceFd !== 0 || (rwFlags & ~FLAGS) !== 0) return -EINVAL;
  const isAny = (rwFlags & U.IORING_ASYNC_CANCEL_ANY) !== 0;
  const isOther = (rwFlags & (U.IORING_ASYNC_CANCEL_FD | U.IORING_ASYNC_CANCEL_OP)) !== 0;
  return isAny && isOther ? -EINVAL : 0;
}

/** IORING_OP_ASYNC_CANCEL. */
export function cancel(w: Worker): number {
  const { sqe, ring, table } = w, isFixed = (sqe.flags & U.IOSQE_FIXED_FILE) !== 0;
  const flags = sqe.rwFlags | (isFixed ? U.IORING_ASYNC_CANCEL_FD_FIXED : 0);
  const file = fileMeant(ring, table, flags, sqe.fd);
  if (typeof file === "number") return file;
  const { addrLo: userLo, addrHi: userHi, len } = sqe;
  return cancelRequests(ring, w, { flags, userLo, userHi, opcode: len & 0xff, file });
}

/** IORING_REGISTER_SYNC_CANCEL. Cancelling never waits, so the time-out has no effect. */
export function syncCancel(t: Task, ring: Uring, arg: number, count: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringSyncCancelReg;
  if (arg === 0 || count !== 1) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  const flags = dv.getUint32(at.flags, true), opcode = dv.getUint8(at.opcode);
  if ((flags & ~FLAGS) !== 0) return -EINVAL;
  for (let i = at.pad; i < size; i++) if (dv.getUint8(i) !== 0) return -EINVAL;
  const userLo = dv.getUint32(at.addr, true), userHi = dv.getUint32(at.addr + 4, true);
  const file = fileMeant(ring, t.files, flags, dv.getInt32(at.fd, true));
  if (typeof file === "number") return file;
  const r = cancelRequests(ring, null, { flags, userLo, userHi, opcode, file });
  ring.pump();
  return r;
}
