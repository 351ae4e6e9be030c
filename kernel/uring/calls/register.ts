/**
 * io_uring_register(2): files, buffers, an eventfd, credentials, and the list of supported
 * operations.
 */

import {
  EACCES,
  EBADF,
  EBADFD,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOMEM,
  ENXIO,
  EOPNOTSUPP,
} from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC } from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { RING_ENTRIES } from "../../core/quota.ts";
import { EventFile } from "../../fs/anonfd/eventfd.ts";
import type { Task } from "../../task/task.ts";
import { bufferRingStatus, registerBufferRing, unregisterBufferRing } from "../buffer_rings.ts";
import { registerRestrictions } from "../restrictions.ts";
import { LAST_OPCODE, operationOf } from "../operations.ts";
import {
  copyBuffers,
  registerBuffers,
  registerFiles,
  registerFilesUpdate,
  registerResources,
  releaseBuffers,
  releaseFiles,
  setAllocRange,
  updateResources,
} from "../register_resources.ts";
import type { Uring } from "../ring.ts";
import { syncCancel } from "../cancel.ts";
import { registerAffinity, registerMaxWorkers } from "../worker_settings.ts";
import { registeredRing, registerRingFds, ringOf, unregisterRingFds } from "../ring_fds.ts";

const PROBE_HEAD = 16, MAX_PROBE = 256, MAX_PERSONALITY = 0xffff;

export function sysIoUringRegister(t: Task, a: SyscallArgs): number {
  const isRegistered = a.u32(1) >= U.IORING_REGISTER_USE_REGISTERED_RING;
  const ring = isRegistered ? registeredRing(t, a.u32(0)) : ringOf(t, a.i32(0));
  if (typeof ring === "number") return ring;
  if (ring.isAnothers(t)) return -EEXIST;
  const opcode = a.u32(1) % U.IORING_REGISTER_USE_REGISTERED_RING,
    arg = a.u64(2),
    count = a.u32(3),
    { restrictions } = ring;
  if (restrictions !== null && !ring.isDisabled && !restrictions.registerOps.has(opcode)) {
    return -EACCES;
  }
  switch (opcode) {
    case U.IORING_REGISTER_BUFFERS:
      return arg === 0 ? -EFAULT : registerBuffers(t, ring, arg, count, 0);
    case U.IORING_UNREGISTER_BUFFERS:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (ring.buffers === null) return -ENXIO;
      releaseBuffers(ring);
      return 0;
    case U.IORING_REGISTER_FILES:
      return arg === 0 ? -EFAULT : registerFiles(t, ring, arg, count, 0);
    case U.IORING_UNREGISTER_FILES:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (ring.files === null) return -ENXIO;
      releaseFiles(ring);
      return 0;
    case U.IORING_REGISTER_FILES_UPDATE:
      return registerFilesUpdate(t, ring, arg, count);
    case U.IORING_REGISTER_FILES2:
    case U.IORING_REGISTER_BUFFERS2:
      return registerResources(t, ring, arg, count, opcode === U.IORING_REGISTER_FILES2);
    case U.IORING_REGISTER_FILES_UPDATE2:
    case U.IORING_REGISTER_BUFFERS_UPDATE:
      return updateResources(t, ring, arg, count, opcode === U.IORING_REGISTER_FILES_UPDATE2);
    case U.IORING_REGISTER_RING_FDS:
      return registerRingFds(t, arg, count);
    case U.IORING_UNREGISTER_RING_FDS:
      return unregisterRingFds(t, arg, count);
    case U.IORING_REGISTER_SYNC_CANCEL:
      return syncCancel(t, ring, arg, count);
    case U.IORING_REGISTER_FILE_ALLOC_RANGE:
      return setAllocRange(t, ring, arg, count);
    case U.IORING_REGISTER_EVENTFD:
    case U.IORING_REGISTER_EVENTFD_ASYNC:
      return count !== 1 ? -EINVAL : registerEventFile(t, ring, arg);
    case U.IORING_UNREGISTER_EVENTFD:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (ring.eventFile === null) return -ENXIO;
      ring.eventFile.drop();
      ring.eventFile = null;
      return 0;
    case U.IORING_REGISTER_PROBE:
      return count > MAX_PROBE ? -EINVAL : probe(t, arg, count);
    case U.IORING_REGISTER_PERSONALITY:
      return arg !== 0 || count !== 0 ? -EINVAL : registerPersonality(t, ring);
    case U.IORING_UNREGISTER_PERSONALITY:
      if (arg !== 0 || !ring.personalities.delete(count)) return -EINVAL;
      RING_ENTRIES.give(1, ring.account);
      return 0;
    case U.IORING_REGISTER_RESTRICTIONS:
      return registerRestrictions(t, ring, arg, count);
    case U.IORING_REGISTER_PBUF_RING:
      return registerBufferRing(t, ring, arg, count);
    case U.IORING_UNREGISTER_PBUF_RING:
      return unregisterBufferRing(t, ring, arg, count);
    case U.IORING_REGISTER_PBUF_STATUS:
      return bufferRingStatus(t, ring, arg, count);
    case U.IORING_REGISTER_IOWQ_AFF:
      return registerAffinity(t, arg, count);
    case U.IORING_UNREGISTER_IOWQ_AFF:
      return arg !== 0 || count !== 0 ? -EINVAL : 0;
    case U.IORING_REGISTER_IOWQ_MAX_WORKERS:
      return registerMaxWorkers(t, ring, arg, count);
    case U.IORING_REGISTER_NAPI:
      // As a kernel without CONFIG_NET_RX_BUSY_POLL.
      return arg === 0 || count !== 1 ? -EINVAL : -EOPNOTSUPP;
    case U.IORING_UNREGISTER_NAPI:
      return count !== 1 ? -EINVAL : -EOPNOTSUPP;
    case U.IORING_REGISTER_CLOCK:
      return arg === 0 || count !== 0 ? -EINVAL : registerClock(t, ring, arg);
    case U.IORING_REGISTER_CLONE_BUFFERS:
      return arg === 0 || count !== 1 ? -EINVAL : cloneBuffers(t, ring, arg);
    case U.IORING_REGISTER_ENABLE_RINGS:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (!ring.isDisabled) return -EBADFD;
      ring.isDisabled = false;
      ring.chooseIssuer(t);
      return 0;
    default:
      return -EINVAL;
  }
}

