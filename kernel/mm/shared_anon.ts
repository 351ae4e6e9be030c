/**
 * Shared anonymous memory (MAP_SHARED | MAP_ANONYMOUS) and System V segments: an unnamed file in
 * the arena, as shmem_zero_setup of Linux makes one. It lives while something maps it, also across
 * forks. mmap.ts and ipc/sysv/shm.ts make it.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import { Backing, type FileIdentity } from "./backing.ts";
import { copyTouched } from "./copy_frames.ts";
import { CHUNK_SIZE } from "./frames.ts";
import type { MemoryContext } from "./memory_context.ts";
import { AHEAD_MAX, aheadOf } from "./populate.ts";
import { isTouched } from "./touched.ts";

/** LIMIT: larger memory gets its frames at the first touch. */
const EAGER_BYTES = 64 << 20;
const CHUNK = CHUNK_SIZE / PAGE_SIZE;

/** The device number of the internal tmpfs of shared memory. */
export const SHMEM_DEV = 1;

export class SharedAnon extends Backing {
  readonly inode: FileIdentity;
  readonly platformFile = -1;
  readonly hostFd = -1;
  override readonly isMemory: boolean = true;
  override readonly canOwn: boolean = true;
  /** True for MAP_SHARED | MAP_ANONYMOUS, false for a System V segment. */
  readonly isUnnamed: boolean;
  private readonly ctx: MemoryContext;
  private readonly bytes: number;
  private refs: number = 0;
  /** The arena offset of each piece of `piecePages` pages that has frames. */
  private readonly pieces: Map<number, number> = new Map();
  private readonly piecePages: number;

  /**
   * `bytes` is a multiple of the page size. `inode` is the identity of memory with a name of its
   * own (System V), or null.
   */
  constructor(ctx: MemoryContext, bytes: number, inode: FileIdentity | null = null) {
    super();
    this.ctx = ctx;
    this.bytes = bytes;
    this.piecePages = Math.min(CHUNK, bytes / PAGE_SIZE);
    this.isUnnamed = inode === null;
    this.inode = inode ?? { dev: SHMEM_DEV, ino: ctx.nextIno() };
  }

  /** Reserves all frames of memory up to EAGER_BYTES: 0 or -ENOMEM. */
  reserve(): number {
    if (this.bytes > EAGER_BYTES || this.pieces.size > 0) return 0;
    const pages = this.bytes / PAGE_SIZE, at = this.ctx.frames.alloc(pages);
    if (at < 0) return -ENOMEM;
    this.place(0, Math.ceil(pages / this.piecePages), at);
    return 0;
  }

  describe(): string {
    return "/dev/zero (deleted)";
  }
  size(): number {
    return this.bytes;
  }

  frame(offset: number, write: boolean): number {
    if (offset >= this.bytes) return -EFAULT;
    const page = offset / PAGE_SIZE, piece = Math.floor(page / this.piecePages);
    let at = this.pieces.get(piece);
    if (at === undefined) {
      if (!write) return -1;
      at = this.allocPieces(piece);
      if (at < 0) return -ENOMEM;
    }
    return at + (page - piece * this.piecePages) * PAGE_SIZE;
  }

  /**
   * Gives frames to a piece, and behind pieces with frames to about as many more. The arena offset,
   * or -1.
   */
  private allocPieces(piece: number): number {
    const { pieces, piecePages, ctx: { frames } } = this;
    const left = Math.ceil(this.bytes / PAGE_SIZE / piecePages) - piece;
    let before = 0, count = 1;
    while (before < AHEAD_MAX / piecePages && pieces.has(piece - before - 1)) before++;
    const most = Math.min(left, aheadOf(before * piecePages) / piecePages);
    while (count < most && !pieces.has(piece + count)) count++;
    const pages = (count - 1) * piecePages + this.pagesOf(piece + count - 1);
    let at = frames.alloc(pages);
    if (at < 0 && count > 1) {
      count = 1;
      at = frames.alloc(this.pagesOf(piece));
    }
    if (at >= 0) this.place(piece, count, at);
    return at;
  }

  /** Gives contiguous frames from arena offset `at` on to `count` pieces. */
  private place(piece: number, count: number, at: number): void {
    for (let k = 0; k < count; k++) {
      this.pieces.set(piece + k, at + k * this.piecePages * PAGE_SIZE);
    }
  }

  override own(offset: number): number {
    const piece = Math.floor(offset / PAGE_SIZE / this.piecePages), old = this.pieces.get(piece);
    return old !== undefined && this.isHeldTwice(piece, old) ? this.copyPiece(piece, old) : 0;
  }

  /** Another holder may have a part of a piece: pages of it that a private mapping shows. */
  private isHeldTwice(piece: number, at: number): boolean {
    const { pool } = this.ctx.frames;
    return pool.isShared && pool.hasHeldTwice(at / PAGE_SIZE, this.pagesOf(piece));
  }

