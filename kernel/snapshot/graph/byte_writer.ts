/** Bytes that grow, and the numbers that are put at their end. Neighbour: byte_reader.ts. */

const FIRST_BYTES = 4096, VARINT_BYTES = 8;

export class ByteWriter {
  /** How many bytes are written. */
  length: number = 0;
  private bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  private view: DataView = new DataView(this.bytes.buffer);

  /** A whole number from 0 to 2^32 - 1. */
  u32(value: number): void {
    if (this.length + VARINT_BYTES > this.bytes.length) this.grow(VARINT_BYTES);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.length++] = rest & 0x7f | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A whole number from 0 to 2^53 - 1. */
  u53(value: number): void {
    if (this.length + VARINT_BYTES > this.bytes.length) this.grow(VARINT_BYTES);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.length++] = rest % 0x80 | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  double(value: number): void {
    if (this.length + 8 > this.bytes.length) this.grow(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Each unit of a string as a byte, or as two. */
  units(text: string, isWide: boolean): void {
    const bytes = text.length * (isWide ? 2 : 1);
    if (this.length + bytes > this.bytes.length) this.grow(bytes);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      this.bytes[this.length++] = unit;
      if (isWide) this.bytes[this.length++] = unit >> 8;
    }
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.bytes.length) this.grow(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** What is written. It changes with the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private grow(count: number): void {
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + count));
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}
