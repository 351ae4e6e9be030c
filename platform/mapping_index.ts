/**
 * The model of what one address space has mapped: an ordered list of ranges, joined and split as
 * the host does it with its VMAs.
 *
 * It answers whether mprotect(2) may be called on a range (a hole is an error), which accesses a
 * page allows, and how many mappings the host keeps. It changes nothing on the host. Neighbours:
 * `space.ts` of the platforms.
 *
 * The list is split into chunks, so a change among 60,000 ranges moves the ranges of one chunk. A
 * clone shares all chunks until one side changes them.
 */

/** Stands for the arena in place of a file handle. */
export const ARENA = -1;

interface Mapping {
  start: number;
  end: number;
  prot: number;
  readonly file: number;
  /** Offset in the file minus address: equal for two ranges of which one continues the other. */
  readonly delta: number;
}

/** LIMIT: ranges of a chunk, which an insertion or a removal moves. */
const CHUNK = 128;

class Chunk {
  readonly items: Mapping[];
  /** A clone has the chunk too: it is copied before a change. */
  isShared: boolean = false;

  constructor(items: Mapping[]) {
    this.items = items;
  }
}

export class MappingIndex {
  /** The chunks; none is empty. */
  #chunks: Chunk[] = [];
  #count: number = 0;
  readonly #chunkItems: number;
  /** Position that `#seek` found: a chunk, and an index in it. */
  #chunk: number = 0;
  #place: number = 0;

  /** `chunkItems`: ranges of a chunk; a larger one is cut in two. */
  constructor(chunkItems: number = CHUNK) {
    this.#chunkItems = chunkItems;
  }

  /** A copy of the list, ordered by address. */
  get list(): readonly Mapping[] {
    return this.#chunks.flatMap((chunk) => chunk.items);
  }

  get count(): number {
    return this.#count;
  }

  clone(): MappingIndex {
    const copy = new MappingIndex(this.#chunkItems);
    copy.#chunks = this.#chunks.slice();
    copy.#count = this.#count;
    for (const chunk of copy.#chunks) chunk.isShared = true;
    return copy;
  }

  /** The mapping that covers addr. */
  find(addr: number): Mapping | null {
    const m = this.#seek(addr);
    return m !== null && m.start <= addr ? m : null;
  }

  /** Permissions of the page at addr, or -1 if nothing is mapped. */
  protectionAt(addr: number): number {
    return this.find(addr)?.prot ?? -1;
  }

  map(start: number, end: number, file: number, offset: number, prot: number): void {
    this.unmap(start, end);
    this.#seek(start);
    this.#insert({ start, end, prot, file, delta: offset - start });
    this.#join(start, end);
  }

  unmap(start: number, end: number): void {
    this.#splitAt(start);
    this.#splitAt(end);
    for (let m = this.#seek(start); m !== null && m.start < end; m = this.#seek(start)) {
      this.#removeRun(end);
    }
  }

  /**
   * Sets permissions of the mapped ranges.
   *
   * @returns the ranges whose permissions changed, as start, end pairs
   */
  protect(start: number, end: number, prot: number): number[] {
    this.#splitAt(start);
    this.#splitAt(end);
    const changed: number[] = [];
    this.#seek(start);
    for (let c = this.#chunk, i = this.#place; c < this.#chunks.length; c++, i = 0) {
      for (let { items } = this.#chunks[c]!; i < items.length; i++) {
        if (items[i]!.start >= end) return this.#joined(changed, start, end);
        if (items[i]!.prot === prot) continue;
        items = this.#ownChunk(c).items;
        const m = items[i]!, last = changed.length - 1;
        m.prot = prot;
        if (last > 0 && changed[last] === m.start) changed[last] = m.end;
        else changed.push(m.start, m.end);
      }
    }
    return this.#joined(changed, start, end);
  }

  #joined(changed: number[], start: number, end: number): number[] {
    this.#join(start, end);
    return changed;
  }

  /** Goes to the first mapping whose end is above addr, or behind the last one. */
  #seek(addr: number): Mapping | null {
    const chunks = this.#chunks;
    let low = 0, high = chunks.length;
    while (low < high) {
      const mid = (low + high) >>> 1, { items } = chunks[mid]!;
      if (items[items.length - 1]!.end > addr) high = mid;
      else low = mid + 1;
    }
    this.#chunk = low;
    this.#place = 0;
    if (low === chunks.length) return null;
    const { items } = chunks[low]!;
    let from = 0, to = items.length;
    while (from < to) {
      const mid = (from + to) >>> 1;
      if (items[mid]!.end > addr) to = mid;
      else from = mid + 1;
    }
    this.#place = from;
    return items[from]!;
  }

