/**
 * The memory that a ring shares with its process: one piece with both rings, and the array of
 * requests. The process gets the offsets from io_uring_setup(2). The guest can write all of it:
 * every word is read once and checked.
 *
 * Neighbour: ring.ts.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import { Backing, type FileIdentity } from "../mm/backing.ts";
import type { MemoryContext } from "../mm/memory_context.ts";

/** Number of requests and completions, and bytes of one of each. */
export interface RingShape {
  readonly sqEntries: number;
  readonly cqEntries: number;
  readonly sqeBytes: number;
  readonly cqeBytes: number;
}

/** Byte offsets of words in the ring piece. */
export const RING_AT = {
  sqHead: 0,
  sqTail: 4,
  cqHead: 64,
  cqTail: 68,
  sqMask: 128,
  cqMask: 132,
  sqEntries: 136,
  cqEntries: 140,
  sqDropped: 144,
  sqFlags: 148,
  cqFlags: 152,
  cqOverflow: 156,
  cqes: 192,
} as const;

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE);
}

export class UringMemory extends Backing {
  override readonly inode: FileIdentity;
  override readonly platformFile = -1;
  override readonly hostFd = -1;
  readonly dv: DataView<SharedArrayBuffer>;
  private readonly words: Int32Array<SharedArrayBuffer>;
  /** Arena offsets of the two pieces. */
  readonly rings: number;
  readonly sqes: number;
  /** Offset of the array of indices in the ring piece. */
  readonly arrayAt: number;
  private readonly ctx: MemoryContext;
  readonly ringPages: number;
  readonly sqePages: number;
  private refs: number = 1;

  private constructor(
    ctx: MemoryContext,
    inode: FileIdentity,
    rings: number,
    ringPages: number,
    sqes: number,
    sqePages: number,
    arrayAt: number,
  ) {
    super();
    this.ctx = ctx;
    this.inode = inode;
    this.dv = ctx.arena.dv;
    this.words = ctx.arena.words;
    this.rings = rings;
    this.ringPages = ringPages;
    this.sqes = sqes;
    this.sqePages = sqePages;
    this.arrayAt = arrayAt;
  }

  /** Null: no memory. */
  static create(
    ctx: MemoryContext,
    inode: FileIdentity,
    { sqEntries, cqEntries, sqeBytes, cqeBytes }: RingShape,
  ): UringMemory | null {
    const arrayAt = RING_AT.cqes + cqEntries * cqeBytes;
    const ringPages = wholePages(arrayAt + 4 * sqEntries);
    const sqePages = wholePages(sqEntries * sqeBytes);
    const rings = ctx.frames.alloc(ringPages);
    if (rings < 0) return null;
    let sqes = -1;
    try {
      sqes = ctx.frames.alloc(sqePages);
    } finally {
      if (sqes < 0) ctx.frames.release(rings, ringPages);
    }
    if (sqes < 0) return null;
    return new UringMemory(ctx, inode, rings, ringPages, sqes, sqePages, arrayAt);
  }

  /** Reads a word of the ring piece with acquire order: the guest writes it at the same time. */
  word(at: number): number {
    return Atomics.load(this.words, (this.rings + at) / 4) >>> 0;
  }
  setWord(at: number, value: number): void {
    Atomics.store(this.words, (this.rings + at) / 4, value);
  }

  /** Pages of the piece that `offset` is in, 0 if none. */
  private pieceOf(offset: number): number {
    const pages = offset >= U.IORING_OFF_SQES ? this.sqePages : this.ringPages;
    return offset - this.startOf(offset) < pages * PAGE_SIZE ? pages : 0;
  }

  private startOf(offset: number): number {
    if (offset >= U.IORING_OFF_SQES) return U.IORING_OFF_SQES;
    return offset >= U.IORING_OFF_CQ_RING ? U.IORING_OFF_CQ_RING : U.IORING_OFF_SQ_RING;
  }

  override describe(): string {
    return "anon_inode:[io_uring]";
  }
  override size(): number {
    return U.IORING_OFF_SQES + this.sqePages * PAGE_SIZE;
  }

  override frame(offset: number, _write: boolean): number {
    if (this.pieceOf(offset) === 0) return -EFAULT;
    const base = offset >= U.IORING_OFF_SQES ? this.sqes : this.rings;
    return base + offset - this.startOf(offset);
  }

  override contiguous(offset: number, _frame: number, maxPages: number): number {
    const left = this.pieceOf(offset) - (offset - this.startOf(offset)) / PAGE_SIZE;
    return Math.max(1, Math.min(maxPages, left));
  }

  override readInto(hostAddr: number, offset: number, len: number): number {
    let done = 0;
    while (done < len && offset + done < this.size()) {
      const at = offset + done, inPage = at % PAGE_SIZE;
      const n = Math.min(PAGE_SIZE - inPage, len - done), frame = this.frame(at - inPage, false);
      if (frame < 0) break;
      copy(hostAddr + done, this.ctx.arena.base + frame + inPage, n);
      done += n;
    }
    return done;
  }

  override hold(): void {
    this.refs++;
  }
  override drop(): void {
    if (--this.refs > 0) return;
    this.ctx.frames.release(this.rings, this.ringPages);
    this.ctx.frames.release(this.sqes, this.sqePages);
  }
}
