/** io_uring_setup(2). Neighbours: ring_memory.ts (shared memory), ring.ts, enter.ts. */

import { EFAULT, EINVAL, ENOMEM, ENXIO } from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { MAP_FIXED, MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../../ffi/abi/mman.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { RINGS } from "../../core/quota.ts";
import { MAX_RING_FDS, RingFds } from "../registered_rings.ts";
import type { Task } from "../../task/task.ts";
import { installNew } from "../../syscalls/io/install.ts";
import { RING_AT, UringMemory } from "../ring_memory.ts";
import { Uring } from "../ring.ts";
import { SqPoller } from "../sq_poller.ts";

/** LIMIT: IORING_MAX_ENTRIES, IORING_MAX_CQ_ENTRIES. */
const MAX_ENTRIES = 32768, MAX_CQ_ENTRIES = 2 * MAX_ENTRIES;

const SETUP_FLAGS = U.IORING_SETUP_IOPOLL | U.IORING_SETUP_SQPOLL | U.IORING_SETUP_SQ_AFF |
  U.IORING_SETUP_CQSIZE | U.IORING_SETUP_CLAMP | U.IORING_SETUP_ATTACH_WQ |
  U.IORING_SETUP_R_DISABLED | U.IORING_SETUP_SUBMIT_ALL | U.IORING_SETUP_COOP_TASKRUN |
  U.IORING_SETUP_TASKRUN_FLAG | U.IORING_SETUP_SINGLE_ISSUER | U.IORING_SETUP_DEFER_TASKRUN |
  U.IORING_SETUP_NO_SQARRAY | U.IORING_SETUP_SQE128 | U.IORING_SETUP_CQE32 |
  U.IORING_SETUP_NO_MMAP | U.IORING_SETUP_REGISTERED_FD_ONLY;
const FEATURES = U.IORING_FEAT_SINGLE_MMAP | U.IORING_FEAT_NODROP | U.IORING_FEAT_SUBMIT_STABLE |
  U.IORING_FEAT_RW_CUR_POS | U.IORING_FEAT_CUR_PERSONALITY | U.IORING_FEAT_FAST_POLL |
  U.IORING_FEAT_POLL_32BITS | U.IORING_FEAT_SQPOLL_NONFIXED | U.IORING_FEAT_EXT_ARG |
  U.IORING_FEAT_NATIVE_WORKERS | U.IORING_FEAT_RSRC_TAGS | U.IORING_FEAT_CQE_SKIP |
  U.IORING_FEAT_LINKED_FILE | U.IORING_FEAT_REG_REG_RING | U.IORING_FEAT_MIN_TIMEOUT |
  U.IORING_FEAT_RECVSEND_BUNDLE;

const P = U.IoUringParams.at;

function powerOfTwo(n: number): number {
  return n <= 1 ? 1 : 2 ** (32 - Math.clz32(n - 1));
}

/** Checks the combination of flags (io_uring_setup(2)): 0 or -EINVAL. */
function checkFlags(flags: number): number {
  const has = (bits: number): boolean => (flags & bits) !== 0;
  if ((flags & ~SETUP_FLAGS) !== 0) return -EINVAL;
  if (has(U.IORING_SETUP_REGISTERED_FD_ONLY) && !has(U.IORING_SETUP_NO_MMAP)) return -EINVAL;
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
  const cpu = dv.getUint32(P.sqThreadCpu, true);
  if ((flags & U.IORING_SETUP_SQ_AFF) !== 0 && cpu >= t.kernel.host.cpuCount) return -EINVAL;
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
  // Rings have no threads that another ring could share.
  if ((flags & U.IORING_SETUP_ATTACH_WQ) !== 0) {
    const other = t.files.get(dv.getInt32(P.wqFd, true));
    if (other === null) return -ENXIO;
    if (!(other instanceof Uring)) return -EINVAL;
  }
  const sqeBytes = (flags & U.IORING_SETUP_SQE128) !== 0
    ? 2 * U.IoUringSqe.size
    : U.IoUringSqe.size;
  const cqeBytes = (flags & U.IORING_SETUP_CQE32) !== 0 ? 2 * U.IoUringCqe.size : U.IoUringCqe.size;
  const shape = { sqEntries: entries, cqEntries, sqeBytes, cqeBytes };
  if (!RINGS.hasRoom(1, t.account)) return -ENOMEM;
  const memory = UringMemory.create(t.kernel.memory, { dev: 0, ino: 0 }, shape);
  if (memory === null) return -ENOMEM;
  const ring = new Uring(t.account, t.kernel.anon, memory, flags, shape, t.mm.layout.maxAddress);
  try {
    return finishSetup(t, ring, addr, sqpollIdle);
  } catch (cause) {
    ring.drop();
    throw cause;
  }
}

/**
 * Installs the ring's descriptor and copies its parameters out: 0 or -errno; after an error the
 * ring is gone.
 */
function finishSetup(t: Task, ring: Uring, addr: number, sqpollIdle: number): number {
  const { u8, dv } = t.kernel.scratch, { memory, setup: flags } = ring;
  if (!ring.isDisabled) ring.chooseIssuer(t);
  if ((flags & U.IORING_SETUP_SQPOLL) !== 0) ring.poller = new SqPoller(t);
  fillRing(ring);
  const rings = pointerAt(dv, P.cqOff + U.CqOffsets.at.userAddr);
  const sqes = pointerAt(dv, P.sqOff + U.SqOffsets.at.userAddr);
  const isPlaced = (flags & U.IORING_SETUP_NO_MMAP) !== 0;
  let result = isPlaced ? placeRing(t, memory, rings, sqes) : 0;
  describe(t, ring, flags, sqpollIdle);
  if (isPlaced) {
    setPointer(dv, P.cqOff + U.CqOffsets.at.userAddr, rings);
    setPointer(dv, P.sqOff + U.SqOffsets.at.userAddr, sqes);
  }
  if (result === 0 && t.mm.copyOut(addr, u8, 0, U.IoUringParams.size) < 0) result = -EFAULT;
  t.ringFds ??= new RingFds();
  if (result === 0 && (flags & U.IORING_SETUP_REGISTERED_FD_ONLY) === 0) {
    return installNew(t, ring, true);
  }
  if (result === 0) result = t.ringFds.add(ring, 0, MAX_RING_FDS);
  ring.drop();
  return result;
}

function pointerAt(dv: DataView, at: number): number {
  return dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
}
function setPointer(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value % 0x100000000, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}

/**
 * IORING_SETUP_NO_MMAP: the ring is in memory of the caller. DIFFERS: the ring replaces the mapping
 * there, so a child shares the ring, and a file that was mapped there does not see it.
 */
function placeRing(t: Task, memory: UringMemory, rings: number, sqes: number): number {
  const { mm } = t,
    ringBytes = memory.ringPages * PAGE_SIZE,
    sqeBytes = memory.sqePages * PAGE_SIZE;
  if (rings % PAGE_SIZE !== 0 || sqes % PAGE_SIZE !== 0) return -EINVAL;
  if (!isWritable(t, rings, ringBytes) || !isWritable(t, sqes, sqeBytes)) return -EFAULT;
  const prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;
  const r = mm.mmap(rings, ringBytes, prot, flags, memory, U.IORING_OFF_SQ_RING);
  if (r < 0) return r;
  return Math.min(0, mm.mmap(sqes, sqeBytes, prot, flags, memory, U.IORING_OFF_SQES));
}

/** True if the process may write all of [start, start + bytes). */
function isWritable({ mm }: Task, start: number, bytes: number): boolean {
  for (let at = start; at < start + bytes;) {
    const area = mm.vmas.find(at);
    if (area === null || (area.prot & PROT_WRITE) === 0) return false;
    at = area.end;
  }
  return true;
}

function fillRing({ memory, setup, sqEntries, cqEntries }: Uring): void {
  memory.setWord(RING_AT.sqMask, sqEntries - 1);
  memory.setWord(RING_AT.cqMask, cqEntries - 1);
  memory.setWord(RING_AT.sqEntries, sqEntries);
  memory.setWord(RING_AT.cqEntries, cqEntries);
  // There is no polling thread: it appears asleep, and wants a wake-up for each submission.
  if ((setup & U.IORING_SETUP_SQPOLL) !== 0) {
    memory.setWord(RING_AT.sqFlags, U.IORING_SQ_NEED_WAKEUP);
  }
}

/** Builds struct io_uring_params in the scratch buffer. */
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
