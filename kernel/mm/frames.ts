/**
 * The frames of one kernel: extents of arena pages with a reference count for each page. A frame is
 * an arena offset in bytes. Every allocated frame reads as zeros. All guest memory, tmpfs files and
 * shared memory come from here.
 *
 * Other kernels and snapshots of the process may hold the same pages (frame_pool.ts). Each kernel
 * is charged for all that it holds, shared with others or not. So a kernel stays within its limit
 * whatever it writes, and what others drop, in any order, changes no charge of this one.
 *
 * Neighbour: frame_quarantine.ts (frames that a guest may still reach).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { FramePool, type FrameStore } from "./frame_pool.ts";
import type { AckSource } from "./frame_quarantine.ts";
import { CHUNK_PAGES } from "./free_pages.ts";
import { PageCounts, TABLE_MASK } from "./page_counts.ts";

export const CHUNK_SIZE: number = CHUNK_PAGES * PAGE_SIZE;

/** The least number of pages that are given back at once when none is free. */
const LATE_PAGES = 512;

/** Charges frames to the control group that they are allocated for. */
export interface FrameCharger {
  charge(page: number, pages: number): void;
  uncharge(page: number, pages: number): void;
}

/** Holds frames for a kernel that it has no references to. */
export interface FrameTable {
  /** Drops about `most` pages or more. True: there are more. */
  end(most: number): boolean;
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
  readonly pool: FramePool;
  /** Null: no allocation waits. */
  waiter: FrameWaiter | null;
  /** Null: frames are not charged. */
  charger: FrameCharger | null = null;
  /**
   * Pages that have references or wait in quarantine, in bytes. Reserved, not necessarily touched.
   */
  usedBytes: number = 0;
  /** All pages that were ever allocated, in bytes. */
  takenBytes: number = 0;
  /** What else holds frames for the kernel: records of files. */
  readonly tables: Set<FrameTable> = new Set();
  private readonly references: PageCounts;

  /** @param pool of the arena, if another kernel has one already */
  constructor(
    arena: FrameStore,
    waiter: FrameWaiter | null = null,
    pool: FramePool = new FramePool(arena),
  ) {
    this.arena = arena;
    this.pool = pool;
    this.waiter = waiter;
    this.references = new PageCounts(pool.pageCount);
  }

  /**
   * Allocates `pages` contiguous zeroed pages with one reference each: the arena offset, or -1 when
   * there are none. From 512 pages on the offset is a multiple of 2 MiB.
   */
  alloc(pages: number): number {
    let page = this.pool.take(pages);
    if (page < 0) page = this.takeFreed(pages);
    if (page < 0) page = this.takeLate(pages);
    return page < 0 ? -1 : this.handOut(page, pages);
  }

  /**
   * Reclaims pages that wait to be given back until `pages` contiguous ones are free; `reclaim`
   * does the rest later.
   */
  private takeFreed(pages: number): number {
    const { pool } = this;
    pool.retireDirty();
    for (;;) {
      const isMore = pool.reclaim(Math.max(pages, LATE_PAGES) * PAGE_SIZE);
      const page = pool.takeClean(pages);
      if (page >= 0 || !isMore) return page;
    }
  }

