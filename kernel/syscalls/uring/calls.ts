/** io_uring_setup(2) and io_uring_enter(2). Neighbours: ring.ts, register.ts (io_uring_register(2)). */

import { EBADF, EBADFD, EFAULT, EINVAL, ENOMEM, ETIME } from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { POLLIN } from "../../../ffi/abi/poll.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { isRestartCode } from "../../task/return_to_user.ts";
import { restoreMask } from "../../task/signal/mask.ts";
import { RingFds } from "../../task/ring_fds.ts";
import type { Task } from "../../task/task.ts";
import { installNew } from "../io/install.ts";
import { useMask } from "../io/poll.ts";
import { monotonicDeadline, readTimespec, spanNs } from "../timespec.ts";
import { RING_AT, RingMemory } from "./memory.ts";
import { Uring } from "./ring.ts";
import { registeredRing, ringOf } from "./ring_fds.ts";

/** LIMIT: IORING_MAX_ENTRIES, IORING_MAX_CQ_ENTRIES. */
const MAX_ENTRIES = 32768, MAX_CQ_ENTRIES = 2 * MAX_ENTRIES;

const SETUP_FLAGS = U.IORING_SETUP_IOPOLL | U.IORING_SETUP_SQPOLL | U.IORING_SETUP_SQ_AFF |
  U.IORING_SETUP_CQSIZE | U.IORING_SETUP_CLAMP | U.IORING_SETUP_ATTACH_WQ |
  U.IORING_SETUP_R_DISABLED | U.IORING_SETUP_SUBMIT_ALL | U.IORING_SETUP_COOP_TASKRUN |
  U.IORING_SETUP_TASKRUN_FLAG | U.IORING_SETUP_SINGLE_ISSUER | U.IORING_SETUP_DEFER_TASKRUN |
  U.IORING_SETUP_NO_SQARRAY;
const FEATURES = U.IORING_FEAT_SINGLE_MMAP | U.IORING_FEAT_NODROP | U.IORING_FEAT_SUBMIT_STABLE |
  U.IORING_FEAT_RW_CUR_POS | U.IORING_FEAT_CUR_PERSONALITY | U.IORING_FEAT_FAST_POLL |
  U.IORING_FEAT_POLL_32BITS | U.IORING_FEAT_SQPOLL_NONFIXED | U.IORING_FEAT_EXT_ARG |
  U.IORING_FEAT_NATIVE_WORKERS | U.IORING_FEAT_RSRC_TAGS | U.IORING_FEAT_CQE_SKIP |
  U.IORING_FEAT_LINKED_FILE | U.IORING_FEAT_REG_REG_RING;
const ENTER_FLAGS = U.IORING_ENTER_GETEVENTS | U.IORING_ENTER_SQ_WAKEUP |
  U.IORING_ENTER_SQ_WAIT | U.IORING_ENTER_REGISTERED_RING | U.IORING_ENTER_EXT_ARG |
  U.IORING_ENTER_ABS_TIMER;

const P = U.IoUringParams.at, ARG = U.IoUringGeteventsArg;

function powerOfTwo(n: number): number {
  return n <= 1 ? 1 : 2 ** (32 - Math.clz32(n - 1));
}

/** Which flags go together (io_uring_setup(2)): 0 or -EINVAL. */
function checkFlags(flags: number): number {
  const has = (bits: number): boolean => (flags & bits) !== 0;
  if ((flags & ~SETUP_FLAGS) !== 0) return -EINVAL;
  if (has(U.IORING_SETUP_SQ_AFF) && !has(U.IORING_SETUP_SQPOLL)) return -EINVAL;
  const asks = U.IORING_SETUP_COOP_TASKRUN | U.IORING_SETUP_TASKRUN_FLAG |
    U.IORING_SETUP_DEFER_TASKRUN;
  if (has(U.IORING_SETUP_SQPOLL) && has(asks)) return -EINVAL;
  const defers = has(U.IORING_SETUP_DEFER_TASKRUN);
  if (has(U.IORING_SETUP_TASKRUN_FLAG) && !has(U.IORING_SETUP_COOP_TASKRUN) && !defers) {
    return -EINVAL;
  }
  return defers && !has(U.IORING_SETUP_SINGLE_ISSUER) ? -EINVAL : 0;
}

