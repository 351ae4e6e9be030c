/** Time-outs of a ring, and removing them and polls. */

import { ECANCELED, EINVAL, ENOENT, ETIME } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { readTimespec } from "../syscalls/timespec.ts";
import type { Sqe } from "./sqe.ts";
import type { Uring } from "./ring.ts";
import type { Worker } from "./worker.ts";

const CLOCKS = U.IORING_TIMEOUT_BOOTTIME | U.IORING_TIMEOUT_REALTIME;
const TIMEOUT_FLAGS = U.IORING_TIMEOUT_ABS | CLOCKS | U.IORING_TIMEOUT_ETIME_SUCCESS;

/** The time of the timespec at `addr` as CLOCK_MONOTONIC ns, or -errno. */
function deadlineOf(w: Worker, addr: number, flags: number): number {
  const time = readTimespec(w, addr);
  if (typeof time === "number") return time;
  if ((flags & U.IORING_TIMEOUT_ABS) === 0) return w.kernel.now() + time.spanNs();
  if (isRealtime(flags)) return time.realtimeDeadline(w);
  return time.monotonicDeadline(w, (flags & U.IORING_TIMEOUT_BOOTTIME) !== 0);
}

/** Whether a time is absolute on CLOCK_REALTIME, and moves when that clock is set. */
function isRealtime(flags: number): boolean {
  return (flags & U.IORING_TIMEOUT_ABS) !== 0 && (flags & U.IORING_TIMEOUT_REALTIME) !== 0;
}

function startTimeout(w: Worker): number {
  const { sqe, progress } = w;
  if (sqe.len !== 1 || sqe.bufIndex !== 0 || sqe.spliceFd !== 0) return -EINVAL;
  if ((sqe.rwFlags & ~TIMEOUT_FLAGS) !== 0 || (sqe.rwFlags & CLOCKS) === CLOCKS) return -EINVAL;
  const at = deadlineOf(w, sqe.addr, sqe.rwFlags);
  if (at < 0) return at;
  progress.deadlineNs = at;
  progress.isRealtime = isRealtime(sqe.rwFlags);
  return 0;
}

/**
 * IORING_OP_TIMEOUT: -ETIME when the time is over, 0 when `off` other requests completed before.
 */
export function timeout(w: Worker): number {
  const { progress, sqe, ring } = w;
  if (progress.deadlineNs < 0) {
    const r = startTimeout(w);
    if (r < 0) return r;
    if (sqe.off > 0) {
      w.target = ring.posted + sqe.off;
      ring.counting.arm(w.counted, w.target);
    }
  }
  if (ring.posted >= w.target) return 0;
  return w.kernel.now() >= progress.deadlineNs ? -ETIME : w.waitUntil(progress.deadlineNs);
}

/** IORING_OP_LINK_TIMEOUT: cancels the request that it is linked behind. */
export function linkTimeout(w: Worker): number {
  const { progress, ring } = w;
  if (progress.deadlineNs < 0) {
    if (w.sqe.off !== 0) return -EINVAL;
    const r = startTimeout(w);
    if (r < 0) return r;
  }
  if (w.kernel.now() < progress.deadlineNs) return w.waitUntil(progress.deadlineNs);
  const bounded = w.partner;
  if (bounded === null || bounded.isDone) return -ENOENT;
  bounded.partner = w.partner = null;
  ring.complete(bounded, -ECANCELED);
  return -ETIME;
}

function findRequest(ring: Uring, self: Worker, wanted: (w: Worker) => boolean): Worker | null {
  for (const w of ring.inFlight) if (w !== self && wanted(w)) return w;
  return null;
}

const UPDATES = U.IORING_POLL_UPDATE_EVENTS | U.IORING_POLL_UPDATE_USER_DATA;

export function checkRemovePoll({ bufIndex, spliceFd, len, off, rwFlags }: Sqe): number {
  if (bufIndex !== 0 || spliceFd !== 0) return -EINVAL;
  if ((len & ~(UPDATES | U.IORING_POLL_ADD_MULTI)) !== 0) return -EINVAL;
  if (len === U.IORING_POLL_ADD_MULTI) return -EINVAL;
  if ((len & U.IORING_POLL_UPDATE_USER_DATA) === 0 && off !== 0) return -EINVAL;
  return (len & U.IORING_POLL_UPDATE_EVENTS) === 0 && rwFlags !== 0 ? -EINVAL : 0;
}

/** IORING_OP_POLL_REMOVE; with IORING_POLL_UPDATE_* changes events or user_data. */
export function removePoll(w: Worker): number {
  const { sqe, ring } = w;
  const found = findRequest(
    ring,
    w,
    (o) => o.sqe.opcode === U.IORING_OP_POLL_ADD && sqe.isAbout(o.sqe),
  );
  if (found === null) return -ENOENT;
  if ((sqe.len & UPDATES) === 0) {
    ring.complete(found, -ECANCELED);
    return 0;
  }
  if ((sqe.len & U.IORING_POLL_UPDATE_EVENTS) !== 0) found.sqe.rwFlags = sqe.rwFlags;
  if ((sqe.len & U.IORING_POLL_UPDATE_USER_DATA) !== 0) {
    found.sqe.userLo = sqe.offLo;
    found.sqe.userHi = sqe.offHi;
  }
  found.wake();
  return 0;
}

/** IORING_OP_TIMEOUT_REMOVE; with IORING_TIMEOUT_UPDATE sets a new time. */
export function removeTimeout(w: Worker): number {
  const { sqe, ring } = w;
  const isUpdate = (sqe.rwFlags & U.IORING_TIMEOUT_UPDATE) !== 0;
  const isLinked = (sqe.rwFlags & U.IORING_LINK_TIMEOUT_UPDATE) !== 0;
  const known = isUpdate
    ? U.IORING_TIMEOUT_UPDATE | U.IORING_LINK_TIMEOUT_UPDATE | U.IORING_TIMEOUT_ABS | CLOCKS
    : 0;
  if (sqe.len !== 0 || sqe.ioprio !== 0 || sqe.bufIndex !== 0 || sqe.spliceFd !== 0) {
    return -EINVAL;
  }
  if ((sqe.rwFlags & ~known) !== 0) return -EINVAL;
  const at = isUpdate ? deadlineOf(w, sqe.off, sqe.rwFlags) : 0;
  if (at < 0) return at;
  const opcode = isLinked ? U.IORING_OP_LINK_TIMEOUT : U.IORING_OP_TIMEOUT;
  const found = findRequest(ring, w, (o) => o.sqe.opcode === opcode && sqe.isAbout(o.sqe));
  if (found === null) return -ENOENT;
  if (!isUpdate) ring.complete(found, -ECANCELED);
  else {
    found.progress.deadlineNs = at;
    found.progress.isRealtime = isRealtime(sqe.rwFlags);
    found.wake();
  }
  return 0;
}
