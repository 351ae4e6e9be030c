/**
 * Frames that a guest address space may still reach: they wait here, by space, until the platform has
 * acknowledged the change that unmapped them. Only then their reference is really given up.
 *
 * Not here: what happens to a frame without references (frames.ts).
 */

/** LIMIT: extents and pages that one look drops. */
const TURN_EXTENTS = 4096, TURN_PAGES = 1 << 16;

/** What the quarantine asks of an address space (platform.ts, AddressSpace). */
export interface AckSource {
  readonly seq: number;
  readonly ackedSeq: number;
  flush(): void;
}

/** The releases of one space, oldest first. */
class Waiting {
  readonly space: AckSource;
  readonly page: number[] = [];
  readonly count: number[] = [];
  readonly seq: number[] = [];
  head: number = 0;
  /** The oldest change that the last look saw waiting: flushed when it still waits at the next look. */
  seenSeq: number = -1;

  constructor(space: AckSource) {
    this.space = space;
  }
}

/** Gets the extents whose last change is acknowledged. */
export interface QuarantineSink {
  dropNow(page: number, pages: number): void;
}

export class FrameQuarantine {
  private readonly bySpace: Map<AckSource, Waiting> = new Map();
  /** Pages that wait. */
  pages: number = 0;

  get isEmpty(): boolean {
    return this.pages === 0;
  }

  /** Hold [page, page + pages) until everything queued on `space` up to now is acknowledged. */
  add(space: AckSource, page: number, pages: number): void {
    let waiting = this.bySpace.get(space);
    if (waiting === undefined) {
      waiting = new Waiting(space);
      this.bySpace.set(space, waiting);
    }
    const last = waiting.page.length - 1, seq = space.seq;
    if (
      last >= waiting.head && waiting.seq[last] === seq &&
      waiting.page[last]! + waiting.count[last]! === page
    ) {
      waiting.count[last]! += pages;
    } else {
      waiting.page.push(page);
      waiting.count.push(pages);
      waiting.seq.push(seq);
    }
    this.pages += pages;
  }

  /**
   * Give acknowledged extents to the sink. A space whose change waits since the last look is
   * flushed. True: there are more than one turn drops.
   */
  drain(sink: QuarantineSink): boolean {
    if (this.pages === 0) return false;
    let extents = TURN_EXTENTS, pages = TURN_PAGES;
    for (const waiting of this.bySpace.values()) {
      const acked = waiting.space.ackedSeq;
      let i = waiting.head;
      for (; i < waiting.seq.length && waiting.seq[i]! <= acked && extents > 0 && pages > 0; i++) {
        const count = Math.min(pages, waiting.count[i]!);
        this.pages -= count;
        sink.dropNow(waiting.page[i]!, count);
        pages -= count;
        extents--;
        if (count === waiting.count[i]!) continue;
        waiting.page[i]! += count;
        waiting.count[i]! -= count;
        break;
      }
      waiting.head = i;
      if (extents === 0 || pages === 0) {
        if (i > 1024) this.compact(waiting);
        return true;
      }
      if (i === waiting.seq.length) {
        this.bySpace.delete(waiting.space);
        continue;
      }
      if (waiting.seenSeq === waiting.seq[i]!) waiting.space.flush();
      waiting.seenSeq = waiting.seq[i]!;
      if (i > 1024) this.compact(waiting);
    }
    return false;
  }

  private compact(waiting: Waiting): void {
    waiting.page.splice(0, waiting.head);
    waiting.count.splice(0, waiting.head);
    waiting.seq.splice(0, waiting.head);
    waiting.head = 0;
  }
}
