/**
 * Which frames a snapshot inside the process may hold. Each frame has the generation in which it
 * was handed out, and a snapshot begins a new generation: a frame of an older one may be in the
 * snapshot, and in the same file of another kernel. A reference count cannot say that of pages of
 * files, which are shared among processes too.
 *
 * Without snapshots the generation is 0: there are no tables, and no frame is old.
 */

/** The page numbers of one table, as a shift and a mask. */
const TABLE_SHIFT = 16, TABLE_MASK = 0xffff;

export class FrameGenerations {
  /** The generation of frames that are handed out now. */
  current: number = 0;
  /** The generation of each page, by table; without a table it is 0. */
  private readonly tables: (Uint32Array | null)[];

  /** @param pages of the arena */
  constructor(pages: number) {
    this.tables = new Array<Uint32Array | null>((pages >>> TABLE_SHIFT) + 1).fill(null);
  }

  /** Makes all frames that exist old. */
  begin(): void {
    this.current++;
  }

  /** No snapshot is left, and one kernel at most: no frame is old any more. */
  end(): void {
    this.current = 0;
    this.tables.fill(null);
  }

  /** Pages [page, end) are handed out. Not to be called in generation 0. */
  stamp(page: number, end: number): void {
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), at = p & TABLE_MASK;
      this.tableOf(p).fill(this.current, at, at + next - p);
      p = next;
    }
  }

  /** Whether a snapshot may hold the frame. HOT */
  isOld(page: number): boolean {
    return this.current > 0 && this.generationOf(page) < this.current;
  }

  /** The number of pages from `page` on, at most `max`, that are old as it is, or are not. */
  run(page: number, max: number): number {
    if (this.current === 0) return max;
    const isOld = this.isOld(page);
    let n = 1;
    while (n < max && this.isOld(page + n) === isOld) n++;
    return n;
  }

  private generationOf(page: number): number {
    const table = this.tables[page >>> TABLE_SHIFT]!;
    return table === null ? 0 : table[page & TABLE_MASK]!;
  }

  private tableOf(page: number): Uint32Array {
    return this.tables[page >>> TABLE_SHIFT] ??= new Uint32Array(TABLE_MASK + 1);
  }
}
