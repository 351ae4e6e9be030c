/** The sections of an image, behind a header with their lengths. */

import type { MetBuffers } from "./buffers.ts";
import { ByteReader, ImageError } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { aligned, HEADER_BYTES, IMAGE_MAX } from "./format.ts";

/**
 * Makes an image, or null if it were too large.
 *
 * @param sections tables, heads, records, saved
 */
export function imageOf(
  sections: readonly ByteWriter[],
  buffers: MetBuffers,
): Uint8Array<ArrayBuffer> | null {
  const content = aligned(sections.reduce((sum, { length }) => sum + length, HEADER_BYTES));
  if (content + buffers.length > IMAGE_MAX) return null;
  const image = new Uint8Array(content + buffers.length), header = new DataView(image.buffer);
  let at = HEADER_BYTES;
  for (const [i, section] of sections.entries()) {
    header.setUint32(4 * i, section.length, true);
    image.set(section.written(), at);
    at += section.length;
  }
  header.setUint32(4 * sections.length, buffers.length, true);
  buffers.copyTo(image, content);
  return image;
}

interface Sections {
  readonly tables: ByteReader;
  readonly heads: ByteReader;
  readonly records: ByteReader;
  readonly saved: ByteReader;
  /** Where the content of buffers begins. */
  readonly content: number;
}

/** @throws ImageError if the lengths are not those of the image */
export function sectionsOf(image: Uint8Array): Sections {
  if (image.length < HEADER_BYTES) throw new ImageError(0, "expected a header");
  const header = new DataView(image.buffer, image.byteOffset, HEADER_BYTES);
  const readers: ByteReader[] = [];
  let at = HEADER_BYTES;
  for (let place = 0; place < 16; place += 4) {
    const length = header.getUint32(place, true);
    if (at + length > image.length) throw new ImageError(place, "expected a section's length");
    readers.push(new ByteReader(image, at, length));
    at += length;
  }
  const content = aligned(at);
  if (content + header.getUint32(16, true) !== image.length) {
    throw new ImageError(16, "expected the length of the rest");
  }
  const [tables, heads, records, saved] = readers as [
    ByteReader,
    ByteReader,
    ByteReader,
    ByteReader,
  ];
  return { tables, heads, records, saved, content };
}
