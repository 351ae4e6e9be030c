/**
 * Writes a snapshot file. The sections come first and the seal last, so a file that was not
 * finished is never taken for whole: by a full disk, a short write or the end of the writer.
 */

import {
  type Codec,
  encodeIndex,
  FORMAT_VERSION,
  HEADER_MAX,
  MAGIC,
  PREAMBLE_BYTES,
  putU64,
  SEAL_BYTES,
  SEAL_MAGIC,
  type Section,
  SECTION_ALIGN,
  SECTION_FRAMES,
  SECTION_MAX,
  SnapshotFileError,
  STORED_PLAIN,
  STORED_ZSTD,
} from "./format.ts";

/** Where a snapshot file is written. */
export interface SnapshotSink {
  /** Writes all bytes at an offset. @throws if that fails */
  write(bytes: Uint8Array, offset: number): void;
}

/** A section is stored as zstd if that makes it smaller by this part of its length. */
const LEAST_GAIN = 1 / 16;

export class SnapshotWriter {
  readonly #sink: SnapshotSink;
  readonly #codec: Codec;
  /** The level of zstd; 0: nothing is compressed. */
  readonly #level: number;
  readonly #sections: Section[] = [];
  readonly #front: Uint8Array<ArrayBuffer>;
  /** The next free byte. */
  #end: number;

  /**
   * @param header a JSON object
   * @param level of zstd, 1 to 19, or 0: sections are stored as they are
   * @throws SnapshotFileError if the header is too long
   */
  constructor(sink: SnapshotSink, codec: Codec, header: object, level: number = 0) {
    this.#sink = sink;
    this.#codec = codec;
    this.#level = level;
    this.#front = frontOf(header, codec);
    this.#end = this.#front.length;
    sink.write(this.#front, 0);
  }

  /** Adds data of any length, in as many sections as it takes. */
  addBytes(kind: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += SECTION_MAX) {
      this.#add(kind, bytes.subarray(at, Math.min(bytes.length, at + SECTION_MAX)));
    }
  }

  /** Adds a section of frames, whose pages are in `parts`: 2 MiB in all, fewer in the last one. */
  addFrames(parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (this.#level > 0) {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      this.#add(SECTION_FRAMES, whole);
      return;
    }
    const offset = this.#place();
    let crc = 0, at = offset;
    for (const part of parts) {
      crc = this.#codec.crc32(part, crc);
      this.#sink.write(part, at);
      at += part.length;
    }
    this.#record(SECTION_FRAMES, STORED_PLAIN, crc, offset, length, length);
  }

  /** Writes index and seal. @returns the bytes of the file */
  finish(): number {
    const index = encodeIndex(this.#sections), at = this.#place();
    if (index.length > 0) this.#sink.write(index, at);
    const seal = new Uint8Array(SEAL_BYTES), view = new DataView(seal.buffer);
    seal.set(new TextEncoder().encode(SEAL_MAGIC));
    putU64(view, 8, at);
    putU64(view, 16, index.length);
    seal.set(this.#codec.sha256(index), 24);
    seal.set(this.#codec.sha256(this.#front), 56);
    this.#sink.write(seal, at + index.length);
    return at + index.length + SEAL_BYTES;
  }

  #add(kind: number, bytes: Uint8Array): void {
    const offset = this.#place();
    let stored = bytes, storage = STORED_PLAIN;
    if (this.#level > 0) {
      const packed = this.#codec.compress(bytes, this.#level);
      if (packed.length <= bytes.length * (1 - LEAST_GAIN)) {
        stored = packed;
        storage = STORED_ZSTD;
      }
    }
    this.#sink.write(stored, offset);
    const crc = this.#codec.crc32(stored, 0);
    this.#record(kind, storage, crc, offset, stored.length, bytes.length);
  }

  /** The place of the next section. */
  #place(): number {
    return Math.ceil(this.#end / SECTION_ALIGN) * SECTION_ALIGN;
  }

  #record(
    kind: number,
    storage: number,
    crc: number,
    offset: number,
    stored: number,
    length: number,
  ): void {
    this.#sections.push({ kind, storage, crc, offset, stored, length });
    this.#end = offset + stored;
  }
}

/** Preamble and header. */
function frontOf(header: object, codec: Codec): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(header));
  if (text.length > HEADER_MAX) throw new SnapshotFileError("the header is too long");
  const front = new Uint8Array(PREAMBLE_BYTES + text.length), view = new DataView(front.buffer);
  front.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, text.length, true);
  front.set(codec.sha256(text), 16);
  front.set(text, PREAMBLE_BYTES);
  return front;
}
