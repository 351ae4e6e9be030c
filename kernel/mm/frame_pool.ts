/**
 * The page frames of an arena, which all kernels and snapshots of the process share. A page that is
 * not free has holders: kernels (frames.ts counts the references inside of one) and snapshots. It
 * is free again when the last of them, in whichever order, has dropped it.
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
import type { CopyStore } from "./copy_frames.ts";
import { FreePages } from "./free_pages.ts";
import { FrameQuarantine } from "./frame_quarantine.ts";
import { MemoryUsers } from "./memory_users.ts";
import { PageCounts, TABLE_MASK } from "./page_counts.ts";

/** LIMIT: extents up to this many pages are kept dirty for reuse, in all at most DIRTY_PAGES. */
const DIRTY_EXTENT = 16;
const DIRTY_PAGES = 2048;
/** The pages of one table of bits, as a shift. */
const BITS_SHIFT = 16;

/** The part of ffi/mem's Arena that the frames need. */
export interface FrameStore extends CopyStore {
  readonly base: number;
  readonly size: number;
  /** Makes [off, off + len) read as zeros and gives its memory back: 0 or -errno. */
  punch(off: number, len: number): number;
}

export class FramePool {
  readonly arena: FrameStore;
  /** Pages that have a holder, in bytes. Reserved, not necessarily touched. */
  heldBytes: number = 0;
  readonly quarantine: FrameQuarantine = new FrameQuarantine();
  /** The kernels that have turns. */
  readonly users: MemoryUsers = new MemoryUsers();
  private readonly free: FreePages;
  /** Holders of each page beyond its first, and the sum of these counts. */
  private readonly others: PageCounts;
  private otherHolds: number = 0;
  /**
   * A bit for each page: set when the pool zeroed it, so that it has memory before its first touch.
   */
  private readonly recycled: (Uint8Array | null)[];
  /** Dirty extents of n pages in `dirty[n]`. */
  private readonly dirty: number[][] = [];
  private dirtyPages: number = 0;
  /** Runs that wait to be punched: page, count pairs. */
  private readonly toPunch: number[] = [];

  constructor(arena: FrameStore) {
    this.arena = arena;
    const { pageCount } = this;
    this.free = new FreePages(pageCount);
    this.others = new PageCounts(pageCount);
    this.recycled = new Array<Uint8Array | null>((pageCount >>> BITS_SHIFT) + 1).fill(null);
    for (let n = 0; n <= DIRTY_EXTENT; n++) this.dirty.push([]);
  }

  get pageCount(): number {
    return Math.floor(this.arena.size / PAGE_SIZE);
  }

  /** Takes `pages` contiguous zeroed pages with one holder: the first, or -1. */
  take(pages: number): number {
    if (pages <= DIRTY_EXTENT && this.dirty[pages]!.length > 0) {
      const page = this.reuse(pages);
      if (page >= 0) return page;
    }
    return this.takeClean(pages);
  }

  /** `take`, without pages that wait for their reuse. */
  takeClean(pages: number): number {
    const page = this.free.take(pages);
    return page < 0 ? -1 : this.handOut(page, pages, false);
  }

  /** Takes these pages: the first, or -1 if they are not free. */
  takeAt(page: number, pages: number): number {
    return this.free.takeAt(page, pages) ? this.handOut(page, pages, false) : -1;
  }

  /** Gives back pages that were never written or mapped: they are free at once. */
  giveUntouched(page: number, pages: number): void {
    this.heldBytes -= pages * PAGE_SIZE;
    this.free.give(page, pages);
  }

  /** Adds a holder to pages that have one. */
  hold(page: number, pages: number): void {
    this.others.add(1, page, page + pages);
    this.otherHolds += pages;
  }

  /** A holder drops its pages. */
  drop(page: number, pages: number): void {
    if (this.otherHolds === 0) return this.retire(page, pages);
    const end = page + pages;
    for (let p = page; p < end;) {
      const run = this.heldRun(p, end - p);
      if (this.isHeldTwice(p)) this.dropOther(p, run);
      else this.retire(p, run);
      p += run;
    }
  }

  private dropOther(page: number, pages: number): void {
    this.others.add(-1, page, page + pages);
    this.otherHolds -= pages;
  }

  /** Some page has two holders. HOT */
  get isShared(): boolean {
    return this.otherHolds > 0;
  }

  /** Holders of a page beyond the first. HOT */
  othersOf(page: number): number {
    return this.otherHolds === 0 ? 0 : this.others.get(page);
  }

  /** Whether the page has another holder beside the one that asks. HOT */
  isHeldTwice(page: number): boolean {
    return this.otherHolds > 0 && this.others.get(page) > 0;
  }

  /** Whether one of these pages has another holder. */
  hasHeldTwice(page: number, pages: number): boolean {
    const run = this.heldRun(page, pages);
    return run < pages || this.isHeldTwice(page);
  }

  /** The number of pages from `page` on, at most `max`, that are held twice, or not, as it is. */
  heldRun(page: number, max: number): number {
    if (this.otherHolds === 0) return max;
    const is = this.isHeldTwice(page);
    let n = 1;
    while (n < max && this.isHeldTwice(page + n) === is) n++;
    return n;
  }

  /** Whether the pool zeroed the page for reuse, so that the host has memory for it. */
  isRecycled(page: number): boolean {
    const table = this.recycled[page >>> BITS_SHIFT]!;
    return table !== null && (table[(page & TABLE_MASK) >>> 3]! >>> (page & 7) & 1) !== 0;
  }

  /**
   * Records whether the pool zeroed the page; false: its contents count as touched from now on.
   */
  markRecycled(page: number, is: boolean): void {
    const at = page >>> BITS_SHIFT, i = (page & TABLE_MASK) >>> 3, bit = 1 << (page & 7);
    const table = this.recycled[at]!;
    if (is) (this.recycled[at] ??= new Uint8Array((TABLE_MASK + 1) >>> 3))[i]! |= bit;
    else if (table !== null) table[i]! &= ~bit;
  }

  /** `markRecycled` for [page, end) of one table: whole bytes at once. */
  private markAll(page: number, end: number, is: boolean): void {
    const table = this.recycled[page >>> BITS_SHIFT]!;
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
    const isMore = this.quarantine.drain();
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
    while (this.quarantine.drain());
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

  private handOut(page: number, pages: number, isRecycled: boolean): number {
    this.heldBytes += pages * PAGE_SIZE;
    const end = page + pages;
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1);
      this.markAll(p, next, isRecycled);
      p = next;
    }
    return page;
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

  /** Frees pages without holders, which are not zero yet. */
  private retire(page: number, pages: number): void {
    this.heldBytes -= pages * PAGE_SIZE;
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
}
