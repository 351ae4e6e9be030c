/**
 * Buffers that a process provides in advance; a request takes some when there are bytes to read or
 * send (IOSQE_BUFFER_SELECT): lists of IORING_OP_PROVIDE_BUFFERS, and rings in shared memory
 * (buffer_rings.ts).
 */

import type { Account } from "../core/account.ts";
import { E2BIG, EFAULT, EINVAL, ENOBUFS, ENOENT, ENOMEM } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { Fifo } from "../core/fifo.ts";
import { RING_ENTRIES } from "../core/quota.ts";
import type { Task } from "../task/task.ts";
import type { BufferMemory } from "./buffer_memory.ts";
import type { Sqe } from "./sqe.ts";
import type { Worker } from "./worker.ts";

/** LIMIT: buffers of a group (MAX_BIDS_PER_BGID). */
const MAX_IDS = 1 << 16;
/** LIMIT: buffers that one transfer uses (PEEK_MAX_IMPORT). */
const MAX_AT_ONCE = 256;
const INT_MAX = 0x7fffffff;
const BUF = U.IoUringBuf.at;

interface ProvidedBuffer {
  readonly addr: number;
  readonly len: number;
  readonly id: number;
}

export abstract class BufferGroup {
  /** The account that buffers are charged to. */
  readonly account: Account;
  /** Number of buffers that one transfer may use. */
  abstract readonly atOnce: number;

  constructor(account: Account) {
    this.account = account;
  }

  /** The next buffer, or one further back in a ring, without taking it. -ENOBUFS, -EFAULT. */
  abstract peek(t: Task, ahead: number): ProvidedBuffer | number;
  /** Takes `bytes` of the first buffer, which is `buffer`. True: the buffer is used up. */
  abstract use(t: Task, buffer: ProvidedBuffer, bytes: number): boolean;
  abstract release(): void;
}

/** Buffers that were provided one by one. */
export class BufferList extends BufferGroup {
  override readonly atOnce = 1;
  private readonly list: Fifo<ProvidedBuffer> = new Fifo();

  /** Number of unused buffers. */
  get count(): number {
    return this.list.length;
  }

  add(buffer: ProvidedBuffer): void {
    this.list.push(buffer);
  }
  override peek(): ProvidedBuffer | number {
    return this.list.first ?? -ENOBUFS;
  }
  override use(): boolean {
    this.drop();
    return true;
  }

  /** Removes the first buffer. */
  drop(): void {
    if (this.list.shift() !== undefined) RING_ENTRIES.give(1, this.account);
  }

  override release(): void {
    RING_ENTRIES.give(this.count, this.account);
  }
}

/** Buffers in a ring that the process fills. */
export class BufferRing extends BufferGroup {
  override readonly atOnce = MAX_AT_ONCE;
  readonly memory: BufferMemory;
  private readonly entries: number;
  /** IOU_PBUF_RING_INC: a buffer is used in slices. */
  private readonly isSliced: boolean;
  /** Its charge in RING_ENTRIES. */
  private readonly cost: number;
  head: number = 0;

  constructor(
    account: Account,
    memory: BufferMemory,
    entries: number,
    isSliced: boolean,
    cost: number,
  ) {
    super(account);
    this.memory = memory;
    this.entries = entries;
    this.isSliced = isSliced;
    this.cost = cost;
  }

  private entryAt(index: number): number {
    return (index & (this.entries - 1)) * U.IoUringBuf.size;
  }

  override peek(t: Task, ahead: number): ProvidedBuffer | number {
    const { memory, head } = this;
    // The tail is in the first entry, behind the buffer id.
    const last = memory.load(t, BUF.bid);
    if (last < 0) return -EFAULT;
    if (ahead >= (((last >>> 16) - head) & 0xffff)) return -ENOBUFS;
    const at = this.entryAt(head + ahead);
    const low = memory.load(t, at + BUF.addr), high = memory.load(t, at + BUF.addr + 4);
    const len = memory.load(t, at + BUF.len), id = memory.load(t, at + BUF.bid);
    if (low < 0 || high < 0 || len < 0 || id < 0) return -EFAULT;
    return { addr: low + high * 0x100000000, len, id: id & 0xffff };
  }

