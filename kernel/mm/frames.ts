/**
 * The frame allocator of a sandbox: extents of arena pages with a reference count for each page. A frame is an
 * arena offset in bytes. Every frame that is handed out reads as zeros.
 *
 * Allocating is only a reservation: the arena is a sparse file and the host gives memory at the first touch. Giving
 * memory back costs time (a punched hole), so it is done in slices by `reclaim`; a few small extents stay dirty and
 * are zeroed when they are wanted again.
 *
 * Neighbours: free_pages.ts (which pages are free), frame_quarantine.ts (frames that a guest may still reach).
 */

import { fill } from "../../ffi/mem/native_memory.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { CHUNK_PAGES, FreePages } from "./free_pages.ts";
import { type AckSource, FrameQuarantine } from "./frame_quarantine.ts";

export const PAGE_SIZE = 4096;
export const CHUNK_SIZE: number = CHUNK_PAGES * PAGE_SIZE;

/** LIMIT: extents up to this many pages are kept dirty for reuse, in all at most DIRTY_PAGES. */
const DIRTY_EXTENT = 16;
const DIRTY_PAGES = 2048;
/** Pages that are given back at once, at least, when there are no free ones. */
const LATE_PAGES = 512;
/** Reference counts come in tables of this many pages, made when first used. */
const TABLE_SHIFT = 16, TABLE_MASK = 0xffff;

/** What the allocator needs of ffi/mem's Arena. */
export interface FrameStore {
  readonly base: number;
  readonly size: number;
  /** Makes [off, off + len) read as zeros and gives its memory back: 0 or -errno. */
  punch(off: number, len: number): number;
}

/** Who keeps account of which frames were taken for whom (control groups). */
export interface FrameCharger {
  charge(page: number, pages: number): void;
  uncharge(page: number, pages: number): void;
}

/** Whom to ask for time when frames run out while more are on their way back. */
export interface FrameWaiter {
  /** Lets the host's answers come in (ends of address spaces above all): false when it has been tried for long enough. */
  waitForFrames(isFirst: boolean): boolean;
}

export class FrameAllocator {
  readonly arena: FrameStore;
  private readonly waiter: FrameWaiter | null;
  /** Null: nobody keeps account. */
  charger: FrameCharger | null = null;
  /** Pages that somebody holds or that wait in quarantine, in bytes. Reserved, not necessarily touched. */
  usedBytes: number = 0;
  /** All that were ever handed out, in bytes. */
  takenBytes: number = 0;
  private readonly free: FreePages;
  private readonly quarantine: FrameQuarantine = new FrameQuarantine();
  private readonly refTables: (Uint32Array | null)[];
  /** A bit a page: handed out as zeros that the allocator wrote. Tables as for references. */
  private readonly recycled: (Uint8Array | null)[];
  /** Dirty extents of n pages in `dirty[n]`. */
  private readonly dirty: number[][] = [];
  private dirtyPages: number = 0;
  /** Runs that wait to be punched: page, count pairs. */
  private readonly toPunch: number[] = [];

  constructor(arena: FrameStore, waiter: FrameWaiter | null = null) {
    this.arena = arena;
    this.waiter = waiter;
    const pages = Math.floor(arena.size / PAGE_SIZE);
    this.free = new FreePages(pages);
    this.refTables = new Array<Uint32Array | null>((pages >>> TABLE_SHIFT) + 1).fill(null);
    this.recycled = new Array<Uint8Array | null>(this.refTables.length).fill(null);
    for (let n = 0; n <= DIRTY_EXTENT; n++) this.dirty.push([]);
  }

  /**
   * Arena offset of `pages` contiguous zeroed pages with one reference each, or -1 when there are none. From
   * 512 pages on the offset is a multiple of 2 MiB.
   */
  alloc(pages: number): number {
    if (pages <= DIRTY_EXTENT && this.dirty[pages]!.length > 0) {
      const off = this.reuse(pages);
      if (off >= 0) return off;
    }
    let page = this.free.take(pages);
    if (page < 0) page = this.takeFreed(pages);
    if (page < 0) page = this.takeLate(pages);
    return page < 0 ? -1 : this.handOut(page, pages, false);
  }

