/**
 * The memory of a ring of buffers (IORING_REGISTER_PBUF_RING): memory of the process, or pages of
 * the kernel that the process maps. The guest can write all of it: a word is read once, and an
 * address in it is checked like any guest address.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT } from "../../ffi/abi/io_uring.ts";
import { KernelPages } from "../mm/kernel_pages.ts";
import type { MemoryContext } from "../mm/memory_context.ts";
import type { Task } from "../task/task.ts";

/**
 * Access to the words of a ring of buffers; `at` is a multiple of four. Negative: not accessible.
 */
export interface BufferMemory {
  load(t: Task, at: number): number;
  store(t: Task, at: number, value: number): number;
  drop(): void;
}

/** Memory at an address of the process. */
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

/** IOU_PBUF_RING_MMAP: memory of the kernel, mapped at an offset that belongs to the group. */
export class MappedMemory extends KernelPages implements BufferMemory {
  private readonly words: Int32Array<SharedArrayBuffer>;

  private constructor(ctx: MemoryContext, base: number, pages: number, group: number) {
    const fileStart = IORING_OFF_PBUF_RING + group * 2 ** IORING_OFF_PBUF_SHIFT;
    super(ctx.frames, { dev: 0, ino: 0 }, base, pages * PAGE_SIZE, fileStart);
    this.words = ctx.arena.words;
  }

  /** Null: no memory. */
  static create(ctx: MemoryContext, bytes: number, group: number): MappedMemory | null {
    const pages = Math.ceil(bytes / PAGE_SIZE), base = ctx.frames.alloc(pages);
    return base < 0 ? null : new MappedMemory(ctx, base, pages, group);
  }

  load(_t: Task, at: number): number {
    return Atomics.load(this.words, (this.base + at) / 4) >>> 0;
  }
  store(_t: Task, at: number, value: number): number {
    Atomics.store(this.words, (this.base + at) / 4, value);
    return 0;
  }

  override describe(): string {
    return "anon_inode:[io_uring]";
  }
}
