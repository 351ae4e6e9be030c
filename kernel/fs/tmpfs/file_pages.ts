/**
 * The pages of a sparse file: maps a page index to an arena page number (arena offset / 4096), or
 * to a hole. It is dense within pieces of 2 MiB; absent pieces cost nothing. file_data.ts, its
 * user, charges for the pages.
 */

const PIECE = 512;
export const HOLE = -1;
/** LIMIT: absent pieces that a search for the end of a hole passes one by one. */
const MAX_ABSENT = 64;

/** Takes the runs of arena pages that leave the map. */
export interface PageSink {
  free(arenaPage: number, count: number): void;
}

/** The arrays of a FilePages. */
export interface PagePieces {
  /** Pages that are not holes. */
  readonly count: number;
  readonly first: number[];
  readonly more: Map<number, number[]> | null;
}

export class FilePages {
  /** Pages that are not holes. */
  count: number = 0;
  /** Set by `run`: the arena page of its first page, or HOLE. */
  runFrame: number = HOLE;
  /** Pages [0, 512), which are all pages of nearly every file. */
  private first: number[] = [];
  private more: Map<number, number[]> | null = null;

  /** The arrays themselves. */
  get pieces(): PagePieces {
    const { count, first, more } = this;
    return { count, first, more };
  }

  /** Has these arrays from now on, in place of its own. */
  use({ count, first, more }: PagePieces): void {
    this.count = count;
    this.first = first;
    this.more = more;
  }

  /** Makes own copies of the arrays. */
  separate(): void {
    this.first = this.first.slice();
    if (this.more === null) return;
    this.more = new Map([...this.more].map(([index, piece]) => [index, piece.slice()]));
  }

  /** The arena page of a page, or HOLE. HOT */
  get(page: number): number {
    const piece = page < PIECE ? this.first : this.pieceOf(page);
    if (piece === null) return HOLE;
    const i = page < PIECE ? page : page % PIECE;
    return i < piece.length ? piece[i]! : HOLE;
  }

  /**
   * The number of pages from `page` on (at most `max`, at least 1) that are contiguous in the arena
   * or are all holes; `runFrame` has the arena page of the first. HOT
   */
  run(page: number, max: number): number {
    const frame = this.get(page);
    this.runFrame = frame;
    if (frame === HOLE) return this.holes(page, max);
    let n = 1;
    while (n < max && this.get(page + n) === frame + n) n++;
    return n;
  }

  /**
   * A hole may be extremely long: after a few absent pieces, the search goes over the existing
   * pieces.
   */
  private holes(page: number, max: number): number {
    if (this.count === 0) return max;
    let n = 1, absent = 0;
    while (n < max) {
      const at = page + n;
      if (at >= PIECE && at % PIECE === 0 && this.pieceOf(at) === null) {
        if (++absent === MAX_ABSENT) return this.distanceToData(page, max);
        n += PIECE;
        continue;
      }
      if (this.get(at) !== HOLE) return n;
      n++;
    }
    return max;
  }

  private distanceToData(page: number, max: number): number {
    const data = this.nextData(page);
    return data < 0 ? max : Math.min(max, data - page);
  }

  /** Puts `count` arena pages from `frame` on at `page`, where there are holes. */
  fill(page: number, frame: number, count: number): void {
    for (let i = 0; i < count; i++) this.setFrame(page + i, frame + i);
    this.count += count;
  }

  /** Puts `count` arena pages from `frame` on in place of those at `page`. */
  replace(page: number, frame: number, count: number): void {
    for (let i = 0; i < count; i++) this.setFrame(page + i, frame + i);
  }

  /** Makes holes of [from, to); their pages go to `sink` in runs. `to` may be Infinity. */
  clear(from: number, to: number, sink: PageSink): void {
    this.clearPiece(this.first, 0, from, to, sink);
    if (from < PIECE) trim(this.first);
    if (this.more === null) return;
    for (const [index, piece] of this.more) {
      const start = index * PIECE;
      if (start + PIECE <= from || start >= to) continue;
      this.clearPiece(piece, start, from, to, sink);
      trim(piece);
      if (piece.length === 0) this.more.delete(index);
    }
  }

