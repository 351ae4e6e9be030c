/**
 * The arguments or environment of a program: strings with a NUL behind each, in pieces. A turn of
 * the loop reads one piece from the caller's memory, and writes one to the new stack. Lists are
 * bytes, not JavaScript strings, because a garbage collection would copy 200,000 of those.
 */

/** LIMIT: strings and bytes of a piece; its last string may be longer. */
export const TURN_STRINGS = 2048, TURN_BYTES = 1 << 16;
/** LIMIT of Linux: bytes of one string with its NUL (MAX_ARG_STRLEN). */
export const MAX_STRING = 131072;
/** The bytes that a new piece has room for. */
const FIRST_ROOM = 2048;

/** A piece of a list. */
export class StringPiece {
  readonly count: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The bytes of the longest string with its NUL. */
  readonly longest: number;

  constructor(count: number, bytes: Uint8Array<ArrayBuffer>, longest: number) {
    this.count = count;
    this.bytes = bytes;
    this.longest = longest;
  }

  static of(strings: readonly string[]): StringPiece {
    const builder = new PieceBuilder();
    for (const s of strings) {
      const at = builder.reserve(s.length + 1);
      for (let i = 0; i < s.length; i++) builder.room[at + i] = s.charCodeAt(i);
      builder.add(s.length + 1);
    }
    return builder.take();
  }
}

export class StringList {
  readonly pieces: readonly StringPiece[];
  readonly count: number;
  /** The bytes of all strings with their NULs. */
  readonly bytes: number;
  /** The bytes of the longest string with its NUL. */
  readonly longest: number;

  constructor(pieces: readonly StringPiece[]) {
    this.pieces = pieces;
    let count = 0, bytes = 0, longest = 0;
    for (const piece of pieces) {
      count += piece.count;
      bytes += piece.bytes.length;
      longest = Math.max(longest, piece.longest);
    }
    this.count = count;
    this.bytes = bytes;
    this.longest = longest;
  }

  static of(strings: readonly string[]): StringList {
    return new StringList([StringPiece.of(strings)]);
  }

  /** This list with `strings` in place of its first string. */
  withHead(strings: readonly string[]): StringList {
    const [first, ...others] = this.pieces.filter(({ count }) => count > 0);
    const pieces = [StringPiece.of(strings)];
    if (first !== undefined) {
      const { count, bytes, longest } = first;
      pieces.push(new StringPiece(count - 1, bytes.subarray(bytes.indexOf(0) + 1), longest));
    }
    return new StringList([...pieces, ...others]);
  }
}

/** Builds a piece. */
export class PieceBuilder {
  /** The bytes so far, and room behind them. */
  room: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_ROOM);
  private count: number = 0;
  private used: number = 0;
  private longest: number = 0;

  get isFull(): boolean {
    return this.count >= TURN_STRINGS || this.used >= TURN_BYTES;
  }

  /** The offset in `room` of the next string, which has up to `bytes` with its NUL. */
  reserve(bytes: number): number {
    const { room, used } = this;
    if (used + bytes > room.length) {
      this.room = new Uint8Array(Math.max(2 * room.length, used + bytes));
      this.room.set(room);
    }
    return used;
  }

  /** Adds the string that was written there, `bytes` long with its NUL. */
  add(bytes: number): void {
    this.count++;
    this.used += bytes;
    this.longest = Math.max(this.longest, bytes);
  }

  /** Returns the piece, and starts another one. */
  take(): StringPiece {
    const piece = new StringPiece(this.count, this.room.subarray(0, this.used), this.longest);
    this.room = new Uint8Array(FIRST_ROOM);
    this.count = this.used = this.longest = 0;
    return piece;
  }
}
