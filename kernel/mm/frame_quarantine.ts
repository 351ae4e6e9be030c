/**
 * Frames that a guest address space may still reach. They wait here, by space, until the platform
 * has acknowledged the change that unmapped them; only then their reference is dropped. The pool of
 * frames (frame_pool.ts) owns the quarantine, for the spaces of all kernels.
 */

/** LIMIT: extents and pages that one call of `drain` drops. */
const TURN_EXTENTS = 4096, TURN_PAGES = 1 << 16;

/**
 * The part of an address space that the quarantine needs (AddressSpace of platform/platform.ts).
 */
export interface AckSource {
  readonly seq: number;
  readonly ackedSeq: number;
  flush(): void;
}

/** Takes the extents whose last change is acknowledged: the frames of the space's kernel. */
interface QuarantineSink {
  dropNow(page: number, pages: number): void;
}

/** The releases of one space, oldest first. */
class WaitingFrames {
  readonly space: AckSource;
  readonly sink: QuarantineSink;
  readonly page: number[] = [];
  readonly count: number[] = [];
  readonly seq: number[] = [];
  head: number = 0;
  /**
   * The oldest change that was not acknowledged at the last look; it is flushed when it still waits
   * at the next look.
   */
  seenSeq: number = -1;

  constructor(space: AckSource, sink: QuarantineSink) {
    this.space = space;
    this.sink = sink;
  }
}

export class FrameQuarantine {
  private readonly bySpace: Map<AckSource, WaitingFrames> = new Map();
  /** Pages in quarantine. */
  pages: number = 0;

  get isEmpty(): boolean {
    return this.pages === 0;
  }

  /**
   * Holds [page, page + pages) until every change that is queued on `space` now is acknowledged;
   * then `sink` gets them.
   */
  add(space: AckSource, page: number, pages: number, sink: QuarantineSink): void {
    let waiting = this.bySpace.get(space);
    if (waiting === undefined) {
      waiting = new WaitingFrames(space, sink);
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
   * Gives acknowledged extents to their sinks, and flushes a space whose change has waited since
   * the last look. True when one turn was not enough.
   */
  drain(): boolean {
    if (this.pages === 0) return false;
    let extents = TURN_EXTENTS, pages = TURN_PAGES;
    for (const waiting of this.bySpace.values()) {
      const acked = waiting.space.ackedSeq;
      let i = waiting.head;
      for (; i < waiting.seq.length && waiting.seq[i]! <= acked && extents > 0 && pages > 0; i++) {
        const count = Math.min(pages, waiting.count[i]!);
        this.pages -= count;
        waiting.sink.dropNow(waiting.page[i]!, count);
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

  private compact(waiting: WaitingFrames): void {
    waiting.page.splice(0, waiting.head);
    waiting.count.splice(0, waiting.head);
    waiting.seq.splice(0, waiting.head);
    waiting.head = 0;
  }
}
