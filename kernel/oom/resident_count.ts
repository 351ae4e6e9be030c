/**
 * Counts the memory that the host has supplied for frames, in slices: each run of frames costs a
 * host call, and a guest decides how many runs there are. The OOM killer counts domains
 * (domain_look.ts) and processes (victim_search.ts).
 */

import type { Arena } from "../../ffi/mem/arena.ts";
import type { Host } from "../core/host.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { FrameRun } from "./frame_runs.ts";

/** LIMIT: pages that the host is asked for at once (50 us), and extents that are read at once. */
const PIECE_PAGES = 1024, EXTENTS_AT_ONCE = 256;

/**
 * Runs of frames to count, returned in pieces. A frame that is mapped elsewhere between two pieces
 * may be missed or returned twice.
 */
export interface FrameSource {
  /** The next piece, found in bounded time; null: there are no more. */
  nextRuns(): readonly FrameRun[] | null;
}

/** Runs that the caller has collected: they are one piece. */
export class KnownFrames implements FrameSource {
  private runs: readonly FrameRun[] | null;

  constructor(runs: readonly FrameRun[]) {
    this.runs = runs;
  }

  nextRuns(): readonly FrameRun[] | null {
    const { runs } = this;
    this.runs = null;
    return runs;
  }
}

/** The frames in the page map of a process, EXTENTS_AT_ONCE extents a piece. */
export class MemoryFrames implements FrameSource {
  private readonly mm: MemoryManager;
  private next: number = 0;

  constructor(mm: MemoryManager) {
    this.mm = mm;
  }

  nextRuns(): readonly FrameRun[] | null {
    const { pages } = this.mm, runs: FrameRun[] = [];
    if (this.next >= pages.length) return null;
    const to = Math.min(pages.length, this.next + EXTENTS_AT_ONCE);
    for (; this.next < to; this.next++) {
      const start = pages.frame(this.next);
      if (start >= 0) runs.push({ start, end: start + pages.count(this.next) });
    }
    return runs;
  }
}

/** A count in progress of the bytes that the host has supplied for the frames of a source. */
export class ResidentCount {
  /** Bytes that were counted so far. */
  bytes: number = 0;
  private readonly arena: Arena;
  private readonly source: FrameSource;
  /** The present piece, the index of its run that is counted, and the next page of that run. */
  private runs: readonly FrameRun[] = [];
  private at: number = 0;
  private page: number = 0;

  constructor(arena: Arena, source: FrameSource) {
    this.arena = arena;
    this.source = source;
  }

  /** Counts until the host's clock is `untilNs`; true when all is counted. */
  step(host: Host, untilNs: number): boolean {
    for (;;) {
      if (this.at < this.runs.length) this.countPages(this.runs[this.at]!);
      else {
        const runs = this.source.nextRuns();
        if (runs === null) return true;
        this.runs = runs;
        this.at = this.page = 0;
      }
      if (host.monotonicNs() >= untilNs) return false;
    }
  }

  /** Counts up to PIECE_PAGES of a run, from `page` on. */
  private countPages({ start, end }: FrameRun): void {
    const { arena } = this, next = arena.nextData(Math.max(start, this.page) * PAGE_SIZE);
    const from = Math.min(end, next / PAGE_SIZE), to = Math.min(end, from + PIECE_PAGES);
    if (from < end) this.bytes += arena.presentPages(from * PAGE_SIZE, to - from) * PAGE_SIZE;
    this.page = to;
    if (to < end) return;
    this.at++;
    this.page = 0;
  }
}
