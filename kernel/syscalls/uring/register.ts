/** io_uring_register(2): files, buffers, an eventfd, credentials, and what the ring can do. */

import {
  EACCES,
  EBADF,
  EBADFD,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMFILE,
  ENOMEM,
  ENXIO,
  EOVERFLOW,
} from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { RING_ENTRIES } from "../../core/quota.ts";
import { EventFile } from "../../fs/anonfd/eventfd.ts";
import { RLIMIT_NOFILE } from "../../task/limits.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { bufferRingStatus, registerBufferRing, unregisterBufferRing } from "./buffers.ts";
import { registerRestrictions } from "./restrictions.ts";
import { ringOf } from "./calls.ts";
import { isSupported, LAST_OPCODE } from "./operations.ts";
import type { RegisteredBuffer, Uring } from "./ring.ts";

/** LIMIT: registered buffers (IORING_MAX_REG_BUFFERS), and bytes of one. */
const MAX_BUFFERS = 1 << 14, MAX_BUFFER_BYTES = 1 << 30;
/** LIMIT: registered files (IORING_MAX_FIXED_FILES). */
const MAX_FILES = 1 << 20;
const IOVEC_BYTES = 16, PROBE_HEAD = 16, MAX_PROBE = 256, MAX_PERSONALITY = 0xffff;

export function sysIoUringRegister(t: Task, a: SyscallArgs): number {
  const ring = ringOf(t, a.i32(0));
  if (typeof ring === "number") return ring;
  const opcode = a.u32(1), arg = a.u64(2), count = a.u32(3), { restrictions } = ring;
  if (restrictions !== null && !ring.isDisabled && !restrictions.registerOps.has(opcode)) {
    return -EACCES;
  }
  switch (opcode) {
    case U.IORING_REGISTER_BUFFERS:
      return arg === 0 ? -EFAULT : registerBuffers(t, ring, arg, count);
    case U.IORING_UNREGISTER_BUFFERS:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (ring.buffers === null) return -ENXIO;
      ring.setBuffers(null);
      return 0;
    case U.IORING_REGISTER_FILES:
      return arg === 0 ? -EFAULT : registerFiles(t, ring, arg, count);
    case U.IORING_UNREGISTER_FILES:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (ring.registered === null) return -ENXIO;
      ring.setFiles(null);
      return 0;
    case U.IORING_REGISTER_FILES_UPDATE:
      return updateFiles(t, ring, arg, count);
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
      return arg !== 0 || !ring.personalities.delete(count) ? -EINVAL : 0;
    case U.IORING_REGISTER_RESTRICTIONS:
      return registerRestrictions(t, ring, arg, count);
    case U.IORING_REGISTER_PBUF_RING:
      return registerBufferRing(t, ring, arg, count);
    case U.IORING_UNREGISTER_PBUF_RING:
      return unregisterBufferRing(t, ring, arg, count);
    case U.IORING_REGISTER_PBUF_STATUS:
      return bufferRingStatus(t, ring, arg, count);
    case U.IORING_REGISTER_ENABLE_RINGS:
      if (arg !== 0 || count !== 0) return -EINVAL;
      if (!ring.isDisabled) return -EBADFD;
      ring.isDisabled = false;
      return 0;
    default:
      return -EINVAL;
  }
}

function registerBuffers(t: Task, ring: Uring, arg: number, count: number): number {
  if (ring.buffers !== null) return -EBUSY;
  if (count === 0 || count > MAX_BUFFERS) return -EINVAL;
  const buffers: RegisteredBuffer[] = [];
  for (let i = 0; i < count; i++) {
    const addr = t.mm.load64(arg + i * IOVEC_BYTES), len = t.mm.load64(arg + i * IOVEC_BYTES + 8);
    if (addr < 0 || len < 0) return -EFAULT;
    if (addr === 0) {
      if (len !== 0) return -EFAULT;
    } else if (len === 0 || len > MAX_BUFFER_BYTES) return -EFAULT;
    if (addr + len > t.mm.layout.maxAddress) return -EOVERFLOW;
    // Linux pins the pages: they must be there.
    if (len > 0 && (t.mm.load8(addr) < 0 || t.mm.load8(addr + len - 1) < 0)) return -EFAULT;
    buffers.push({ addr, len });
  }
  if (!RING_ENTRIES.take(count)) return -ENOMEM;
  ring.setBuffers(buffers);
  return 0;
}

/** The file of an entry: null for a hole (-1), or -errno. */
function fileAt(t: Task, addr: number): OpenFile | null | number {
  const word = t.mm.load32(addr);
  if (word < 0) return -EFAULT;
  const fd = word | 0;
  if (fd === -1) return null;
  const file = t.files.get(fd);
  return file === null || file.isRing ? -EBADF : file.hold();
}

function registerFiles(t: Task, ring: Uring, arg: number, count: number): number {
  if (ring.registered !== null) return -EBUSY;
  if (count === 0) return -EINVAL;
  if (count > MAX_FILES || count > t.group.limits.get(RLIMIT_NOFILE)) return -EMFILE;
  if (!RING_ENTRIES.take(count)) return -ENOMEM;
  const files: (OpenFile | null)[] = [];
  for (let i = 0; i < count; i++) {
    const file = fileAt(t, arg + 4 * i);
    if (typeof file === "number") {
      for (const held of files) held?.drop();
      RING_ENTRIES.used -= count;
      return file;
    }
    files.push(file);
  }
  ring.setFiles(files);
  return 0;
}

/** struct io_uring_files_update: how many entries were replaced. */
function updateFiles(t: Task, ring: Uring, arg: number, count: number): number {
  const offset = t.mm.load32(arg), reserved = t.mm.load32(arg + 4), fds = t.mm.load64(arg + 8);
  if (offset < 0 || reserved < 0 || fds < 0) return -EFAULT;
  const { registered } = ring;
  if (reserved !== 0 || count === 0) return -EINVAL;
  if (registered === null) return -ENXIO;
  if (offset + count > registered.length) return -EINVAL;
  for (let i = 0; i < count; i++) {
    const file = fileAt(t, fds + 4 * i);
    if (typeof file === "number") return i > 0 ? i : file;
    registered[offset + i]?.drop();
    registered[offset + i] = file;
  }
  return count;
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
  ring.personalities.set(++ring.lastPersonality, t.cred);
  return ring.lastPersonality;
}

/** Which operations there are. */
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
    const flags = isSupported(opcode) ? U.IO_URING_OP_SUPPORTED : 0;
    dv.setUint16(at + U.IoUringProbeOp.at.flags, flags, true);
  }
  return t.mm.copyOut(arg, u8, 0, size) < 0 ? -EFAULT : 0;
}
