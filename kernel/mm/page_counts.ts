/** A count for each page of an arena, in tables that are made when they are first written. */

/** The page numbers of one table, as a shift and a mask. */
const TABLE_SHIFT = 16;
export const TABLE_MASK = 0xffff;

export class PageCounts {
  private readonly tables: (Uint32Array | null)[];

  /** @param pages of the arena */
  constructor(pages: number) {
    this.tables = new Array<Uint32Array | null>((pages >>> TABLE_SHIFT) + 1).fill(null);
  }

  /** HOT */
  get(page: number): number {
    const table = this.tables[page >>> TABLE_SHIFT]!;
    return table === null ? 0 : table[page & TABLE_MASK]!;
  }

  /** The table with the count of `page`, at `page & TABLE_MASK`. HOT */
  table(page: number): Uint32Array {
    return this.tables[page >>> TABLE_SHIFT] ??= new Uint32Array(TABLE_MASK + 1);
  }

  /** Sets the counts of pages [page, end). */
  fill(count: number, page: number, end: number): void {
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), at = p & TABLE_MASK;
      this.table(p).fill(count, at, at + next - p);
      p = next;
    }
  }

  /** Adds `by` to the counts of pages [page, end). */
  add(by: number, page: number, end: number): void {
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), table = this.table(p);
      for (; p < next; p++) table[p & TABLE_MASK]! += by;
    }
  }

  /** The end of the pages from `page` on, before `end`, whose counts are all 0, or all not. */
  runEnd(page: number, end: number): number {
    const isCounted = this.get(page) > 0;
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), table = this.table(p);
      for (; p < next; p++) if (table[p & TABLE_MASK]! > 0 !== isCounted) return p;
    }
    return end;
  }

  /** Whether no page of the table of `page` has a count: then the end of that table, else -1. */
  blankEnd(page: number): number {
    return this.tables[page >>> TABLE_SHIFT] === null ? (page | TABLE_MASK) + 1 : -1;
  }

  /** The first page from `page` on whose count is not 0; -1: there is none. */
  nextCounted(page: number): number {
    for (let at = page >>> TABLE_SHIFT, from = page & TABLE_MASK; at < this.tables.length; at++) {
      const table = this.tables[at]!;
      for (let i = from; table !== null && i <= TABLE_MASK; i++) {
        if (table[i] !== 0) return (at << TABLE_SHIFT) + i;
      }
      from = 0;
    }
    return -1;
  }
}
