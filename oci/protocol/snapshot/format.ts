/**
 * The layout of a snapshot file (docs/internals/snapshots.md). The boot process writes and reads
 * these files, and the command line looks into them, so this file imports nothing.
 *
 *     preamble   magic, version, length and SHA-256 of the header
 *     header     a JSON object: what the file is, and what it takes to restore it
 *     sections   each at a multiple of 4096, at most 2 MiB
 *     index      a row for each section: kind, place, lengths, checksum
 *     seal       magic, place and SHA-256 of the index, SHA-256 of preamble and header
 *
 * The seal is written last: a file without it is not whole.
 */

export const MAGIC = "DVSNAP\r\n", SEAL_MAGIC = "DVSEAL\r\n";
/** The version of the layout. */
export const FORMAT_VERSION = 1;

/** Bytes of the preamble: magic, version u32, header length u32, SHA-256. */
export const PREAMBLE_BYTES = 48;
/** Bytes of the seal: magic, index offset u64, index length u64, SHA-256 of index, of the front. */
export const SEAL_BYTES = 88;
/** LIMIT: bytes of a header. */
export const HEADER_MAX = 1 << 20;
/** The alignment of sections: that of pages, so that a page can be mapped from the file. */
export const SECTION_ALIGN = 4096;
/** LIMIT: bytes of a section, before compression. */
export const SECTION_MAX = 2 << 20;
/** LIMIT: rows of an index: those of 2 TiB. */
const SECTIONS_MAX = 1 << 20;
/** LIMIT: bytes of all sections of the graph, and of all runs. */
export const GRAPH_MAX = 2 ** 30;

/** Kinds of sections: the graph, runs of saved frames, their contents, runs of all frames. */
export const SECTION_GRAPH = 1, SECTION_RUNS = 2, SECTION_FRAMES = 3, SECTION_HELD = 4;
const LAST_KIND = SECTION_HELD;
/** How a section is stored. */
export const STORED_PLAIN = 0, STORED_ZSTD = 1;
const LAST_STORED = STORED_ZSTD;

/** Bytes of a row of the index: kind u16, storage u16, crc u32, offset, stored, length u64. */
const ROW_BYTES = 32;
/** LIMIT: bytes of an index. */
export const INDEX_MAX: number = SECTIONS_MAX * ROW_BYTES;
const TWO_32 = 2 ** 32;

/** A file that is no snapshot, not whole, damaged, or of another version. */
export class SnapshotFileError extends Error {
  override readonly name = "SnapshotFileError";
}

/** One section. */
export interface Section {
  readonly kind: number;
  readonly storage: number;
  /** CRC-32 of the stored bytes. */
  readonly crc: number;
  /** Where the stored bytes are, and how many there are. */
  readonly offset: number;
  readonly stored: number;
  /** Bytes after they are expanded. */
  readonly length: number;
}

/** The part of `node:zlib` and `node:crypto` that snapshot files use. */
export interface Codec {
  /** @param before the checksum of the bytes in front of these */
  crc32(bytes: Uint8Array, before: number): number;
  /** SHA-256: 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
  /** @param level of zstd, 1 to 19 */
  compress(bytes: Uint8Array, level: number): Uint8Array;
  /** @throws when the result would be longer than `limit`, or the bytes are no zstd frame */
  expand(bytes: Uint8Array, limit: number): Uint8Array<ArrayBuffer>;
}

/** The index as bytes. */
export function encodeIndex(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sections.length * ROW_BYTES), view = new DataView(bytes.buffer);
  for (const [i, section] of sections.entries()) {
    const at = i * ROW_BYTES;
    view.setUint16(at, section.kind, true);
    view.setUint16(at + 2, section.storage, true);
    view.setUint32(at + 4, section.crc, true);
    putU64(view, at + 8, section.offset);
    putU64(view, at + 16, section.stored);
    putU64(view, at + 24, section.length);
  }
  return bytes;
}

/**
 * The sections of an index.
 *
 * @param start @param end the part of the file that sections may be in
 * @throws SnapshotFileError if a row is impossible
 */
export function decodeIndex(bytes: Uint8Array, start: number, end: number): Section[] {
  const count = bytes.length / ROW_BYTES;
  if (!Number.isInteger(count)) throw new SnapshotFileError("a row of the index is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections: Section[] = [];
  let free = start;
  for (let i = 0; i < count; i++) {
    const at = i * ROW_BYTES;
    const section: Section = {
      kind: view.getUint16(at, true),
      storage: view.getUint16(at + 2, true),
      crc: view.getUint32(at + 4, true),
      offset: getU64(view, at + 8),
      stored: getU64(view, at + 16),
      length: getU64(view, at + 24),
    };
    const { kind, storage, offset, stored, length } = section;
    const isPlaced = offset >= free && offset % SECTION_ALIGN === 0 && stored <= end - offset;
    const isSized = length > 0 && length <= SECTION_MAX && stored > 0 && stored <= SECTION_MAX &&
      (storage !== STORED_PLAIN || stored === length);
    if (!isPlaced || !isSized || kind === 0 || kind > LAST_KIND || storage > LAST_STORED) {
      throw new SnapshotFileError(`section ${i} is impossible`);
    }
    free = offset + stored;
    sections.push(section);
  }
  return sections;
}

/** Writes a number below 2^53. */
export function putU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

/** A 64-bit number; one of 2^53 and more loses low bits, and no valid number is so large. */
export function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}