  override use(t: Task, { addr, len }: ProvidedBuffer, bytes: number): boolean {
    if (this.isSliced && bytes < len) {
      const at = this.entryAt(this.head), { memory } = this, rest = addr + bytes;
      memory.store(t, at + BUF.addr, rest % 0x100000000);
      memory.store(t, at + BUF.addr + 4, Math.floor(rest / 0x100000000));
      memory.store(t, at + BUF.len, len - bytes);
      return false;
    }
    this.head = (this.head + 1) & 0xffff;
    return true;
  }

  override release(): void {
    this.memory.drop();
    RING_ENTRIES.give(this.cost, this.account);
  }
}

/** The request takes a buffer that its ring chooses. */
export function isSelecting({ flags }: Sqe): boolean {
  return (flags & U.IOSQE_BUFFER_SELECT) !== 0;
}

/**
 * Points the request's cursor at one buffer, or with `isBundle` at several, for at most `most`
 * bytes (0: all). Returns the number of bytes, or -errno.
 */
export function selectBuffers(w: Worker, most: number, isBundle: boolean): number {
  const group = w.ring.bufferGroups.get(w.sqe.bufIndex);
  if (group === undefined) return -ENOBUFS;
  const count = isBundle ? group.atOnce : 1, { io } = w;
  let left = most === 0 ? INT_MAX : most;
  for (let i = 0; i < count && left > 0; i++) {
    const buffer = group.peek(w, i);
    if (typeof buffer === "number") {
      if (i === 0) return buffer;
      break;
    }
    const len = Math.min(buffer.len, left);
    const r = i === 0 ? io.set(buffer.addr, len) : io.add(buffer.addr, len);
    if (r < 0) return r;
    left -= len;
  }
  return io.remaining;
}

/** Chooses the buffer for a request with IOSQE_BUFFER_SELECT. */
export function selectBuffer(w: Worker): ProvidedBuffer | number {
  return w.ring.bufferGroups.get(w.sqe.bufIndex)?.peek(w, 0) ?? -ENOBUFS;
}

/** The request used `bytes` of the buffers, in order; its completion names the first one. */
export function useBuffers(w: Worker, bytes: number): number {
  const group = w.ring.bufferGroups.get(w.sqe.bufIndex);
  if (group === undefined) return 0;
  let flags = 0, left = bytes;
  do {
    const buffer = group.peek(w, 0);
    if (typeof buffer === "number") break;
    if (flags === 0) flags = U.IORING_CQE_F_BUFFER | buffer.id << U.IORING_CQE_BUFFER_SHIFT;
    if (!group.use(w, buffer, left)) return (flags | U.IORING_CQE_F_BUF_MORE) >>> 0;
    left -= buffer.len;
  } while (left > 0);
  return flags >>> 0;
}

/** True if the request's group has no buffer. */
export function hasNoBuffer(w: Worker): boolean {
  return typeof selectBuffer(w) === "number";
}

/** IORING_OP_PROVIDE_BUFFERS. */
export function provideBuffers({ sqe, ring, group: { account } }: Worker): number {
  const { fd: count, addr, len, off: first, bufIndex: id } = sqe;
  if (sqe.rwFlags !== 0 || sqe.spliceFd !== 0) return -EINVAL;
  if (count < 1 || count > MAX_IDS) return -E2BIG;
  if (first < 0 || first > MAX_IDS - 1) return -E2BIG;
  if (first + count > MAX_IDS) return -EINVAL;
  if (addr + count * len > ring.maxAddress) return -EFAULT;
  const group = ring.bufferGroups.get(id) ?? new BufferList(account);
  if (!(group instanceof BufferList)) return -EINVAL;
  if (!RING_ENTRIES.take(count, group.account)) return -ENOMEM;
  ring.bufferGroups.set(id, group);
  for (let i = 0; i < count; i++) group.add({ addr: addr + i * len, len, id: first + i });
  return 0;
}

/** IORING_OP_REMOVE_BUFFERS: the number removed. */
export function removeBuffers({ sqe, ring }: Worker): number {
  const { fd: count, bufIndex: id } = sqe;
  const hasRest = sqe.rwFlags !== 0 || sqe.addr !== 0 || sqe.len !== 0 || sqe.off !== 0;
  if (hasRest || sqe.spliceFd !== 0 || count < 1 || count > MAX_IDS) return -EINVAL;
  const group = ring.bufferGroups.get(id);
  if (group === undefined) return -ENOENT;
  if (!(group instanceof BufferList)) return -EINVAL;
  const n = Math.min(count, group.count);
  for (let i = 0; i < n; i++) group.drop();
  return n;
}
