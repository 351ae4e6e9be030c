/** A cursor over a JS buffer, by which the kernel puts its own messages into queues. */

import { EFAULT } from "../../ffi/abi/errno.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { IoCursor } from "../mm/io_cursor.ts";

export class BytesCursor extends IoCursor {
  private u8: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  set(u8: Uint8Array<ArrayBuffer>, length: number): this {
    this.u8 = u8;
    this.remaining = length;
    this.done = 0;
    return this;
  }

  override putHost(src: number, len: number): number {
    const n = Math.min(len, this.remaining);
    return this.moved(copyToBuffer(this.u8, this.done, src, n));
  }
  override putBytes(src: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    const n = Math.min(len, this.remaining);
    this.u8.set(src.subarray(offset, offset + n), this.done);
    return this.moved(n);
  }
  override putZeros(len: number): number {
    const n = Math.min(len, this.remaining);
    this.u8.fill(0, this.done, this.done + n);
    return this.moved(n);
  }
  override takeHost(dst: number, len: number): number {
    const n = Math.min(len, this.remaining);
    return this.moved(copyFromBuffer(dst, this.u8, this.done, n));
  }
  override takeBytes(dst: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    const n = Math.min(len, this.remaining);
    dst.set(this.u8.subarray(this.done, this.done + n), offset);
    return this.moved(n);
  }
  /** There is no host memory behind it. */
  override hostSegments(): number {
    return -EFAULT;
  }
  override advance(len: number): void {
    this.done += len;
    this.remaining -= len;
  }

  private moved(n: number): number {
    this.advance(n);
    return n;
  }
}