  /** Chunk `c`, copied if it is shared. */
  #ownChunk(c: number): Chunk {
    const chunk = this.#chunks[c]!;
    if (!chunk.isShared) return chunk;
    return this.#chunks[c] = new Chunk(chunk.items.map((m) => ({ ...m })));
  }

  /** Inserts a mapping at the position of `#seek`. */
  #insert(mapping: Mapping): void {
    const chunks = this.#chunks;
    this.#count++;
    if (chunks.length === 0) {
      chunks.push(new Chunk([mapping]));
      return;
    }
    const isBehind = this.#chunk === chunks.length, c = isBehind ? this.#chunk - 1 : this.#chunk;
    const { items } = this.#ownChunk(c);
    items.splice(isBehind ? items.length : this.#place, 0, mapping);
    if (items.length <= this.#chunkItems) return;
    chunks.splice(c + 1, 0, new Chunk(items.splice(items.length >> 1)));
  }

  #splitAt(addr: number): void {
    const found = this.#seek(addr);
    if (found === null || found.start >= addr) return;
    const m = this.#ownChunk(this.#chunk).items[this.#place]!;
    const rest = { ...m, start: addr };
    m.end = addr;
    this.#place++;
    this.#insert(rest);
  }

  /**
   * Removes mappings that begin below `end`, from the position of `#seek`: those in one chunk, or
   * whole chunks.
   */
  #removeRun(end: number): void {
    const chunks = this.#chunks, c = this.#chunk;
    let last = c;
    if (this.#place === 0) {
      while (last < chunks.length && lastOf(chunks[last]!).start < end) {
        this.#count -= chunks[last++]!.items.length;
      }
    }
    if (last > c) {
      chunks.splice(c, last - c);
      return;
    }
    const { items } = this.#ownChunk(c);
    let to = this.#place;
    while (to < items.length && items[to]!.start < end) to++;
    this.#count -= to - this.#place;
    items.splice(this.#place, to - this.#place);
  }

  /** Joins mappings of which one continues the other, in [start, end]. */
  #join(start: number, end: number): void {
    this.#seek(start);
    let c = this.#chunk, i = this.#place;
    // The mapping before the first one may be continued by it.
    if (i > 0) i--;
    else if (c > 0) i = this.#chunks[--c]!.items.length - 1;
    let before: Mapping | null = null, beforeAt = c;
    for (let isDone = false; c < this.#chunks.length && !isDone; i = 0) {
      let { items } = this.#chunks[c]!, kept = i, k = i;
      for (; k < items.length; k++) {
        const m = items[k]!;
        if (m.start > end) {
          isDone = true;
          break;
        }
        if (before !== null && continues(before, m)) {
          items = this.#ownChunk(c).items;
          if (beforeAt < c) before = lastOf(this.#ownChunk(beforeAt));
          else before = items[kept - 1]!;
          before.end = m.end;
        } else {
          if (kept < k) items[kept] = m;
          kept++;
          before = m;
          beforeAt = c;
        }
      }
      if (kept < k) {
        items.splice(kept, k - kept);
        this.#count -= k - kept;
      }
      if (items.length === 0) this.#chunks.splice(c, 1);
      else c++;
    }
  }
}

function lastOf(chunk: Chunk): Mapping {
  return chunk.items[chunk.items.length - 1]!;
}

/** Whether the host would have one mapping for both. */
function continues(left: Mapping, right: Mapping): boolean {
  return left.end === right.start && left.prot === right.prot && left.file === right.file &&
    left.delta === right.delta;
}
