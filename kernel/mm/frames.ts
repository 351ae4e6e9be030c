/**
 * The frame allocator of a sandbox: extents of arena pages with a reference count for each page. A
 * frame is an arena offset in bytes. Every allocated frame reads as zeros. All guest memory, tmpfs
 * files and shared memory come from here.
 *
 * An allocation is only a reservation: the arena is a sparse file and the host gives memory at the
 * first touch. Giving memory back costs time (a punched hole), so `reclaim` does it in slices; a
 * few small extents stay dirty and are zeroed when they are used again.
 *
 * Neighbours: free_pages.ts (which pages are free), frame_quarantine.ts (frames that a guest may
 * still reach).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { fill } from "../../ffi/mem/native_memory.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import type { CopyStore } from "./copy_frames.ts";
import { FrameGenerations } from "./frame_generations.ts";
import { CHUNK_PAGES, FreePages } from "./free_pages.ts";
import { type AckSource, FrameQuarantine } from "./frame_quarantine.ts";

export const CHUNK_SIZE: number = CHUNK_PAGES * PAGE_SIZE;

/** LIMIT: extents up to this many pages are kept dirty for reuse, in all at most DIRTY_PAGES. */
const DIRTY_EXTENT = 16;
const DIRTY_PAGES = 2048;
/** The least number of pages that are given back at once when none is free. */
const LATE_PAGES = 512;
/**
 * The page numbers of one table of reference counts, as a shift and a mask; a table is made when it
 * is first used.
 */
const TABLE_SHIFT = 16, TABLE_MASK = 0xffff;

/** The part of ffi/mem's Arena that the allocator needs. */
export interface FrameStore extends CopyStore {
  readonly base: number;
  readonly size: number;
  /** Makes [off, off + len) read as zeros and gives its memory back: 0 or -errno. */
  punch(off: number, len: number): number;
}

/** Charges frames to the control group that they are allocated for. */
export interface FrameCharger {
  charge(page: number, pages: number): void;
  uncharge(page: number, pages: number): void;
}

/** Waits for frames when there are none but some are on their way back. */
export interface FrameWaiter {
  /**
   * Takes the host's answers (ends of address spaces above all): false when the wait has been long
   * enough.
   */
  waitForFrames(isFirst: boolean): boolean;
}