  /** Of what waits to be given back, as much as it takes: the rest is left to `reclaim`. */
  private takeFreed(pages: number): number {
    this.retireDirty();
    for (;;) {
      const isMore = this.reclaim(Math.max(pages, LATE_PAGES) * PAGE_SIZE);
      const page = this.free.take(pages);
      if (page >= 0 || !isMore) return page;
    }
  }

  /** Memory of a process that has just ended is there for the next one, as Linux has it: waits for what is in quarantine. */
  private takeLate(pages: number): number {
    if (this.waiter === null) return -1;
    let page = -1, isFirst = true;
    while (page < 0 && !this.quarantine.isEmpty && this.waiter.waitForFrames(isFirst)) {
      isFirst = false;
      page = this.takeFreed(pages);
    }
    return page;
  }

  /** A whole 2 MiB chunk, aligned: its offset, or -1. */
  allocChunk(): number {
    return this.alloc(CHUNK_PAGES);
  }

  /** `pages` pages exactly at `off` when they are free now: `off`, or -1. Keeps host mappings mergeable. */
  allocAt(off: number, pages: number): number {
    const page = off / PAGE_SIZE;
    return this.free.takeAt(page, pages) ? this.handOut(page, pages, false) : -1;
  }

  /** One more reference to each page of the extent. */
  retain(off: number, pages: number): void {
    const page = off / PAGE_SIZE;
    for (let p = page; p < page + pages; p++) this.table(p)[p & TABLE_MASK]!++;
  }

  /**
   * One reference less. With a space, the pages stay out of use until the space has acknowledged everything
   * that is queued on it now: queue the unmapping first.
   */
  release(off: number, pages: number, space: AckSource | null = null): void {
    const page = off / PAGE_SIZE;
    if (space !== null && space.ackedSeq < space.seq) {
      if (this.charger !== null) this.unchargeLast(this.charger, page, pages);
      this.quarantine.add(space, page, pages);
    } else {
      this.dropNow(page, pages);
    }
  }

  /** Give back pages that nobody ever wrote to or mapped (one reference): they are free at once. */
  releaseUntouched(off: number, pages: number): void {
    const page = off / PAGE_SIZE;
    for (let p = page; p < page + pages; p++) {
      if (--this.table(p)[p & TABLE_MASK]! !== 0) throw new KernelBug("untouched frame is shared");
    }
    this.usedBytes -= pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.uncharge(page, pages);
    this.free.give(page, pages);
  }

  /** References of the page at `off`; a page in quarantine counts. */
  refs(off: number): number {
    const page = off / PAGE_SIZE, table = this.refTables[page >>> TABLE_SHIFT]!;
    return table === null ? 0 : table[page & TABLE_MASK]!;
  }

  /** The host has memory for arena page `page` from before it was handed out. */
  isRecycled(page: number): boolean {
    const table = this.recycled[page >>> TABLE_SHIFT]!;
    return table !== null && (table[(page & TABLE_MASK) >>> 3]! >>> (page & 7) & 1) !== 0;
  }

  /** Whether it was zeroed by the allocator, or (false) what is in it counts from now on. */
  markRecycled(page: number, is: boolean): void {
    const at = page >>> TABLE_SHIFT, i = (page & TABLE_MASK) >>> 3, bit = 1 << (page & 7);
    const table = this.recycled[at]!;
    if (is) (this.recycled[at] ??= new Uint8Array((TABLE_MASK + 1) >>> 3))[i]! |= bit;
    else if (table !== null) table[i]! &= ~bit;
  }

  /** The same for [page, end) of one table: whole bytes at once. */
  private markAll(page: number, end: number, is: boolean): void {
    const table = this.recycled[page >>> TABLE_SHIFT]!;
    if (table === null && !is) return;
    let p = page;
    for (; p < end && (p & 7) !== 0; p++) this.markRecycled(p, is);
    const from = (p & TABLE_MASK) >>> 3, bytes = (end - p) >>> 3;
    if (table !== null && bytes > 0) {
      table.fill(is ? 0xff : 0, from, from + bytes);
      p += 8 * bytes;
    }
    for (; p < end; p++) this.markRecycled(p, is);
  }

