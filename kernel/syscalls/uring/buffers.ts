/**
 * Buffers that a process gives its ring beforehand, of which a request takes one when there is something to read
 * (IOSQE_BUFFER_SELECT): lists of IORING_OP_PROVIDE_BUFFERS, and rings in the process's memory. What stands in such a ring is
 * the guest's: an entry is read once, and its address is an address of the guest's like any other.
 */

import { E2BIG, EEXIST, EFAULT, EINVAL, ENOBUFS, ENOENT, ENOMEM } from "../../../ffi/abi/errno.ts";
import * as U from "../../../ffi/abi/io_uring.ts";
import { Fifo } from "../../core/fifo.ts";
import { RING_ENTRIES } from "../../core/quota.ts";
import type { Task } from "../../task/task.ts";
import type { Uring } from "./ring.ts";
import type { Worker } from "./worker.ts";

/** LIMIT: buffers of a group, entries of a ring of them (MAX_BIDS_PER_BGID). */
const MAX_IDS = 1 << 16;
const PAGE_SIZE = 4096;
/** Where the tail of a ring stands: in its first entry. */
const TAIL_AT = U.IoUringBuf.at.resv;

export interface ProvidedBuffer {
  readonly addr: number;
  readonly len: number;
  readonly id: number;
}

export class BufferGroup {
  /** Given one by one; null: they are in a ring. */
  readonly list: Fifo<ProvidedBuffer> | null;
  readonly ringAddr: number;
  readonly ringEntries: number;
  head: number = 0;

  constructor(list: Fifo<ProvidedBuffer> | null, ringAddr: number, ringEntries: number) {
    this.list = list;
    this.ringAddr = ringAddr;
    this.ringEntries = ringEntries;
  }

  /** The buffer whose turn it is; it stays. -ENOBUFS, -EFAULT. */
  peek(t: Task): ProvidedBuffer | number {
    if (this.list !== null) return this.list.first ?? -ENOBUFS;
    const tail = t.mm.load16(this.ringAddr + TAIL_AT), { at } = U.IoUringBuf;
    if (tail < 0) return -EFAULT;
    if (tail === this.head) return -ENOBUFS;
    const entry = this.ringAddr + (this.head & (this.ringEntries - 1)) * U.IoUringBuf.size;
    const addr = t.mm.load64(entry + at.addr), len = t.mm.load32(entry + at.len);
    const id = t.mm.load16(entry + at.bid);
    return addr < 0 || len < 0 || id < 0 ? -EFAULT : { addr, len, id };
  }

  /** It was used. */
  advance(): void {
    if (this.list === null) this.head = (this.head + 1) & 0xffff;
    else if (this.list.shift() !== undefined) RING_ENTRIES.used--;
  }

  /** Buffers that were given and not used. */
  get count(): number {
    return this.list?.length ?? 0;
  }

  release(): void {
    RING_ENTRIES.used -= this.list === null ? 1 : this.count;
  }
}

/** The buffer for a request that asks for one. */
export function selectBuffer(w: Worker): ProvidedBuffer | number {
  const group = w.ring.bufferGroups.get(w.sqe.bufIndex);
  return group === undefined ? -ENOBUFS : group.peek(w);
}

/** The request used the buffer: its completion says which. */
export function useBuffer(w: Worker, { id }: ProvidedBuffer): number {
  w.ring.bufferGroups.get(w.sqe.bufIndex)?.advance();
  return (U.IORING_CQE_F_BUFFER | id << U.IORING_CQE_BUFFER_SHIFT) >>> 0;
}

/** IORING_OP_PROVIDE_BUFFERS. */
export function provideBuffers({ sqe, ring }: Worker): number {
  const { fd: count, addr, len, off: first, bufIndex: id } = sqe;
  if (sqe.rwFlags !== 0 || sqe.spliceFd !== 0) return -EINVAL;
  if (count < 1 || count > MAX_IDS) return -E2BIG;
  if (first < 0 || first > MAX_IDS - 1) return -E2BIG;
  if (first + count > MAX_IDS) return -EINVAL;
  if (addr + count * len > ring.maxAddress) return -EFAULT;
  const group = ring.bufferGroups.get(id) ?? new BufferGroup(new Fifo(), 0, 0);
  if (group.list === null) return -EINVAL;
  if (!RING_ENTRIES.take(count)) return -ENOMEM;
  ring.bufferGroups.set(id, group);
  for (let i = 0; i < count; i++) group.list.push({ addr: addr + i * len, len, id: first + i });
  return 0;
}