export class FrameAllocator {
  readonly arena: FrameStore;
  private readonly waiter: FrameWaiter | null;
  /** Null: frames are not charged. */
  charger: FrameCharger | null = null;
  /**
   * Pages that have references or wait in quarantine, in bytes. Reserved, not necessarily touched.
   */
  usedBytes: number = 0;
  /** All pages that were ever allocated, in bytes. */
  takenBytes: number = 0;
  readonly generations: FrameGenerations;
  private readonly free: FreePages;
  private readonly quarantine: FrameQuarantine = new FrameQuarantine();
  private readonly refTables: (Uint32Array | null)[];
  /**
   * A bit for each page: set when the allocator zeroed it, so that it has memory before its first
   * touch. Tables as for references.
   */
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
    this.generations = new FrameGenerations(pages);
    this.free = new FreePages(pages);
    this.refTables = new Array<Uint32Array | null>((pages >>> TABLE_SHIFT) + 1).fill(null);
    this.recycled = new Array<Uint8Array | null>(this.refTables.length).fill(null);
    for (let n = 0; n <= DIRTY_EXTENT; n++) this.dirty.push([]);
  }

  /**
   * Allocates `pages` contiguous zeroed pages with one reference each: the arena offset, or -1 when
   * there are none. From 512 pages on the offset is a multiple of 2 MiB.
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

  /**
   * Reclaims pages that wait to be given back until `pages` contiguous ones are free; `reclaim`
   * does the rest later.
   */
  private takeFreed(pages: number): number {
    this.retireDirty();
    for (;;) {
      const isMore = this.reclaim(Math.max(pages, LATE_PAGES) * PAGE_SIZE);
      const page = this.free.take(pages);
      if (page >= 0 || !isMore) return page;
    }
  }

  /**
   * Waits for pages in quarantine, so that the memory of a process that has just ended can be used
   * by the next one, as on Linux.
   */
  private takeLate(pages: number): number {
    if (this.waiter === null) return -1;
    let page = -1, isFirst = true;
    while (page < 0 && !this.quarantine.isEmpty && this.waiter.waitForFrames(isFirst)) {
      isFirst = false;
      page = this.takeFreed(pages);
    }
    return page;
  }

  /** Allocates an aligned 2 MiB chunk: its offset, or -1. */
  allocChunk(): number {
    return this.alloc(CHUNK_PAGES);
  }

  /**
   * Allocates `pages` pages exactly at `off` if they are free: `off`, or -1. This keeps host
   * mappings mergeable.
   */
  allocAt(off: number, pages: number): number {
    const page = off / PAGE_SIZE;
    return this.free.takeAt(page, pages) ? this.handOut(page, pages, false) : -1;
  }

  /** Adds a reference to each page of the extent. */
  retain(off: number, pages: number): void {
    const page = off / PAGE_SIZE;
    for (let p = page; p < page + pages; p++) this.table(p)[p & TABLE_MASK]!++;
  }

  /**
   * Drops a reference of each page. With a space, the pages stay in quarantine until the space has
   * acknowledged all changes that are queued on it now: queue the unmapping first.
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

  /** Frees pages that were never written or mapped (one reference): they are free at once. */
  releaseUntouched(off: number, pages: number): void {
    const page = off / PAGE_SIZE;
    for (let p = page; p < page + pages; p++) {
      if (--this.table(p)[p & TABLE_MASK]! !== 0) throw new KernelBug("untouched frame is shared");
    }
    this.usedBytes -= pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.uncharge(page, pages);
    this.free.give(page, pages);
  }

  /** The references of the page at `off`; a page in quarantine has one. */
  refs(off: number): number {
    const page = off / PAGE_SIZE, table = this.refTables[page >>> TABLE_SHIFT]!;
    return table === null ? 0 : table[page & TABLE_MASK]!;
  }

  /**
   * Whether the allocator zeroed arena page `page` for reuse, so that the host has memory for it.
   */
  isRecycled(page: number): boolean {
    const table = this.recycled[page >>> TABLE_SHIFT]!;
    return table !== null && (table[(page & TABLE_MASK) >>> 3]! >>> (page & 7) & 1) !== 0;
  }

  /**
   * Records whether the allocator zeroed the page; false: its contents count as touched from now
   * on.
   */
  markRecycled(page: number, is: boolean): void {
    const at = page >>> TABLE_SHIFT, i = (page & TABLE_MASK) >>> 3, bit = 1 << (page & 7);
    const table = this.recycled[at]!;
    if (is) (this.recycled[at] ??= new Uint8Array((TABLE_MASK + 1) >>> 3))[i]! |= bit;
    else if (table !== null) table[i]! &= ~bit;
  }

  /** `markRecycled` for [page, end) of one table: whole bytes at once. */
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

  /** The bytes that wait to be given back to the host. */
  get pendingBytes(): number {
    let pages = this.quarantine.pages;
    for (let i = 1; i < this.toPunch.length; i += 2) pages += this.toPunch[i]!;
    return pages * PAGE_SIZE;
  }

  /**
   * Gives up to `budgetBytes` back to the host, in up to `most` runs of a host call each: true when
   * more could be given back now.
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

  /** Drops the references of all pages whose changes are acknowledged. */
  settle(): void {
    while (this.quarantine.drain(this));
  }

  /** Gives back everything that can be given back now, dirty extents too. */
  trim(): void {
    this.retireDirty();
    while (this.reclaim(Infinity));
  }

  /** Queues the dirty extents to be given back. */
  retireDirty(): void {
    for (let n = 1; n <= DIRTY_EXTENT; n++) {
      const list = this.dirty[n]!;
      for (const page of list) this.toPunch.push(page, n);
      this.dirtyPages -= n * list.length;
      list.length = 0;
    }
  }

  /**
   * Uncharges frames whose last reference goes into quarantine, so that the charge is gone as soon
   * as a process has ended.
   */
  private unchargeLast(charger: FrameCharger, page: number, pages: number): void {
    for (let p = page, end = page + pages; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), table = this.table(p);
      while (p < next) {
        const from = p;
        while (p < next && table[p & TABLE_MASK] === 1) p++;
        if (p > from) charger.uncharge(from, p - from);
        while (p < next && table[p & TABLE_MASK] !== 1) p++;
      }
    }
  }

  /** Drops a reference of each page now; the quarantine calls this. */
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
    if (this.generations.current > 0) this.generations.stamp(page, end);
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), at = p & TABLE_MASK;
      this.table(p).fill(1, at, at + next - p);
      this.markAll(p, next, isRecycled);
      p = next;
    }
    return page * PAGE_SIZE;
  }

  /** Takes a dirty extent and zeroes it. -1 when the host has no memory for it. */
  private reuse(pages: number): number {
    const page = this.dirty[pages]!.pop()!, len = pages * PAGE_SIZE;
    this.dirtyPages -= pages;
    if (fill(this.arena.base + page * PAGE_SIZE, 0, len) !== len) {
      this.toPunch.push(page, pages);
      return -1;
    }
    return this.handOut(page, pages, true);
  }

  /** Frees pages without references, which are not zero yet. */
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

  /** Zeroes and frees pages. Pages that cannot be zeroed are lost rather than allocated dirty. */
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
