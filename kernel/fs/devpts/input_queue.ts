/**
 * The typed input that is not read yet: a ring with marks at the ends of lines (read_buf of Linux's
 * n_tty). Positions only grow; MASK maps them to the ring. line_discipline.ts fills it; slaves read
 * it.
 */

import type { IoCursor } from "../../mm/io_cursor.ts";

/** LIMIT: bytes of a line with its end, and of unread input. */
export const INPUT_SIZE = 4096;
const MASK = INPUT_SIZE - 1;
/**
 * The end of a line that EOF (^D) ended: a read skips it, and a line of EOF alone reads as the end
 * of the file.
 */
const EOF_MARK = 0;

export class InputQueue {
  private readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(INPUT_SIZE);
  private readonly ends: Uint8Array<ArrayBuffer> = new Uint8Array(INPUT_SIZE);
  /**
   * Three positions: the next byte to be read, behind the last byte, behind the last complete line.
   */
  tail: number = 0;
  head: number = 0;
  lineHead: number = 0;

  get length(): number {
    return this.head - this.tail;
  }
  get isLineEmpty(): boolean {
    return this.head === this.lineHead;
  }
  get hasLine(): boolean {
    return this.lineHead !== this.tail;
  }

  /** The byte at a position. */
  at(position: number): number {
    return this.bytes[position & MASK]!;
  }

  push(c: number): void {
    this.ends[this.head & MASK] = 0;
    this.bytes[this.head++ & MASK] = c;
  }
  /** Adds a byte that ends a line. */
  pushEnd(c: number): void {
    this.bytes[this.head & MASK] = c;
    this.ends[this.head++ & MASK] = 1;
    this.lineHead = this.head;
  }
  clear(): void {
    this.tail = this.head = this.lineHead = 0;
    this.ends.fill(0);
  }

  /**
   * ICANON or EXTPROC changed: with ICANON the present input counts as one line; without it lines
   * are not marked.
   */
  onModeChange(isCanonical: boolean): void {
    this.ends.fill(0);
    if (!isCanonical || this.length === 0) {
      this.lineHead = this.tail;
      return;
    }
    this.ends[(this.head - 1) & MASK] = 1;
    this.lineHead = this.head;
  }

  /** FIONREAD with ICANON: bytes of complete lines. */
  get lineBytes(): number {
    let n = 0;
    for (let at = this.tail; at < this.lineHead; at++) if (!this.isEof(at)) n++;
    return n;
  }

  /** Reads one line, or as much of it as fits; there is one. The bytes, or -EFAULT. */
  readLine(io: IoCursor): number {
    const end = this.lineEnd();
    const isEof = end > this.tail && this.isEof(end - 1);
    const text = end - this.tail - (isEof ? 1 : 0);
    const n = this.copyOut(io, Math.min(text, io.remaining));
    if (n < 0) return n;
    this.tail += n;
    // A line that exactly fills the reader's buffer includes the EOF behind it.
    if (isEof && n === text) this.tail = end;
    return n;
  }

  /** Reads without regard to lines. The bytes, or -EFAULT. */
  readAny(io: IoCursor): number {
    const n = this.copyOut(io, Math.min(this.length, io.remaining));
    if (n > 0) this.tail += n;
    return n;
  }

  /** The position behind the first line. */
  private lineEnd(): number {
    for (let at = this.tail; at < this.lineHead; at++) {
      if (this.ends[at & MASK] !== 0) return at + 1;
    }
    return this.lineHead;
  }
  private isEof(at: number): boolean {
    return this.ends[at & MASK] !== 0 && this.bytes[at & MASK] === EOF_MARK;
  }

  private copyOut(io: IoCursor, count: number): number {
    let done = 0;
    while (done < count) {
      const from = (this.tail + done) & MASK;
      const run = Math.min(count - done, INPUT_SIZE - from);
      const n = io.putBytes(this.bytes, from, run);
      if (n < 0) return done > 0 ? done : n;
      done += n;
      if (n < run) break;
    }
    return done;
  }
}
