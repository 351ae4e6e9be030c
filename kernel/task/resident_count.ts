/**
 * Counts the memory that the host has supplied, in slices: the host is asked for each run of
 * frames, and a guest decides how many runs there are.
 */

import type { Arena } from "../../ffi/mem/arena.ts";
import type { Host } from "../core/host.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { FrameRun } from "./frame_runs.ts";

/** LIMIT: pages that the host is asked for at once (50 us), and extents that are read at once. */
const PIECE_PAGES = 1024, EXTENTS_AT_ONCE = 256;

/** Frames to count, piece by piece. What changes meanwhile may be missed or be there twice. */
export interface FrameSource {
  /** The next runs, in a short time; null: there are no more. */
  more(): readonly FrameRun[] | null;
}

/** Runs that are known. */
export class KnownFrames implements FrameSource {
  private runs: readonly FrameRun[] | null;

  constructor(runs: readonly FrameRun[]) {
    this.runs = runs;
  }

  more(): readonly FrameRun[] | null {
    const { runs } = this;
    this.runs = null;
    return runs;
  }
}

/** The frames of a process. */
export class MemoryFrames implements FrameSource {
  private readonly mm: MemoryManager;
  private next: number = 0;

  constructor(mm: MemoryManager) {
    this.mm = mm;
  }

  more(): readonly FrameRun[] | null {
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

export class ResidentCount {
  /** Bytes that were counted so far. */
  bytes: number = 0;
  private readonly arena: Arena;
  private readonly source: FrameSource;
  private runs: readonly FrameRun[] = [];
  private at: number = 0;
  /** The next page of the run. */
  private page: number = 0;

  constructor(arena: Arena, source: FrameSource) {
    this.arena = arena;
    this.source = source;
  }

  /** Counts until the host's clock is `untilNs`; true when all is counted. */
  step(host: Host, untilNs: number): boolean {
    for (;;) {
      if (this.at < this.runs.length) this.countPiece(this.runs[this.at]!);
      else {
        const runs = this.source.more();
        if (runs === null) return true;
        this.runs = runs;
        this.at = this.page = 0;
      }
      if (host.monotonicNs() >= untilNs) return false;
    }
  }

  private countPiece({ start, end }: FrameRun): void {
    const { arena } = this, next = arena.nextData(Math.max(start, this.page) * PAGE_SIZE);
    const from = Math.min(end, next / PAGE_SIZE), to = Math.min(end, from + PIECE_PAGES);
    if (from < end) this.bytes += arena.presentPages(from * PAGE_SIZE, to - from) * PAGE_SIZE;
    this.page = to;
    if (to < end) return;
    this.at++;
    this.page = 0;
  }
}