/** IORING_OP_REMOVE_BUFFERS: how many. */
export function removeBuffers({ sqe, ring }: Worker): number {
  const { fd: count, bufIndex: id } = sqe;
  const hasRest = sqe.rwFlags !== 0 || sqe.addr !== 0 || sqe.len !== 0 || sqe.off !== 0;
  if (hasRest || sqe.spliceFd !== 0 || count < 1 || count > MAX_IDS) return -EINVAL;
  const group = ring.bufferGroups.get(id);
  if (group === undefined) return -ENOENT;
  if (group.list === null) return -EINVAL;
  const n = Math.min(count, group.count);
  for (let i = 0; i < n; i++) group.advance();
  return n;
}

/** struct io_uring_buf_reg into the scratch buffer: 0 or -errno. */
function readRegistration(t: Task, arg: number, count: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringBufReg;
  if (arg === 0 || count !== 1) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  for (let i = 0; i < 6; i++) if (dv.getUint32(at.minLeft + 4 * i, true) !== 0) return -EINVAL;
  return 0;
}

/**
 * IORING_REGISTER_PBUF_RING. DIFFERS: rings that the kernel allocates (IOU_PBUF_RING_MMAP) and that are used bit by bit
 * (IOU_PBUF_RING_INC) are EINVAL.
 */
export function registerBufferRing(t: Task, ring: Uring, arg: number, count: number): number {
  const r = readRegistration(t, arg, count);
  if (r < 0) return r;
  const { dv } = t.kernel.scratch, { at } = U.IoUringBufReg;
  const addr = dv.getUint32(at.ringAddr, true) + dv.getUint32(at.ringAddr + 4, true) * 2 ** 32;
  const entries = dv.getUint32(at.ringEntries, true), id = dv.getUint16(at.bgid, true);
  if (dv.getUint16(at.flags, true) !== 0) return -EINVAL;
  if (addr === 0) return -EFAULT;
  if (addr % PAGE_SIZE !== 0 || entries === 0 || (entries & (entries - 1)) !== 0) return -EINVAL;
  if (entries >= MAX_IDS) return -EINVAL;
  const old = ring.bufferGroups.get(id);
  if (old !== undefined && (old.list === null || old.count > 0)) return -EEXIST;
  if (addr + entries * U.IoUringBuf.size > t.mm.layout.maxAddress) return -EFAULT;
  if (t.mm.load8(addr) < 0) return -EFAULT;
  if (!RING_ENTRIES.take(1)) return -ENOMEM;
  ring.bufferGroups.set(id, new BufferGroup(null, addr, entries));
  return 0;
}

export function unregisterBufferRing(t: Task, ring: Uring, arg: number, count: number): number {
  const r = readRegistration(t, arg, count);
  if (r < 0) return r;
  const { dv } = t.kernel.scratch, { at } = U.IoUringBufReg, id = dv.getUint16(at.bgid, true);
  if (dv.getUint16(at.flags, true) !== 0) return -EINVAL;
  const group = ring.bufferGroups.get(id);
  if (group === undefined) return -ENOENT;
  if (group.list !== null) return -EINVAL;
  group.release();
  ring.bufferGroups.delete(id);
  return 0;
}

/** IORING_REGISTER_PBUF_STATUS: how far a ring of buffers was used. */
export function bufferRingStatus(t: Task, ring: Uring, arg: number, count: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringBufStatus;
  if (arg === 0 || count !== 1) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  for (let i = 0; i < 8; i++) if (dv.getUint32(at.resv + 4 * i, true) !== 0) return -EINVAL;
  const group = ring.bufferGroups.get(dv.getUint32(at.bufGroup, true));
  if (group === undefined) return -ENOENT;
  if (group.list !== null) return -EINVAL;
  return t.mm.store32(arg + at.head, group.head);
}