  /** Bytes that wait to be given back to the host. */
  get pendingBytes(): number {
    let pages = this.quarantine.pages;
    for (let i = 1; i < this.toPunch.length; i += 2) pages += this.toPunch[i]!;
    return pages * PAGE_SIZE;
  }

  /**
   * Give back up to `budgetBytes` in up to `most` runs, a call of the host each: true when more is
   * left that could be done now.
   */
  reclaim(budgetBytes: number, most: number = Infinity): boolean {
    const isMore = this.quarantine.drain(this);
    let budget = Math.max(1, Math.floor(budgetBytes / PAGE_SIZE));
    const runs = this.toPunch;
    for (let left = most; left > 0 && runs.length > 0 && budget > 0; left--) {
      const count = runs.pop()!, page = runs.pop()!;
      const n = Math.min(count, budget);
      if (n < count) runs.push(page, count - n);
      this.punch(page + count - n, n);
      budget -= n;
    }
    return isMore || runs.length > 0;
  }

  /** Give back everything that can be given back now, dirty extents too. */
  trim(): void {
    this.retireDirty();
    while (this.reclaim(Infinity));
  }

  /** Dirty extents wait to be given back, too. */
  private retireDirty(): void {
    for (let n = 1; n <= DIRTY_EXTENT; n++) {
      const list = this.dirty[n]!;
      for (const page of list) this.toPunch.push(page, n);
      this.dirtyPages -= n * list.length;
      list.length = 0;
    }
  }

  /** Frames whose last reference goes into quarantine are nobody's from now on: who asks after a process has ended sees so. */
  private unchargeLast(charger: FrameCharger, page: number, pages: number): void {
    for (let p = page; p < page + pages; p++) {
      if (this.refs(p * PAGE_SIZE) === 1) charger.uncharge(p, 1);
    }
  }

  /** Called by the quarantine: one reference less of each page, now. */
  dropNow(page: number, pages: number): void {
    const end = page + pages;
    let from = -1;
    for (let p = page; p < end; p++) {
      const table = this.table(p), refs = table[p & TABLE_MASK]!;
      if (refs === 0) throw new KernelBug(`frame ${p} is released twice`);
      table[p & TABLE_MASK] = refs - 1;
      if (refs === 1) {
        if (from < 0) from = p;
      } else if (from >= 0) {
        this.retire(from, p - from);
        from = -1;
      }
    }
    if (from >= 0) this.retire(from, end - from);
  }

  private handOut(page: number, pages: number, isRecycled: boolean): number {
    this.usedBytes += pages * PAGE_SIZE;
    this.takenBytes += pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.charge(page, pages);
    const end = page + pages;
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), at = p & TABLE_MASK;
      this.table(p).fill(1, at, at + next - p);
      this.markAll(p, next, isRecycled);
      p = next;
    }
    return page * PAGE_SIZE;
  }

  /** A dirty extent, zeroed now. -1 when the host has no memory for it. */
  private reuse(pages: number): number {
    const page = this.dirty[pages]!.pop()!, len = pages * PAGE_SIZE;
    this.dirtyPages -= pages;
    if (fill(this.arena.base + page * PAGE_SIZE, 0, len) !== len) {
      this.toPunch.push(page, pages);
      return -1;
    }
    return this.handOut(page, pages, true);
  }

  /** Nobody refers to these pages any more, but they are not zero. */
  private retire(page: number, pages: number): void {
    this.usedBytes -= pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.uncharge(page, pages);
    if (pages <= DIRTY_EXTENT && this.dirtyPages + pages <= DIRTY_PAGES) {
      this.dirty[pages]!.push(page);
      this.dirtyPages += pages;
    } else {
      this.toPunch.push(page, pages);
    }
  }

  /** Pages that cannot be zeroed are lost rather than handed out dirty. */
  private punch(page: number, pages: number): void {
    const off = page * PAGE_SIZE, len = pages * PAGE_SIZE;
    if (this.arena.punch(off, len) < 0 && fill(this.arena.base + off, 0, len) !== len) return;
    this.free.give(page, pages);
  }

  private table(page: number): Uint32Array {
    const at = page >>> TABLE_SHIFT;
    let table = this.refTables[at]!;
    if (table === null) {
      table = new Uint32Array(TABLE_MASK + 1);
      this.refTables[at] = table;
    }
    return table;
  }
}
