/**
 * The memory of a ring of buffers (IORING_REGISTER_PBUF_RING): the process's, or pages of the kernel's that it maps. What
 * stands in it is the guest's: a word is read once, and an address in it is an address of the guest's like any other.
 */

import { EFAULT } from "../../../ffi/abi/errno.ts";
import { IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT } from "../../../ffi/abi/io_uring.ts";
import { copy } from "../../../ffi/mem/native_memory.ts";
import { Backing, type FileIdentity } from "../../mm/backing.ts";
import { PAGE_SIZE } from "../../mm/frames.ts";
import type { MemoryContext } from "../../mm/memory_context.ts";
import type { Task } from "../../task/task.ts";

/** Words of a ring of buffers; `at` is a multiple of four. Negative: they cannot be reached. */
export interface BufferMemory {
  load(t: Task, at: number): number;
  store(t: Task, at: number, value: number): number;
  drop(): void;
}

/** At an address of the process's. */
export class OwnMemory implements BufferMemory {
  private readonly addr: number;

  constructor(addr: number) {
    this.addr = addr;
  }
  load(t: Task, at: number): number {
    return t.mm.load32(this.addr + at);
  }
  store(t: Task, at: number, value: number): number {
    return t.mm.store32(this.addr + at, value);
  }
  drop(): void {}
}

/** IOU_PBUF_RING_MMAP: it is mapped at an offset that its group has. */
export class MappedMemory extends Backing implements BufferMemory {
  override readonly inode: FileIdentity = { dev: 0, ino: 0 };
  override readonly platformFile = -1;
  override readonly hostFd = -1;
  private readonly ctx: MemoryContext;
  private readonly base: number;
  private readonly pages: number;
  private readonly start: number;
  /** Mappings and the group. */
  private refs: number = 1;

  private constructor(ctx: MemoryContext, base: number, pages: number, group: number) {
    super();
    this.ctx = ctx;
    this.base = base;
    this.pages = pages;
    this.start = IORING_OFF_PBUF_RING + group * 2 ** IORING_OFF_PBUF_SHIFT;
  }

  /** null: there is no memory. */
  static create(ctx: MemoryContext, bytes: number, group: number): MappedMemory | null {
    const pages = Math.ceil(bytes / PAGE_SIZE), base = ctx.frames.alloc(pages);
    return base < 0 ? null : new MappedMemory(ctx, base, pages, group);
  }

  load(_t: Task, at: number): number {
    return Atomics.load(this.ctx.arena.words, (this.base + at) / 4) >>> 0;
  }
  store(_t: Task, at: number, value: number): number {
    Atomics.store(this.ctx.arena.words, (this.base + at) / 4, value);
    return 0;
  }

  override describe(): string {
    return "anon_inode:[io_uring]";
  }
  override size(): number {
    return this.start + this.pages * PAGE_SIZE;
  }
  override frame(offset: number, _write: boolean): number {
    const at = offset - this.start;
    return at >= 0 && at < this.pages * PAGE_SIZE ? this.base + at : -EFAULT;
  }
  override contiguous(offset: number, _frame: number, maxPages: number): number {
    return Math.max(1, Math.min(maxPages, this.pages - (offset - this.start) / PAGE_SIZE));
  }
  override readInto(hostAddr: number, offset: number, len: number): number {
    const n = Math.max(0, Math.min(len, this.size() - offset));
    copy(hostAddr, this.ctx.arena.base + this.base + offset - this.start, n);
    return n;
  }
  override hold(): void {
    this.refs++;
  }
  override drop(): void {
    if (--this.refs === 0) this.ctx.frames.release(this.base, this.pages);
  }
}
