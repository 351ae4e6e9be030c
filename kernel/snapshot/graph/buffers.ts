/**
 * Buffers of a graph and the views on them. Views that share a buffer share it in the copy, too. A
 * buffer that a single view has for itself is no object of the copy: V8 keeps the content of small
 * arrays in the heap, and `buffer` would move it out.
 */

import { type ByteReader, ImageError } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { aligned, BUFFER_ALIGNMENT } from "./format.ts";

interface TypedArrayClass {
  readonly prototype: object;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayBufferView & {
    slice(): ArrayBufferView;
  };
}

const TYPED_ARRAYS: readonly TypedArrayClass[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

/** Prototypes of views; their places are numbers of the encoding. */
export const VIEWS: readonly object[] = [
  ...TYPED_ARRAYS.map(({ prototype }) => prototype),
  DataView.prototype,
];

/** The buffers that an encoder has met. */
export class MetBuffers {
  /** The length of the section that `copyTo` fills. */
  length: number = 0;
  private readonly numbers: Map<ArrayBuffer, number> = new Map();
  /** Of each buffer: whether one view alone has it, and all of it. */
  private readonly areWhole: boolean[] = [];

  /** Writes a buffer as an object of its own. */
  putBuffer(buffer: ArrayBuffer, out: ByteWriter): void {
    out.u32(this.numberOf(buffer, false));
  }

  putView(view: ArrayBufferView & { readonly buffer: ArrayBuffer }, out: ByteWriter): void {
    const { buffer, byteOffset, byteLength } = view;
    out.u32(this.numberOf(buffer, byteLength === buffer.byteLength));
    out.u32(byteOffset);
    const bytes = "BYTES_PER_ELEMENT" in view ? Number(view.BYTES_PER_ELEMENT) : 1;
    out.u32(byteLength / bytes);
  }

  /** Writes the table. */
  put(out: ByteWriter): void {
    out.u32(this.areWhole.length);
    for (const [buffer, number] of this.numbers) {
      out.u53(2 * buffer.byteLength + (this.areWhole[number] === true ? 1 : 0));
    }
  }

  /** Copies the content of all buffers to a place in an image. */
  copyTo(image: Uint8Array, start: number): void {
    let at = start;
    for (const buffer of this.numbers.keys()) {
      image.set(new Uint8Array(buffer), at);
      at += aligned(buffer.byteLength);
    }
  }

  private numberOf(buffer: ArrayBuffer, isWhole: boolean): number {
    const known = this.numbers.get(buffer);
    if (known !== undefined) {
      this.areWhole[known] = false;
      return known;
    }
    this.numbers.set(buffer, this.areWhole.length);
    this.length += aligned(buffer.byteLength);
    return this.areWhole.push(isWhole) - 1;
  }
}

/** A buffer of an image. */
class ImageBuffer {
  /** The copy, when something has it. */
  buffer: ArrayBuffer | null = null;
  isTaken: boolean = false;

  /** @param at where its content is */
  constructor(readonly at: number, readonly length: number, readonly isWhole: boolean) {}
}

/** The buffers of an image. */
export class ImageBuffers {
  private readonly content: Uint8Array<ArrayBuffer>;
  private readonly list: readonly ImageBuffer[];

  /**
   * @param tables at the table of buffers
   * @param start where the content is in the image, to its end
   */
  constructor(tables: ByteReader, image: Uint8Array<ArrayBuffer>, start: number) {
    const content = image.subarray(start);
    // Typed arrays read whole elements at multiples of their size.
    this.content = content.byteOffset % BUFFER_ALIGNMENT === 0 ? content : content.slice();
    const list: ImageBuffer[] = [];
    let at = 0;
    for (let left = tables.count(); left > 0; left--) {
      const word = tables.u53(), length = Math.floor(word / 2);
      if (at + aligned(length) > content.length) tables.fail("a buffer that the image has");
      list.push(new ImageBuffer(at, length, word % 2 === 1));
      at += aligned(length);
    }
    if (at !== content.length) throw new ImageError(start + at, "expected the end");
    this.list = list;
  }

  /** Reads a buffer that is an object of its own. */
  readBuffer(heads: ByteReader): ArrayBuffer {
    return this.shared(this.find(heads), heads);
  }

  /** Reads a view: a typed array or, behind them, a DataView. */
  readView(kind: number, heads: ByteReader): ArrayBufferView {
    if (kind >= VIEWS.length) heads.fail("a kind of view");
    const found = this.find(heads), offset = heads.u32(), length = heads.u32();
    const made = TYPED_ARRAYS[kind], unit = made?.BYTES_PER_ELEMENT ?? 1;
    if (offset % unit !== 0 || offset + length * unit > found.length) {
      heads.fail(`a view in a buffer of ${found.length}`);
    }
    if (found.isWhole && made !== undefined) {
      if (found.isTaken || length * unit !== found.length) heads.fail("one view of a whole buffer");
      found.isTaken = true;
      return new made(this.content.buffer, this.content.byteOffset + found.at, length).slice();
    }
    const buffer = this.shared(found, heads);
    return made === undefined
      ? new DataView(buffer, offset, length)
      : new made(buffer, offset, length);
  }

  private find(heads: ByteReader): ImageBuffer {
    return this.list[heads.u32()] ?? heads.fail("the number of a buffer");
  }

  private shared(found: ImageBuffer, heads: ByteReader): ArrayBuffer {
    if (found.isTaken) heads.fail("a buffer that no view has for itself");
    const start = this.content.byteOffset + found.at;
    found.buffer ??= this.content.buffer.slice(start, start + found.length);
    return found.buffer;
  }
}
