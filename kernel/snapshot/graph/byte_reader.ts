/** Numbers out of a section of an image, none of them trusted. Neighbour: byte_writer.ts. */

/** An image that no encoder has written. */
export class ImageError extends Error {
  override readonly name = "ImageError";

  /** @param offset where in the image */
  constructor(readonly offset: number, expected: string, options?: ErrorOptions) {
    super(`byte ${offset} of the image: ${expected}`, options);
  }
}

/** How many units of a string become characters at once. */
const UNITS_AT_ONCE = 4096;

export class ByteReader {
  /** The offset in the image of what is read next. */
  at: number;
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private readonly view: DataView;

  /** Reads `length` bytes from `at`, which the image has. */
  constructor(bytes: Uint8Array, at: number, length: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = at + length;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.end - this.at;
  }

  /** A varint below 2^32. */
  u32(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.byte();
    if (last > 0xf) this.fail("a number of 32 bits");
    return value + last * 2 ** 28;
  }

  /** A varint below 2^53. */
  u53(): number {
    for (let value = 0, unit = 1; unit < 2 ** 53; unit *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
    }
    return this.fail("a number of 53 bits");
  }

  double(): number {
    if (this.left < 8) this.fail("a double");
    const value = this.view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** A number of things that have `unitBytes` each, at least, in what is left. */
  count(unitBytes: number = 1): number {
    const count = this.u32();
    if (count * unitBytes > this.left) this.fail(`${count} more things`);
    return count;
  }

  /** `length` units of a string. */
  units(length: number, isWide: boolean): string {
    if (length * (isWide ? 2 : 1) > this.left) this.fail(`a string of ${length}`);
    let text = "";
    for (let done = 0; done < length; done += UNITS_AT_ONCE) {
      const units: number[] = [];
      for (let left = Math.min(UNITS_AT_ONCE, length - done); left > 0; left--) {
        units.push(isWide ? this.byte() | this.byte() << 8 : this.byte());
      }
      text += String.fromCharCode(...units);
    }
    return text;
  }

  expectEnd(): void {
    if (this.left !== 0) this.fail("the end of the section");
  }

  fail(expected: string): never {
    throw new ImageError(this.at, `expected ${expected}`);
  }

  private byte(): number {
    if (this.at >= this.end) this.fail("more bytes in the section");
    return this.bytes[this.at++]!;
  }
}
