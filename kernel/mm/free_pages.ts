/**
 * The free pages of the arena: a bitmap in 2 MiB chunks of 512 pages. Small extents are packed into
 * chunks of their size class, so that single pages do not break the long runs that mappings need;
 * larger ones take whole chunks.
 *
 * This is only the book-keeping of addresses. frames.ts, its only user, has reference counts,
 * zeroing and quarantine.
 */

export const CHUNK_PAGES = 512;
const WORDS = CHUNK_PAGES / 32;

/**
 * The kinds of a chunk: FREE, the size class 0..3 of its extents, or LARGE, a part of one large
 * extent.
 */
const FREE = 255, LARGE = 4;
/** The largest extent of each size class, in pages. */
const CLASS_LIMIT: readonly number[] = [1, 16, 128, CHUNK_PAGES - 1];
const CLASSES = CLASS_LIMIT.length;
/** LIMIT: chunks of a class that are searched before a FREE chunk is used. */
const LOOKS = 24;

function classOf(pages: number): number {
  return pages === 1 ? 0 : pages <= 16 ? 1 : pages <= 128 ? 2 : 3;
}

export class FreePages {
  readonly chunkCount: number;
  freePages: number;
  /**
   * A set bit is a used page. Zeros at the start, so that the host need not give memory for the
   * map.
   */
  private readonly bits: Uint32Array;
  private readonly freeIn: Uint16Array;
  /** An upper bound for the longest free run of each chunk. */
  private readonly longest: Uint16Array;
  private readonly kind: Uint8Array;
  /** Bit c: the chunk is in `partial[c]`, where it may not belong any more. */
  private readonly listed: Uint8Array;
  private readonly partial: number[][] = [[], [], [], []];
  /** No chunk below this one is FREE. */
  private lowest: number = 0;

  constructor(pages: number) {
    this.chunkCount = Math.floor(pages / CHUNK_PAGES);
    this.freePages = this.chunkCount * CHUNK_PAGES;
    this.bits = new Uint32Array(this.chunkCount * WORDS);
    this.freeIn = new Uint16Array(this.chunkCount);
    this.longest = new Uint16Array(this.chunkCount);
    this.kind = new Uint8Array(this.chunkCount);
    this.listed = new Uint8Array(this.chunkCount);
    this.freeIn.fill(CHUNK_PAGES);
    this.longest.fill(CHUNK_PAGES);
    this.kind.fill(FREE);
  }

  /**
   * Takes `pages` contiguous pages: the first, or -1. From 512 pages on it is aligned to a chunk.
   */
  take(pages: number): number {
    if (pages >= CHUNK_PAGES) return this.takeChunks(pages);
    const cls = classOf(pages);
    const at = this.takeFromPartial(cls, pages, LOOKS);
    if (at >= 0) return at;
    const chunk = this.findChunks(1);
    if (chunk >= 0) {
      this.assignChunk(chunk, cls);
      return this.takeInChunk(chunk, pages);
    }
    for (let c = 0; c < CLASSES; c++) {
      const found = this.takeFromPartial(c, pages, Infinity);
      if (found >= 0) return found;
    }
    return -1;
  }

  /** Takes exactly [page, page + pages) if all of it is free. */
  takeAt(page: number, pages: number): boolean {
    if (page < 0 || page + pages > this.chunkCount * CHUNK_PAGES) return false;
    for (let p = page; p < page + pages; p++) if (!this.isFree(p)) return false;
    this.markUsed(page, pages);
    return true;
  }

  isFree(page: number): boolean {
    return (this.bits[page >>> 5]! >>> (page & 31) & 1) === 0;
  }

