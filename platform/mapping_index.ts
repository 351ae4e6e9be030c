/**
 * What one address space is thought to have mapped: an ordered list of ranges, joined and cut as the host does it with its VMAs.
 *
 * It answers what mprotect(2) may be called on (a hole in its range is an error), which accesses a page allows, and how
 * many mappings the host keeps. It changes nothing on the host. Neighbours: `space.ts` of the platforms.
 */

/** The arena, where a file handle is expected. */
export const ARENA = -1;

export interface Mapping {
  start: number;
  end: number;
  prot: number;
  readonly file: number;
  /** Offset in the file minus address: equal for ranges that continue each other. */
  readonly delta: number;
}

export class MappingIndex {
  #list: Mapping[] = [];

  /** In the order of addresses. */
  get list(): readonly Mapping[] {
    return this.#list;
  }

  get count(): number {
    return this.#list.length;
  }

  clone(): MappingIndex {
    const copy = new MappingIndex();
    copy.#list = this.#list.map((m) => ({ ...m }));
    return copy;
  }

  /** The mapping that covers addr. */
  find(addr: number): Mapping | null {
    const m = this.#list[this.#firstEndingAfter(addr)];
    return m !== undefined && m.start <= addr ? m : null;
  }

  /** Permissions of the page at addr, or -1 if nothing is mapped. */
  protectionAt(addr: number): number {
    return this.find(addr)?.prot ?? -1;
  }

  map(start: number, end: number, file: number, offset: number, prot: number): void {
    const at = this.#cut(start, end);
    this.#list.splice(at, 0, { start, end, prot, file, delta: offset - start });
    this.#join(at + 1);
    this.#join(at);
  }

  unmap(start: number, end: number): void {
    this.#cut(start, end);
  }

  /**
   * Sets permissions of what is mapped in the range.
   *
   * @returns the ranges that had others before, as start, end pairs
   */
  protect(start: number, end: number, prot: number): number[] {
    this.#splitAt(start);
    this.#splitAt(end);
    const changed: number[] = [];
    const first = this.#firstEndingAfter(start);
    let i = first;
    for (; i < this.#list.length && this.#list[i]!.start < end; i++) {
      const m = this.#list[i]!;
      if (m.prot === prot) continue;
      m.prot = prot;
      const last = changed.length - 1;
      if (last > 0 && changed[last] === m.start) changed[last] = m.end;
      else changed.push(m.start, m.end);
    }
    for (; i >= first; i--) this.#join(i);
    return changed;
  }

  /** Index of the first mapping whose end is above addr. */
  #firstEndingAfter(addr: number): number {
    let low = 0, high = this.#list.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (this.#list[mid]!.end > addr) high = mid;
      else low = mid + 1;
    }
    return low;
  }

  #splitAt(addr: number): void {
    const i = this.#firstEndingAfter(addr);
    const m = this.#list[i];
    if (m === undefined || m.start >= addr) return;
    this.#list.splice(i + 1, 0, { ...m, start: addr });
    m.end = addr;
  }

  /** Removes the range. @returns the index at which it would stand */
  #cut(start: number, end: number): number {
    this.#splitAt(start);
    this.#splitAt(end);
    const first = this.#firstEndingAfter(start);
    let last = first;
    while (last < this.#list.length && this.#list[last]!.start < end) last++;
    this.#list.splice(first, last - first);
    return first;
  }

  /** Joins mapping i with the one before it, if one continues the other. */
  #join(i: number): void {
    const left = this.#list[i - 1], right = this.#list[i];
    if (left === undefined || right === undefined) return;
    if (left.end !== right.start || left.prot !== right.prot) return;
    if (left.file !== right.file || left.delta !== right.delta) return;
    left.end = right.end;
    this.#list.splice(i, 1);
  }
}
