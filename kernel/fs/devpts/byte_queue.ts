/** A bounded ring of bytes in JS memory, for a terminal's output and its backlog of input. */

import type { IoCursor } from "../../mm/io_cursor.ts";

export class ByteQueue {
  /** The most bytes that it holds. */
  readonly limit: number;
  length: number = 0;
  private readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly mask: number;
  private head: number = 0;

  constructor(limit: number) {
    this.limit = limit;
    const size = 2 ** Math.ceil(Math.log2(limit));
    this.bytes = new Uint8Array(size);
    this.mask = size - 1;
  }

  get room(): number {
    return this.limit - this.length;
  }

  /** The caller has checked that there is room. HOT */
  push(byte: number): void {
    this.bytes[(this.head + this.length++) & this.mask] = byte;
  }

  pushAll(src: Uint8Array, from: number, count: number): void {
    for (let i = 0; i < count; i++) this.push(src[from + i]!);
  }

  /** The byte `i` places from the front. */
  at(i: number): number {
    return this.bytes[(this.head + i) & this.mask]!;
  }

  /** Moves up to `max` bytes to a cursor; returns how many, or -EFAULT. */
  moveTo(io: IoCursor, max: number): number {
    let done = 0;
    while (done < max && this.length > 0 && io.remaining > 0) {
      const run = Math.min(max - done, this.length, this.bytes.length - this.head, io.remaining);
      const n = io.putBytes(this.bytes, this.head, run);
      if (n < 0) return done > 0 ? done : n;
      this.skip(n);
      done += n;
      if (n < run) break;
    }
    return done;
  }

  /** Copies up to `max` bytes to the start of an array; returns how many. */
  peek(dst: Uint8Array, max: number): number {
    const n = Math.min(max, this.length);
    for (let i = 0; i < n; i++) dst[i] = this.at(i);
    return n;
  }

  skip(count: number): void {
    this.head = (this.head + count) & this.mask;
    this.length -= count;
  }

  /** Keeps the first `count` bytes. */
  truncate(count: number): void {
    if (count < this.length) this.length = count;
  }
}