export function sysIoUringSetup(t: Task, a: SyscallArgs): number {
  const addr = a.u64(1), { u8, dv } = t.kernel.scratch;
  if (t.mm.copyIn(u8, 0, addr, U.IoUringParams.size) !== 0) return -EFAULT;
  for (let i = 0; i < 3; i++) if (dv.getUint32(P.resv + 4 * i, true) !== 0) return -EINVAL;
  const flags = dv.getUint32(P.flags, true), sqpollIdle = dv.getUint32(P.sqThreadIdle, true);
  const r = checkFlags(flags);
  if (r < 0) return r;
  let entries = a.u32(0), cqEntries = 2 * powerOfTwo(Math.min(entries, MAX_ENTRIES));
  const clamps = (flags & U.IORING_SETUP_CLAMP) !== 0;
  if (entries === 0 || (entries > MAX_ENTRIES && !clamps)) return -EINVAL;
  entries = powerOfTwo(Math.min(entries, MAX_ENTRIES));
  if ((flags & U.IORING_SETUP_CQSIZE) !== 0) {
    const wanted = dv.getUint32(P.cqEntries, true);
    if (wanted === 0 || (wanted > MAX_CQ_ENTRIES && !clamps)) return -EINVAL;
    cqEntries = powerOfTwo(Math.min(wanted, MAX_CQ_ENTRIES));
    if (cqEntries < entries) return -EINVAL;
  }
  // There is no other ring's thread to share.
  if ((flags & U.IORING_SETUP_ATTACH_WQ) !== 0) {
    const other = t.files.get(dv.getInt32(P.wqFd, true));
    if (other === null) return -EBADF;
    if (!(other instanceof Uring)) return -EINVAL;
  }
  const memory = RingMemory.create(t.kernel.memory, { dev: 0, ino: 0 }, entries, cqEntries);
  if (memory === null) return -ENOMEM;
  const ring = new Uring(memory, flags, entries, cqEntries, t.mm.layout.maxAddress);
  fillRing(ring);
  describe(t, ring, flags, sqpollIdle);
  if (t.mm.copyOut(addr, u8, 0, U.IoUringParams.size) < 0) {
    ring.drop();
    return -EFAULT;
  }
  t.ringFds ??= new RingFds();
  return installNew(t, ring, true);
}

function fillRing({ memory, setup, sqEntries, cqEntries }: Uring): void {
  memory.setWord(RING_AT.sqMask, sqEntries - 1);
  memory.setWord(RING_AT.cqMask, cqEntries - 1);
  memory.setWord(RING_AT.sqEntries, sqEntries);
  memory.setWord(RING_AT.cqEntries, cqEntries);
  // There is no thread that polls: it sleeps, and wants to be woken for each submission.
  if ((setup & U.IORING_SETUP_SQPOLL) !== 0) {
    memory.setWord(RING_AT.sqFlags, U.IORING_SQ_NEED_WAKEUP);
  }
}

/** struct io_uring_params into the scratch buffer. */
function describe(t: Task, ring: Uring, flags: number, idle: number): void {
  const { dv } = t.kernel.scratch, S = U.SqOffsets.at, C = U.CqOffsets.at;
  t.kernel.scratch.clear(U.IoUringParams.size);
  dv.setUint32(P.sqEntries, ring.sqEntries, true);
  dv.setUint32(P.cqEntries, ring.cqEntries, true);
  dv.setUint32(P.flags, flags, true);
  dv.setUint32(P.sqThreadIdle, idle, true);
  dv.setUint32(P.features, FEATURES, true);
  const sq = P.sqOff, cq = P.cqOff;
  dv.setUint32(sq + S.head, RING_AT.sqHead, true);
  dv.setUint32(sq + S.tail, RING_AT.sqTail, true);
  dv.setUint32(sq + S.ringMask, RING_AT.sqMask, true);
  dv.setUint32(sq + S.ringEntries, RING_AT.sqEntries, true);
  dv.setUint32(sq + S.flags, RING_AT.sqFlags, true);
  dv.setUint32(sq + S.dropped, RING_AT.sqDropped, true);
  const hasArray = (flags & U.IORING_SETUP_NO_SQARRAY) === 0;
  dv.setUint32(sq + S.array, hasArray ? ring.memory.arrayAt : 0, true);
  dv.setUint32(cq + C.head, RING_AT.cqHead, true);
  dv.setUint32(cq + C.tail, RING_AT.cqTail, true);
  dv.setUint32(cq + C.ringMask, RING_AT.cqMask, true);
  dv.setUint32(cq + C.ringEntries, RING_AT.cqEntries, true);
  dv.setUint32(cq + C.overflow, RING_AT.cqOverflow, true);
  dv.setUint32(cq + C.cqes, RING_AT.cqes, true);
  dv.setUint32(cq + C.flags, RING_AT.cqFlags, true);
}