  private clearPiece(
    piece: number[],
    start: number,
    from: number,
    to: number,
    sink: PageSink,
  ): void {
    const end = Math.min(piece.length, to - start);
    let first = HOLE, n = 0;
    for (let i = Math.max(0, from - start); i < end; i++) {
      const frame = piece[i]!;
      if (frame === HOLE) continue;
      piece[i] = HOLE;
      this.count--;
      if (n > 0 && frame === first + n) {
        n++;
        continue;
      }
      if (n > 0) sink.free(first, n);
      first = frame;
      n = 1;
    }
    if (n > 0) sink.free(first, n);
  }

  /** Moves the pages from `from` on by `by` pages (negative: down, onto holes). */
  shift(from: number, by: number): void {
    const moved: number[] = [];
    takeAll(this.first, 0, from, moved);
    if (this.more !== null) {
      for (const [index, piece] of this.more) takeAll(piece, index * PIECE, from, moved);
    }
    for (let i = 0; i < moved.length; i += 2) this.setFrame(moved[i]! + by, moved[i + 1]!);
  }

  /** The first page >= `page` that is not a hole, or -1. */
  nextData(page: number): number {
    for (let i = page; i < Math.min(PIECE, this.first.length); i++) {
      if (this.first[i] !== HOLE) return i;
    }
    if (this.more === null) return -1;
    let best = -1;
    for (const [index, piece] of this.more) {
      const start = index * PIECE;
      if (start + PIECE <= page || (best >= 0 && start > best)) continue;
      for (let i = Math.max(0, page - start); i < piece.length; i++) {
        if (piece[i] === HOLE) continue;
        if (best < 0 || start + i < best) best = start + i;
        break;
      }
    }
    return best;
  }

  /** The number of pages in [from, to) that are not holes. */
  countIn(from: number, to: number): number {
    if (from === 0 && to === Infinity) return this.count;
    let n = filledIn(this.first, from, to);
    if (this.more === null) return n;
    for (const [index, piece] of this.more) {
      n += filledIn(piece, from - index * PIECE, to - index * PIECE);
    }
    return n;
  }

  private pieceOf(page: number): number[] | null {
    return this.more?.get(Math.floor(page / PIECE)) ?? null;
  }

  private setFrame(page: number, frame: number): void {
    let piece = this.first;
    if (page >= PIECE) {
      this.more ??= new Map();
      const index = Math.floor(page / PIECE);
      const known = this.more.get(index);
      piece = known ?? [];
      if (known === undefined) this.more.set(index, piece);
    }
    const i = page % PIECE;
    while (piece.length < i) piece.push(HOLE);
    if (i === piece.length) piece.push(frame);
    else piece[i] = frame;
  }
}

/** Calls `visit` with the runs of frames that are contiguous. */
export function visitRuns(
  { first, more }: PagePieces,
  visit: (page: number, count: number) => void,
): void {
  visitPiece(first, visit);
  if (more !== null) { for (const piece of more.values()) visitPiece(piece, visit); }
}

function visitPiece(piece: readonly number[], visit: (page: number, count: number) => void): void {
  for (let i = 0; i < piece.length;) {
    const frame = piece[i]!;
    let n = 1;
    while (frame !== HOLE && piece[i + n] === frame + n) n++;
    if (frame !== HOLE) visit(frame, n);
    i += n;
  }
}

/**
 * Makes holes of the pages of a piece from page `from` on; the page and arena page of each go to
 * `moved`.
 */
function takeAll(piece: number[], start: number, from: number, moved: number[]): void {
  for (let i = Math.max(0, from - start); i < piece.length; i++) {
    const frame = piece[i]!;
    if (frame === HOLE) continue;
    moved.push(start + i, frame);
    piece[i] = HOLE;
  }
}

function trim(piece: number[]): void {
  while (piece.length > 0 && piece[piece.length - 1] === HOLE) piece.pop();
}

function filledIn(piece: readonly number[], from: number, to: number): number {
  let n = 0;
  for (let i = Math.max(0, from); i < Math.min(to, piece.length); i++) if (piece[i] !== HOLE) n++;
  return n;
}
