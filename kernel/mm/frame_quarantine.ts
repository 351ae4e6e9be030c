/**
 * Frames that a guest address space may still reach: they wait here, by space, until the platform has
 * acknowledged the change that unmapped them. Only then their reference is really given up.
 *
 * Not here: what happens to a frame without references (frames.ts).
 */

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

  /** Give acknowledged extents to the sink. A space whose change waits since the last look is flushed. */
  drain(sink: QuarantineSink): void {
    if (this.pages === 0) return;
    for (const waiting of this.bySpace.values()) {
      const acked = waiting.space.ackedSeq;
      let i = waiting.head;
      for (; i < waiting.seq.length && waiting.seq[i]! <= acked; i++) {
        this.pages -= waiting.count[i]!;
        sink.dropNow(waiting.page[i]!, waiting.count[i]!);
      }
      waiting.head = i;
      if (i === waiting.seq.length) {
        this.bySpace.delete(waiting.space);
        continue;
      }
      if (waiting.seenSeq === waiting.seq[i]!) waiting.space.flush();
      waiting.seenSeq = waiting.seq[i]!;
      if (i > 1024) this.compact(waiting);
    }
  }

  private compact(waiting: Waiting): void {
    waiting.page.splice(0, waiting.head);
    waiting.count.splice(0, waiting.head);
    waiting.seq.splice(0, waiting.head);
    waiting.head = 0;
  }
}
