/**
 * Rings of buffers: registers them, and maps those that the kernel makes (io_uring_register(2)).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { RING_ENTRIES } from "../core/quota.ts";
import type { Task } from "../task/task.ts";
import { MappedMemory, OwnMemory } from "./buffer_memory.ts";
import { BufferList, BufferRing } from "./buffers.ts";
import type { Uring } from "./ring.ts";

/** LIMIT: entries of a ring of buffers. */
const MAX_ENTRIES = 1 << 15;

/** Reads struct io_uring_buf_reg into the scratch buffer: 0 or -errno. */
function readRegistration(t: Task, arg: number, count: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringBufReg;
  if (arg === 0 || count !== 1) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  for (let i = 0; i < 6; i++) if (dv.getUint32(at.minLeft + 4 * i, true) !== 0) return -EINVAL;
  return 0;
}

/** IORING_REGISTER_PBUF_RING. */
export function registerBufferRing(t: Task, ring: Uring, arg: number, count: number): number {
  const r = readRegistration(t, arg, count);
  if (r < 0) return r;
  const { dv } = t.kernel.scratch, { at } = U.IoUringBufReg;
  const addr = dv.getUint32(at.ringAddr, true) + dv.getUint32(at.ringAddr + 4, true) * 2 ** 32;
  const entries = dv.getUint32(at.ringEntries, true), id = dv.getUint16(at.bgid, true);
  const flags = dv.getUint16(at.flags, true), isOwn = (flags & U.IOU_PBUF_RING_MMAP) === 0;
  if ((flags & ~(U.IOU_PBUF_RING_MMAP | U.IOU_PBUF_RING_INC)) !== 0) return -EINVAL;
  if (isOwn && addr === 0) return -EFAULT;
  if (isOwn ? addr % PAGE_SIZE !== 0 : addr !== 0) return -EINVAL;
  if (entries === 0 || (entries & (entries - 1)) !== 0 || entries > MAX_ENTRIES) return -EINVAL;
  const old = ring.bufferGroups.get(id);
  if (old !== undefined && !(old instanceof BufferList && old.count === 0)) return -EEXIST;
  const bytes = entries * U.IoUringBuf.size, cost = isOwn ? 1 : entries;
  if (isOwn && (addr + bytes > t.mm.layout.maxAddress || t.mm.load8(addr) < 0)) return -EFAULT;
  if (!RING_ENTRIES.take(cost, t.group.account)) return -ENOMEM;
  const memory = isOwn ? new OwnMemory(addr) : MappedMemory.create(t.kernel.memory, bytes, id);
  if (memory === null) {
    RING_ENTRIES.give(cost, t.group.account);
    return -ENOMEM;
  }
  const isSliced = (flags & U.IOU_PBUF_RING_INC) !== 0;
  ring.bufferGroups.set(id, new BufferRing(t.group.account, memory, entries, isSliced, cost));
  return 0;
}

/** The memory at `offset` of a ring's mapping; null: no ring of buffers. */
export function bufferMemoryAt(ring: Uring, offset: number): MappedMemory | null {
  const id = (offset - U.IORING_OFF_PBUF_RING) / 2 ** U.IORING_OFF_PBUF_SHIFT;
  const group = ring.bufferGroups.get(id);
  if (!(group instanceof BufferRing)) return null;
  return group.memory instanceof MappedMemory ? group.memory : null;
}

export function unregisterBufferRing(t: Task, ring: Uring, arg: number, count: number): number {
  const r = readRegistration(t, arg, count);
  if (r < 0) return r;
  const { dv } = t.kernel.scratch, { at } = U.IoUringBufReg, id = dv.getUint16(at.bgid, true);
  if (dv.getUint16(at.flags, true) !== 0) return -EINVAL;
  const group = ring.bufferGroups.get(id);
  if (group === undefined) return -ENOENT;
  if (!(group instanceof BufferRing)) return -EINVAL;
  group.release();
  ring.bufferGroups.delete(id);
  return 0;
}

/** IORING_REGISTER_PBUF_STATUS: position of the next buffer of a ring. */
export function bufferRingStatus(t: Task, ring: Uring, arg: number, count: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringBufStatus;
  if (arg === 0 || count !== 1) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  for (let i = 0; i < 8; i++) if (dv.getUint32(at.resv + 4 * i, true) !== 0) return -EINVAL;
  const group = ring.bufferGroups.get(dv.getUint32(at.bufGroup, true));
  if (group === undefined) return -ENOENT;
  if (!(group instanceof BufferRing)) return -EINVAL;
  return t.mm.store32(arg + at.head, group.head);
}