  /**
   * Waits for pages in quarantine, so that the memory of a process that has just ended can be used
   * by the next one, as on Linux.
   */
  private takeLate(pages: number): number {
    if (this.waiter === null) return -1;
    const { quarantine } = this.pool;
    let page = -1, isFirst = true;
    while (page < 0 && !quarantine.isEmpty && this.waiter.waitForFrames(isFirst)) {
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
    const page = this.pool.takeAt(off / PAGE_SIZE, pages);
    return page < 0 ? -1 : this.handOut(page, pages);
  }

  /** Adds a reference to each page of the extent. */
  retain(off: number, pages: number): void {
    const page = off / PAGE_SIZE;
    this.references.add(1, page, page + pages);
  }

  /**
   * Adds a reference to each page of the extent; pages that this kernel does not hold yet have
   * another holder. They are charged to no group: those of a copy are charged as in its original.
   */
  share(off: number, pages: number): void {
    const page = off / PAGE_SIZE, end = page + pages, { references, pool } = this;
    for (let p = page; p < end;) {
      const to = references.runEnd(p, end);
      if (references.get(p) === 0) {
        pool.hold(p, to - p);
        this.usedBytes += (to - p) * PAGE_SIZE;
        this.takenBytes += (to - p) * PAGE_SIZE;
      }
      references.add(1, p, to);
      p = to;
    }
  }

  /** Counts pages as used that this kernel holds without references: in records of files. */
  countUsed(pages: number): void {
    this.usedBytes += pages * PAGE_SIZE;
  }

  /**
   * A record of a file becomes a holder of the pages in place of one reference to each. They stay
   * charged.
   */
  handOver(off: number, pages: number): void {
    const { charger } = this;
    this.charger = null;
    this.pool.hold(off / PAGE_SIZE, pages);
    this.dropNow(off / PAGE_SIZE, pages);
    this.charger = charger;
  }

  /**
   * Drops a reference of each page. With a space, the pages stay in quarantine until the space has
   * acknowledged all changes that are queued on it now: queue the unmapping first.
   */
  release(off: number, pages: number, space: AckSource | null = null): void {
    const page = off / PAGE_SIZE;
    if (space !== null && space.ackedSeq < space.seq) {
      if (this.charger !== null) this.unchargeLast(this.charger, page, pages);
      this.pool.quarantine.add(space, page, pages, this);
    } else {
      this.dropNow(page, pages);
    }
  }

  /** Frees pages that were never written or mapped (one reference): they are free at once. */
  releaseUntouched(off: number, pages: number): void {
    const page = off / PAGE_SIZE, { references, pool } = this;
    for (let p = page; p < page + pages; p++) {
      if (--references.table(p)[p & TABLE_MASK]! !== 0 || pool.isHeldTwice(p)) {
        throw new KernelBug("untouched frame is shared");
      }
    }
    this.usedBytes -= pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.uncharge(page, pages);
    pool.giveUntouched(page, pages);
  }

  /**
   * The references of the page at `off`, and one for each other holder; a page in quarantine has
   * one. HOT
   */
  refs(off: number): number {
    const page = off / PAGE_SIZE, own = this.references.get(page);
    return own === 0 ? 0 : own + this.pool.othersOf(page);
  }

  /**
   * Adds the runs of pages that the kernel holds in [from, to). Returns the page to go on with,
   * which is behind `to` where no page is held.
   */
  addRuns(from: number, to: number, runs: { start: number; end: number }[]): number {
    const { references } = this, end = Math.min(to, this.pool.pageCount);
    const blankEnd = references.blankEnd(from);
    if (blankEnd >= 0) return blankEnd;
    for (let page = from; page < end;) {
      const start = page;
      while (page < end && references.get(page) > 0) page++;
      if (page > start) runs.push({ start, end: page });
      while (page < end && references.get(page) === 0) page++;
    }
    return end;
  }

  /** The bytes that wait to be given back to the host, of all kernels. */
  get pendingBytes(): number {
    return this.pool.pendingBytes;
  }

  /** Gives freed pages of all kernels back to the host, as `FramePool.reclaim` does. */
  reclaim(budgetBytes: number, most: number = Infinity): boolean {
    return this.pool.reclaim(budgetBytes, most);
  }

  /**
   * Drops `most` of the pages that are left, when the kernel has ended and no guest can reach its
   * frames any more. True: there are more.
   */
  dropRest(most: number): boolean {
    const { references, pool } = this;
    this.charger = null;
    for (const table of this.tables) {
      if (table.end(most)) return true;
    }
    let left = most;
    for (let page = references.nextCounted(0); page >= 0; page = references.nextCounted(page)) {
      if (left === 0) return true;
      let end = page + 1;
      while (end < pool.pageCount && end - page < left && references.get(end) > 0) end++;
      references.fill(0, page, end);
      left -= end - page;
      this.drop(page, end - page);
      page = end;
    }
    return false;
  }

  /**
   * Uncharges frames whose last reference goes into quarantine, so that the charge is gone as soon
   * as a process has ended.
   */
  private unchargeLast(charger: FrameCharger, page: number, pages: number): void {
    for (let p = page, end = page + pages; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), table = this.references.table(p);
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
      const table = this.references.table(p), refs = table[p & TABLE_MASK]!;
      if (refs === 0) throw new KernelBug(`frame ${p} is released twice`);
      table[p & TABLE_MASK] = refs - 1;
      if (refs === 1) {
        if (from < 0) from = p;
      } else if (from >= 0) {
        this.drop(from, p - from);
        from = -1;
      }
    }
    if (from >= 0) this.drop(from, end - from);
  }

  /** The kernel does not hold these pages any more. */
  private drop(page: number, pages: number): void {
    this.usedBytes -= pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.uncharge(page, pages);
    this.pool.drop(page, pages);
  }

  private handOut(page: number, pages: number): number {
    this.usedBytes += pages * PAGE_SIZE;
    this.takenBytes += pages * PAGE_SIZE;
    if (this.charger !== null) this.charger.charge(page, pages);
    this.references.fill(1, page, page + pages);
    return page * PAGE_SIZE;
  }
}