/** io_uring_enter(2). What was submitted is in `progress.done` and counts, whatever becomes of the wait. */
export function sysIoUringEnter(t: Task, a: SyscallArgs): number {
  const toSubmit = a.u32(1), flags = a.u32(3), { progress } = t;
  if ((flags & ~ENTER_FLAGS) !== 0) return -EINVAL;
  const isRegistered = (flags & U.IORING_ENTER_REGISTERED_RING) !== 0;
  const ring = isRegistered ? registeredRing(t, a.u32(0)) : ringOf(t, a.i32(0));
  if (typeof ring === "number") return ring;
  if (ring.isDisabled) return -EBADFD;
  if (progress.step === 0) {
    (t.group.rings ??= new Set()).add(ring);
    const isPolled = (ring.setup & U.IORING_SETUP_SQPOLL) !== 0;
    const wakesUp = (flags & U.IORING_ENTER_SQ_WAKEUP) !== 0;
    const wanted = !isPolled ? toSubmit : wakesUp ? ring.sqEntries : 0;
    const r = wanted > progress.done ? submit(t, ring, wanted) : 0;
    if (r === BLOCK) return r;
    if (isPolled) progress.done = toSubmit;
    // What could not be taken is not waited for.
    else if (progress.done !== toSubmit) return progress.done > 0 ? progress.done : r;
    progress.step = 1;
  }
  if ((flags & U.IORING_ENTER_GETEVENTS) === 0) return progress.done;
  const r = waitForEvents(t, a, ring, flags);
  return r === BLOCK || progress.done === 0 ? r : progress.done;
}

/** Takes requests until `wanted` are in `progress.done`, or what can be: 0, -errno, or BLOCK to go on next turn. */
function submit(t: Task, ring: Uring, wanted: number): number {
  const taken = ring.submit(t, wanted - t.progress.done);
  if (taken < 0) return taken;
  t.progress.done += taken;
  return ring.hasMore ? t.yieldTurn() : 0;
}

function waitForEvents(t: Task, a: SyscallArgs, ring: Uring, flags: number): number {
  const { progress } = t;
  ring.flushLate();
  if (progress.deadlineNs < 0) {
    const r = readArguments(t, a, flags);
    if (r < 0) return r;
  }
  const wanted = Math.min(a.u32(2), ring.cqEntries);
  let r = 0;
  if (ring.available < wanted) {
    if (t.kernel.now() >= progress.deadlineNs) r = -ETIME;
    else {
      r = t.waitFor(ring.waitQueue, POLLIN);
      if (r === BLOCK) return t.waitUntil(progress.deadlineNs);
    }
  }
  if (!isRestartCode(r) && usesMask(a, flags)) restoreMask(t);
  return r;
}

function usesMask(a: SyscallArgs, flags: number): boolean {
  return a.u64(4) !== 0 && (flags & U.IORING_ENTER_EXT_ARG) === 0;
}

/** A signal mask, or with IORING_ENTER_EXT_ARG a mask and a time. */
function readArguments(t: Task, a: SyscallArgs, flags: number): number {
  const { progress } = t, { u8, dv } = t.kernel.scratch;
  let mask = a.u64(4), maskBytes = a.u64(5);
  progress.deadlineNs = Infinity;
  if ((flags & U.IORING_ENTER_EXT_ARG) !== 0) {
    if (maskBytes !== ARG.size) return -EINVAL;
    if (t.mm.copyIn(u8, 0, mask, ARG.size) !== 0) return -EFAULT;
    const low = dv.getUint32(ARG.at.ts, true), high = dv.getUint32(ARG.at.ts + 4, true);
    const maskAddr = dv.getUint32(ARG.at.sigmask, true) +
      dv.getUint32(ARG.at.sigmask + 4, true) * 0x100000000;
    maskBytes = dv.getUint32(ARG.at.sigmaskSz, true);
    mask = maskAddr;
    if (low !== 0 || high !== 0) {
      const r = readTimespec(t, low + high * 0x100000000);
      if (r < 0) return r;
      const isAbsolute = (flags & U.IORING_ENTER_ABS_TIMER) !== 0;
      progress.deadlineNs = isAbsolute ? monotonicDeadline(t) : t.kernel.now() + spanNs();
    }
  }
  return mask === 0 ? 0 : useMask(t, mask, maskBytes);
}