function registerEventFile(t: Task, ring: Uring, arg: number): number {
  if (ring.eventFile !== null) return -EBUSY;
  const fd = t.mm.load32(arg);
  if (fd < 0) return -EFAULT;
  const file = t.files.get(fd | 0);
  if (file === null) return -EBADF;
  if (!(file instanceof EventFile)) return -EINVAL;
  ring.eventFile = file.hold();
  return 0;
}

function registerPersonality(t: Task, ring: Uring): number {
  if (ring.lastPersonality >= MAX_PERSONALITY) return -EEXIST;
  if (!RING_ENTRIES.take(1, ring.account)) return -ENOMEM;
  ring.personalities.set(++ring.lastPersonality, t.cred);
  return ring.lastPersonality;
}

/** IORING_REGISTER_CLOCK: the clock for absolute times of waits. */
function registerClock(t: Task, ring: Uring, arg: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringClockRegister;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  for (let i = 0; i < 3; i++) if (dv.getUint32(at.resv + 4 * i, true) !== 0) return -EINVAL;
  const clock = dv.getUint32(at.clockid, true);
  if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_BOOTTIME) return -EINVAL;
  ring.usesBoottime = clock === CLOCK_BOOTTIME;
  return 0;
}

/** struct io_uring_clone_buffers: shares the registered buffers of another ring. */
function cloneBuffers(t: Task, ring: Uring, arg: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringCloneBuffers;
  if (ring.buffers !== null) return -EBUSY;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  const fd = dv.getUint32(at.srcFd, true), flags = dv.getUint32(at.flags, true);
  if ((flags & ~U.IORING_REGISTER_SRC_REGISTERED) !== 0) return -EINVAL;
  for (let i = at.pad; i < size; i++) if (dv.getUint8(i) !== 0) return -EINVAL;
  const isPlace = (flags & U.IORING_REGISTER_SRC_REGISTERED) !== 0;
  const source = isPlace ? registeredRing(t, fd) : ringOf(t, fd | 0);
  return typeof source === "number" ? source : copyBuffers(source, ring);
}

/** IORING_REGISTER_PROBE: the supported operations. */
function probe(t: Task, arg: number, count: number): number {
  const size = PROBE_HEAD + count * U.IoUringProbeOp.size, { u8, dv } = t.kernel.scratch;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  for (let i = 0; i < size; i++) if (u8[i] !== 0) return -EINVAL;
  const n = Math.min(count, LAST_OPCODE + 1);
  dv.setUint8(0, LAST_OPCODE);
  dv.setUint8(1, n);
  for (let opcode = 0; opcode < n; opcode++) {
    const at = PROBE_HEAD + opcode * U.IoUringProbeOp.size;
    dv.setUint8(at + U.IoUringProbeOp.at.op, opcode);
    const flags = operationOf(opcode) !== null ? U.IO_URING_OP_SUPPORTED : 0;
    dv.setUint16(at + U.IoUringProbeOp.at.flags, flags, true);
  }
  return t.mm.copyOut(arg, u8, 0, size) < 0 ? -EFAULT : 0;
}