  /** Gives a piece frames of its own, in place of those at `old`: 0 or -ENOMEM. */
  private copyPiece(piece: number, old: number): number {
    const { frames, arena } = this.ctx, pages = this.pagesOf(piece), bytes = pages * PAGE_SIZE;
    const at = frames.alloc(pages);
    if (at < 0) return -ENOMEM;
    if (copyTouched(arena, at, old, bytes) !== bytes) {
      frames.release(at, pages);
      return -ENOMEM;
    }
    this.pieces.set(piece, at);
    this.dropPiece(piece, old);
    return 0;
  }

  /** Releases frames that were those of a piece. */
  private dropPiece(piece: number, old: number): void {
    const start = piece * this.piecePages, pages = this.pagesOf(piece);
    for (const mapping of this.mappings) {
      mapping.onPagesGone(start * PAGE_SIZE, (start + pages) * PAGE_SIZE);
    }
    this.ctx.frames.release(old, pages);
  }

  /** Frames are reserved ahead, so a page that was never touched counts as a hole. */
  override has(offset: number): boolean {
    const at = this.frame(offset, false);
    return at >= 0 && isTouched(this.ctx, at / PAGE_SIZE);
  }

  override contiguous(offset: number, _frame: number, maxPages: number): number {
    const page = offset / PAGE_SIZE, piece = Math.floor(page / this.piecePages);
    let end = piece * this.piecePages + this.pagesOf(piece);
    for (let next = piece + 1; end - page < maxPages && this.follows(next); next++) {
      end += this.pagesOf(next);
    }
    return Math.max(1, Math.min(maxPages, end - page));
  }

  /** Counts by pieces; all of a new mapping is one hole. */
  override holePages(offset: number, maxPages: number): number {
    if (this.pieces.size === 0) return maxPages;
    const page = offset / PAGE_SIZE, piece = Math.floor(page / this.piecePages);
    return Math.min(maxPages, (piece + 1) * this.piecePages - page);
  }

  /** Whether the frames of a piece are right behind those of the piece before. */
  private follows(piece: number): boolean {
    const before = this.pieces.get(piece - 1), at = this.pieces.get(piece);
    return at !== undefined && at === (before ?? -1) + this.piecePages * PAGE_SIZE;
  }

  readInto(hostAddr: number, offset: number, len: number): number {
    let done = 0;
    while (done < len && offset + done < this.bytes) {
      const pos = offset + done, inPage = pos % PAGE_SIZE;
      const n = Math.min(PAGE_SIZE - inPage, len - done);
      const frame = this.frame(pos - inPage, false);
      if (frame >= 0) copy(hostAddr + done, this.ctx.arena.base + frame + inPage, n);
      done += n;
    }
    return done;
  }

  /** Makes [offset, offset + len), whole pages, read as zeros again (MADV_REMOVE): 0 or -errno. */
  override punch(offset: number, len: number): number {
    const from = offset / PAGE_SIZE, to = (offset + len) / PAGE_SIZE;
    // A loop over the pieces with frames, as the range may have any length.
    for (const [piece, at] of this.pieces) {
      const start = piece * this.piecePages;
      const a = Math.max(from, start), b = Math.min(to, start + this.pagesOf(piece));
      if (a >= b) continue;
      const r = this.clearPiece(piece, at, a - start, b - start);
      if (r < 0) return r;
    }
    return 0;
  }

  /** Makes pages [from, to) of a piece read as zeros: 0 or -errno. */
  private clearPiece(piece: number, at: number, from: number, to: number): number {
    if (this.isHeldTwice(piece, at)) {
      if (to - from === this.pagesOf(piece)) {
        this.pieces.delete(piece);
        this.dropPiece(piece, at);
        return 0;
      }
      const r = this.copyPiece(piece, at);
      if (r < 0) return r;
    }
    const start = this.pieces.get(piece)! + from * PAGE_SIZE;
    return this.ctx.arena.punch(start, (to - from) * PAGE_SIZE);
  }

  /** The pages that the host has memory for. */
  residentPages(): number {
    let pages = 0;
    for (const [piece, at] of this.pieces) {
      pages += this.ctx.arena.residentPages(at, this.pagesOf(piece) * PAGE_SIZE);
    }
    return pages;
  }

  hold(): void {
    this.refs++;
  }
  drop(): void {
    if (--this.refs > 0) return;
    for (const [piece, at] of this.pieces) this.ctx.frames.release(at, this.pagesOf(piece));
    this.pieces.clear();
  }

  private pagesOf(piece: number): number {
    return Math.min(this.piecePages, this.bytes / PAGE_SIZE - piece * this.piecePages);
  }
}
