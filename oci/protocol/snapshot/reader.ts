/**
 * Reads a snapshot file that may be damaged or hostile. `open` checks everything but the sections'
 * contents; a section's checksum is checked when it is read, or for all of them by `verify`.
 */

import {
  type Codec,
  decodeIndex,
  FORMAT_VERSION,
  getU64,
  GRAPH_MAX,
  HEADER_MAX,
  INDEX_MAX,
  MAGIC,
  PREAMBLE_BYTES,
  SEAL_BYTES,
  SEAL_MAGIC,
  type Section,
  SECTION_FRAMES,
  SECTION_RUNS,
  SnapshotFileError,
  STORED_ZSTD,
} from "./format.ts";
import { FrameRuns, SECTION_PAGES } from "./frame_runs.ts";

/** A file that can be read at any offset. */
export interface SnapshotSource {
  /** Bytes of the file. */
  readonly size: number;
  /** Fills `into` from an offset. @throws if that fails, or the file is shorter */
  read(into: Uint8Array, offset: number): void;
}

const PAGE_BYTES = 4096;

export class SnapshotReader {
  /** The JSON object of the header. */
  readonly header: Readonly<Record<string, unknown>>;
  /** The page frames that the file holds. */
  readonly runs: FrameRuns;
  readonly #source: SnapshotSource;
  readonly #codec: Codec;
  readonly #sections: readonly Section[];
  readonly #frames: readonly Section[];

  private constructor(
    source: SnapshotSource,
    codec: Codec,
    header: Readonly<Record<string, unknown>>,
    sections: readonly Section[],
  ) {
    this.#source = source;
    this.#codec = codec;
    this.header = header;
    this.#sections = sections;
    this.#frames = sections.filter(({ kind }) => kind === SECTION_FRAMES);
    this.runs = FrameRuns.fromBytes(this.bytes(SECTION_RUNS));
    this.#checkFrames();
  }

  /** @throws SnapshotFileError if the file is no snapshot, not whole, damaged or too new */
  static open(source: SnapshotSource, codec: Codec): SnapshotReader {
    const front = readFront(source, codec),
      { sections, frontHash } = readIndex(source, codec, front);
    if (!isEqual(frontHash, codec.sha256(front))) {
      throw new SnapshotFileError("the header and the seal are of different snapshots");
    }
    return new SnapshotReader(source, codec, headerOf(front), sections);
  }

  /** The sections of a kind, one behind the other. */
  bytes(kind: number): Uint8Array<ArrayBuffer> {
    const parts = this.#sections.filter((section) => section.kind === kind);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length > GRAPH_MAX) throw new SnapshotFileError(`${length} bytes of kind ${kind}`);
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(this.#content(part), at);
      at += part.length;
    }
    return whole;
  }

  get frameSections(): number {
    return this.#frames.length;
  }

  /**
   * The saved pages [512 * i, 512 * (i + 1)), fewer in the last section.
   * @param into may hold them: of 2 MiB; absent: a new buffer does
   */
  frames(i: number, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return this.#content(this.#frames[i]!, into);
  }

  /** Checks the contents of all sections. @throws SnapshotFileError if one is damaged */
  verify(): void {
    for (const section of this.#sections) this.#content(section);
  }

  #content(
    section: Section,
    into: Uint8Array<ArrayBuffer> = new Uint8Array(section.stored),
  ): Uint8Array<ArrayBuffer> {
    const stored = into.subarray(0, section.stored);
    this.#source.read(stored, section.offset);
    const place = `the section at ${section.offset}`;
    if (this.#codec.crc32(stored, 0) !== section.crc) {
      throw new SnapshotFileError(`${place} is damaged`);
    }
    if (section.storage !== STORED_ZSTD) return stored;
    const bytes = this.#expand(stored, section.length, place);
    if (bytes.length !== section.length) throw new SnapshotFileError(`${place} is damaged`);
    return bytes;
  }

  #expand(stored: Uint8Array, length: number, place: string): Uint8Array<ArrayBuffer> {
    try {
      return this.#codec.expand(stored, length);
    } catch (cause) {
      throw new SnapshotFileError(`${place} is damaged`, { cause });
    }
  }

  #checkFrames(): void {
    const { pages } = this.runs, all = Math.ceil(pages / SECTION_PAGES);
    const isWhole = this.#frames.length === all && this.#frames.every(({ length }, i) => {
      return length === Math.min(SECTION_PAGES, pages - i * SECTION_PAGES) * PAGE_BYTES;
    });
    if (!isWhole) throw new SnapshotFileError(`there are not ${pages} pages of frames`);
  }
}

/** Preamble and header. */
function readFront(source: SnapshotSource, codec: Codec): Uint8Array {
  const preamble = read(source, 0, PREAMBLE_BYTES), view = viewOf(preamble);
  if (textOf(preamble, 0, MAGIC.length) !== MAGIC) {
    throw new SnapshotFileError("this is no snapshot file");
  }
  const version = view.getUint32(8, true), length = view.getUint32(12, true);
  if (version !== FORMAT_VERSION) {
    throw new SnapshotFileError(
      `the file has format ${version}, and this dvisor reads format ${FORMAT_VERSION}`,
    );
  }
  if (length > HEADER_MAX) throw new SnapshotFileError("the header is too long");
  const front = read(source, 0, PREAMBLE_BYTES + length);
  if (!isEqual(front.subarray(16, PREAMBLE_BYTES), codec.sha256(front.subarray(PREAMBLE_BYTES)))) {
    throw new SnapshotFileError("the header is damaged");
  }
  return front;
}

function headerOf(front: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(textOf(front, PREAMBLE_BYTES, front.length));
  } catch (cause) {
    throw new SnapshotFileError("the header is no JSON", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SnapshotFileError("the header is no object");
  }
  return { ...value };
}

/** The sections, and the hash of the front that the seal has. */
function readIndex(
  source: SnapshotSource,
  codec: Codec,
  front: Uint8Array,
): { readonly sections: Section[]; readonly frontHash: Uint8Array } {
  const sealAt = source.size - SEAL_BYTES;
  if (sealAt < front.length) throw new SnapshotFileError("the file is not whole: it has no seal");
  const seal = read(source, sealAt, SEAL_BYTES), view = viewOf(seal);
  if (textOf(seal, 0, SEAL_MAGIC.length) !== SEAL_MAGIC) {
    throw new SnapshotFileError("the file is not whole: it has no seal");
  }
  const at = getU64(view, 8), length = getU64(view, 16);
  if (at < front.length || at + length !== sealAt || length > INDEX_MAX) {
    throw new SnapshotFileError("the place of the index is impossible");
  }
  const index = read(source, at, length);
  if (!isEqual(seal.subarray(24, 56), codec.sha256(index))) {
    throw new SnapshotFileError("the index is damaged");
  }
  return { sections: decodeIndex(index, front.length, at), frontHash: seal.subarray(56) };
}

function read(source: SnapshotSource, offset: number, length: number): Uint8Array {
  if (offset + length > source.size) throw new SnapshotFileError("the file is cut off");
  const bytes = new Uint8Array(length);
  source.read(bytes, offset);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  return new TextDecoder().decode(bytes.subarray(from, to));
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
