/** io_uring_enter(2). Neighbours: ring.ts, setup.ts, register.ts (io_uring_register(2)). */

import { EBADFD, EEXIST, EFAULT, EINVAL, EOWNERDEAD, ETIME } from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { POLLIN } from "../../../ffi/abi/poll.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { isRestartCode } from "../../task/return_to_user.ts";
import { restoreMask } from "../../signal/mask.ts";
import type { Task } from "../../task/task.ts";
import { useMask } from "../../syscalls/io/poll.ts";
import { readTimespec } from "../../syscalls/timespec.ts";
import type { Uring } from "../ring.ts";
import { registeredRing, ringOf } from "../ring_fds.ts";

const ENTER_FLAGS = U.IORING_ENTER_GETEVENTS | U.IORING_ENTER_SQ_WAKEUP |
  U.IORING_ENTER_SQ_WAIT | U.IORING_ENTER_REGISTERED_RING | U.IORING_ENTER_EXT_ARG |
  U.IORING_ENTER_ABS_TIMER;
const ARG = U.IoUringGeteventsArg;

/**
 * io_uring_enter(2). The number of submitted requests is in `progress.done`; it is the result
 * whatever happens to the wait.
 */
export function sysIoUringEnter(t: Task, a: SyscallArgs): number {
  const toSubmit = a.u32(1), flags = a.u32(3), { progress } = t;
  if ((flags & ~ENTER_FLAGS) !== 0) return -EINVAL;
  const isRegistered = (flags & U.IORING_ENTER_REGISTERED_RING) !== 0;
  const ring = isRegistered ? registeredRing(t, a.u32(0)) : ringOf(t, a.i32(0));
  if (typeof ring === "number") return ring;
  if (ring.isDisabled) return -EBADFD;
  if (progress.step === 0) {
    const isPolled = ring.poller !== null, submitter = isPolled ? ring.poller?.task ?? null : t;
    if (submitter === null) return -EOWNERDEAD;
    (submitter.group.rings ??= new Set()).add(ring);
    const wakesUp = (flags & U.IORING_ENTER_SQ_WAKEUP) !== 0;
    if (!isPolled && toSubmit > 0 && ring.isAnothers(t)) return -EEXIST;
    const wanted = !isPolled ? toSubmit : wakesUp ? ring.sqEntries : 0;
    const r = wanted > progress.done ? submitRequests(t, ring, submitter, wanted) : 0;
    if (r === BLOCK) return r;
    if (isPolled) progress.done = toSubmit;
    // After an incomplete submission there is no wait.
    else if (progress.done !== toSubmit) return progress.done > 0 ? progress.done : r;
    progress.step = 1;
  }
  if ((flags & U.IORING_ENTER_GETEVENTS) === 0) return progress.done;
  const isDeferred = (ring.setup & U.IORING_SETUP_DEFER_TASKRUN) !== 0;
  const r = isDeferred && ring.isAnothers(t) ? -EEXIST : waitForEvents(t, a, ring, flags);
  return r === BLOCK || progress.done === 0 ? r : progress.done;
}

/**
 * Submits requests until `wanted` are in `progress.done`, or as many as possible: 0, -errno, or
 * BLOCK to continue in the next turn.
 */
function submitRequests(t: Task, ring: Uring, submitter: Task, wanted: number): number {
  const taken = ring.submit(submitter, wanted - t.progress.done);
  if (taken < 0) return taken;
  t.progress.done += taken;
  return ring.hasMore ? t.yieldTurn() : 0;
}

function waitForEvents(t: Task, a: SyscallArgs, ring: Uring, flags: number): number {
  const { progress } = t;
  ring.flushLate();
  const wanted = Math.min(a.u32(2), ring.cqEntries);
  if (progress.deadlineNs < 0) {
    const r = readArguments(t, a, flags, ring, wanted);
    if (r < 0) return r;
  }
  let r = 0;
  if (ring.available < wanted) {
    const until = nextDeadline(t, ring);
    if (t.kernel.now() >= until) r = -ETIME;
    else {
      r = t.waitFor(ring.waitQueue, POLLIN);
      if (r === BLOCK) return t.waitUntil(until);
    }
  }
  if (!isRestartCode(r)) restoreMask(t);
  // A caller that gets fewer than requested does not get the reason.
  return ring.available > 0 ? 0 : r;
}

/**
 * The deadline of the wait: first for all wanted completions, as long as the caller said
 * (`progress.value`, 0: not at all), then for one, if the caller requested that.
 */
function nextDeadline({ progress, kernel }: Task, ring: Uring): number {
  const { value: first, deadlineNs } = progress;
  if (first === 0) return deadlineNs;
  const isOver = kernel.now() >= first && ring.available === 0 && deadlineNs !== Infinity;
  return isOver ? deadlineNs : first;
}

/**
 * Reads a signal mask, or with IORING_ENTER_EXT_ARG a mask and times. A call that need not wait
 * does not look at the mask.
 */
function readArguments(
  t: Task,
  a: SyscallArgs,
  flags: number,
  ring: Uring,
  wanted: number,
): number {
  const { progress } = t, { u8, dv } = t.kernel.scratch;
  let mask = a.u64(4), maskBytes = a.u64(5);
  progress.deadlineNs = Infinity;
  if ((flags & U.IORING_ENTER_EXT_ARG) !== 0) {
    if (maskBytes !== ARG.size) return -EINVAL;
    if (t.mm.copyIn(u8, 0, mask, ARG.size) !== 0) return -EFAULT;
    const low = dv.getUint32(ARG.at.ts, true), high = dv.getUint32(ARG.at.ts + 4, true);
    const maskAddr = dv.getUint32(ARG.at.sigmask, true) +
      dv.getUint32(ARG.at.sigmask + 4, true) * 0x100000000;
    const firstUs = dv.getUint32(ARG.at.minWaitUsec, true);
    if (firstUs !== 0) progress.value = t.kernel.now() + firstUs * 1000;
    maskBytes = dv.getUint32(ARG.at.sigmaskSz, true);
    mask = maskAddr;
    if (low !== 0 || high !== 0) {
      const time = readTimespec(t, low + high * 0x100000000);
      if (typeof time === "number") return time;
      const isAbsolute = (flags & U.IORING_ENTER_ABS_TIMER) !== 0;
      progress.deadlineNs = isAbsolute
        ? time.monotonicDeadline(t, ring.usesBoottime)
        : t.kernel.now() + time.spanNs();
    }
  }
  return mask === 0 || ring.available >= wanted ? 0 : useMask(t, mask, maskBytes);
}
