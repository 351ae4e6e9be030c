/**
 * The page map of a process: which frame stands at which guest page, in extents. Units are pages: guest page numbers,
 * and arena page numbers for frames.
 *
 * An extent may carry a *shadow*: a reserved stretch of untouched frames where its pages move when they are written
 * (page i to shadow + i, so that host mappings stay mergeable). An extent without frame (-1) only carries a shadow, or marks pages as
 * poisoned or watched.
 *
 * Invariant: a page with a frame is mapped in the host, with the protection that its area and its flags give.
 */

/** Bits of an extent's flags. COW: the frame may be shared, so the host must not let the guest write. */
export const PAGE_COW = 1;
/** The frame is a page of the file itself, not this process's copy. */
export const PAGE_FILE = 2;
/** A copy of a code page with patched system call sites (patch.ts). */
export const PAGE_PATCHED = 4;
/** A frame of a shared mapping. */
export const PAGE_SHARED = 8;
/** With PAGE_COW or without a frame: a write is a fault for the area's handler (userfaultfd(2)). */
export const PAGE_WATCHED = 16;
/** Without a frame: a touch is SIGBUS (UFFDIO_POISON). */
export const PAGE_POISONED = 32;

export class PageMap {
  /** Number of extents. */
  length: number = 0;
  private starts: Float64Array = new Float64Array(32);
  private counts: Float64Array = new Float64Array(32);
  private frames: Int32Array = new Int32Array(32);
  private shadows: Int32Array = new Int32Array(32);
  private bits: Uint8Array = new Uint8Array(32);
  private hint: number = 0;

  start(i: number): number {
    return this.starts[i]!;
  }
  count(i: number): number {
    return this.counts[i]!;
  }
  end(i: number): number {
    return this.starts[i]! + this.counts[i]!;
  }
  frame(i: number): number {
    return this.frames[i]!;
  }
  shadow(i: number): number {
    return this.shadows[i]!;
  }
  flags(i: number): number {
    return this.bits[i]!;
  }

  /** Index of the first extent that ends behind `page`. HOT */
  indexOf(page: number): number {
    const h = this.hint;
    if (h < this.length && this.end(h) > page && (h === 0 || this.end(h - 1) <= page)) return h;
    let lo = 0, hi = this.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.end(mid) > page) hi = mid;
      else lo = mid + 1;
    }
    this.hint = lo;
    return lo;
  }

  /** Index of the extent with a frame at `page`, or -1. HOT */
  present(page: number): number {
    const i = this.indexOf(page);
    return i < this.length && this.starts[i]! <= page && this.frames[i]! >= 0 ? i : -1;
  }

  /** The page is poisoned. */
  isPoisoned(page: number): boolean {
    const i = this.indexOf(page);
    return i < this.length && this.starts[i]! <= page && (this.bits[i]! & PAGE_POISONED) !== 0;
  }

  /** The page is not there, and poisoned or watched. */
  isMarked(page: number): boolean {
    const i = this.indexOf(page), marks = PAGE_POISONED | PAGE_WATCHED;
    return i < this.length && this.starts[i]! <= page && this.frames[i]! < 0 &&
      (this.bits[i]! & marks) !== 0;
  }

  /** Make `page` a boundary: index of the first extent at or behind it. */
  splitAt(page: number): number {
    const i = this.indexOf(page);
    if (i === this.length || this.starts[i]! >= page) return i;
    const n = page - this.starts[i]!;
    this.open(i + 1, 1);
    this.starts[i + 1] = page;
    this.counts[i + 1] = this.counts[i]! - n;
    this.frames[i + 1] = this.frames[i]! < 0 ? -1 : this.frames[i]! + n;
    this.shadows[i + 1] = this.shadows[i]! < 0 ? -1 : this.shadows[i]! + n;
    this.bits[i + 1] = this.bits[i]!;
    this.counts[i] = n;
    return i + 1;
  }

  /** Add an extent where there is none; merges with its neighbours. */
  insert(page: number, pages: number, frame: number, shadow: number, flags: number): void {
    const i = this.indexOf(page);
    this.open(i, 1);
    this.starts[i] = page;
    this.counts[i] = pages;
    this.set(i, frame, shadow, flags);
    this.coalesce(i - 1, i + 2);
  }

  set(i: number, frame: number, shadow: number, flags: number): void {
    this.frames[i] = frame;
    this.shadows[i] = shadow;
    this.bits[i] = flags;
  }

  setFlags(i: number, flags: number): void {
    this.bits[i] = flags;
  }

  /** Forget extents [from, to). */
  remove(from: number, to: number): void {
    if (from === to) return;
    this.starts.copyWithin(from, to, this.length);
    this.counts.copyWithin(from, to, this.length);
    this.frames.copyWithin(from, to, this.length);
    this.shadows.copyWithin(from, to, this.length);
    this.bits.copyWithin(from, to, this.length);
    this.length -= to - from;
  }

  /** Merge neighbours within extents [from, to). */
  coalesce(from: number, to: number): void {
    const first = Math.max(0, from), last = Math.min(to, this.length);
    let kept = first;
    for (let i = first + 1; i < last; i++) {
      if (this.continues(kept, i)) {
        this.counts[kept]! += this.counts[i]!;
      } else if (++kept !== i) {
        this.starts[kept] = this.starts[i]!;
        this.counts[kept] = this.counts[i]!;
        this.set(kept, this.frames[i]!, this.shadows[i]!, this.bits[i]!);
      }
    }
    if (kept + 1 < last) this.remove(kept + 1, last);
  }

  private continues(i: number, j: number): boolean {
    const n = this.counts[i]!;
    return this.starts[i]! + n === this.starts[j]! && this.bits[i] === this.bits[j] &&
      follows(this.frames[i]!, n, this.frames[j]!) &&
      follows(this.shadows[i]!, n, this.shadows[j]!);
  }

  private open(at: number, n: number): void {
    if (this.length + n > this.starts.length) this.grow();
    this.starts.copyWithin(at + n, at, this.length);
    this.counts.copyWithin(at + n, at, this.length);
    this.frames.copyWithin(at + n, at, this.length);
    this.shadows.copyWithin(at + n, at, this.length);
    this.bits.copyWithin(at + n, at, this.length);
    this.length += n;
  }

  private grow(): void {
    const size = this.starts.length * 2;
    const starts = new Float64Array(size), counts = new Float64Array(size);
    const frames = new Int32Array(size), shadows = new Int32Array(size);
    const bits = new Uint8Array(size);
    starts.set(this.starts);
    counts.set(this.counts);
    frames.set(this.frames);
    shadows.set(this.shadows);
    bits.set(this.bits);
    this.starts = starts;
    this.counts = counts;
    this.frames = frames;
    this.shadows = shadows;
    this.bits = bits;
  }
}

function follows(a: number, n: number, b: number): boolean {
  return a < 0 ? b < 0 : b === a + n;
}