  give(page: number, pages: number): void {
    this.freePages += pages;
    while (pages > 0) {
      const chunk = page >>> 9;
      const n = Math.min(pages, (chunk + 1) * CHUNK_PAGES - page);
      this.clearBits(page, n);
      const free = this.freeIn[chunk]! += n;
      this.longest[chunk] = free;
      if (free === CHUNK_PAGES) {
        this.kind[chunk] = FREE;
        if (chunk < this.lowest) this.lowest = chunk;
      } else {
        this.assignChunk(chunk, this.kind[chunk] === LARGE ? CLASSES - 1 : this.kind[chunk]!);
      }
      page += n;
      pages -= n;
    }
  }

  private assignChunk(chunk: number, cls: number): void {
    this.kind[chunk] = cls;
    const bit = 1 << cls;
    if ((this.listed[chunk]! & bit) !== 0) return;
    this.listed[chunk]! |= bit;
    this.partial[cls]!.push(chunk);
  }

  private takeFromPartial(cls: number, pages: number, looks: number): number {
    const list = this.partial[cls]!;
    for (let i = list.length - 1; i >= 0 && looks > 0; i--, looks--) {
      const chunk = list[i]!;
      if (this.kind[chunk] !== cls || this.freeIn[chunk] === 0) {
        this.listed[chunk]! &= ~(1 << cls);
        const last = list.pop()!;
        if (i < list.length) list[i] = last;
        continue;
      }
      if (this.longest[chunk]! < pages) continue;
      const at = this.takeInChunk(chunk, pages);
      if (at >= 0) return at;
    }
    return -1;
  }

  /** First fit inside one chunk; updates `longest` when nothing fits. */
  private takeInChunk(chunk: number, pages: number): number {
    const first = chunk * WORDS;
    let run = 0, best = 0;
    for (let w = first; w < first + WORDS; w++) {
      const word = this.bits[w]!;
      if (word === 0xffffffff) {
        run = 0;
        continue;
      }
      for (let b = 0; b < 32; b++) {
        if ((word >>> b & 1) === 1) {
          run = 0;
          continue;
        }
        if (++run === pages) {
          const page = w * 32 + b - pages + 1;
          this.markUsed(page, pages);
          return page;
        }
        if (run > best) best = run;
      }
    }
    this.longest[chunk] = best;
    return -1;
  }

  private takeChunks(pages: number): number {
    const count = Math.ceil(pages / CHUNK_PAGES);
    const chunk = this.findChunks(count);
    if (chunk < 0) return -1;
    this.markUsed(chunk * CHUNK_PAGES, pages);
    return chunk * CHUNK_PAGES;
  }

  /** The first of `count` neighbouring FREE chunks, or -1. */
  private findChunks(count: number): number {
    while (this.lowest < this.chunkCount && this.kind[this.lowest] !== FREE) this.lowest++;
    let run = 0;
    for (let c = this.lowest; c < this.chunkCount; c++) {
      run = this.kind[c] === FREE ? run + 1 : 0;
      if (run === count) return c - count + 1;
    }
    return -1;
  }

  /** Marks free pages as used. */
  private markUsed(page: number, pages: number): void {
    this.freePages -= pages;
    while (pages > 0) {
      const chunk = page >>> 9;
      const n = Math.min(pages, (chunk + 1) * CHUNK_PAGES - page);
      this.setBits(page, n);
      this.freeIn[chunk]! -= n;
      if (this.kind[chunk] === FREE) {
        if (n === CHUNK_PAGES) this.kind[chunk] = LARGE;
        else this.assignChunk(chunk, CLASSES - 1);
      }
      page += n;
      pages -= n;
    }
  }

  private setBits(page: number, n: number): void {
    for (const end = page + n; page < end;) {
      const bit = page & 31, count = Math.min(32 - bit, end - page);
      this.bits[page >>> 5]! |= count === 32 ? -1 : (1 << count) - 1 << bit;
      page += count;
    }
  }

  private clearBits(page: number, n: number): void {
    for (const end = page + n; page < end;) {
      const bit = page & 31, count = Math.min(32 - bit, end - page);
      this.bits[page >>> 5]! &= count === 32 ? 0 : ~((1 << count) - 1 << bit);
      page += count;
    }
  }
}
