/** The strings of a graph, each once, in the order in which the encoder met them. */

import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

export class MetStrings {
  private readonly numbers: Map<string, number> = new Map();

  numberOf(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    const { size } = this.numbers;
    this.numbers.set(text, size);
    return size;
  }

  /** Writes the table. */
  put(out: ByteWriter): void {
    out.u32(this.numbers.size);
    for (const text of this.numbers.keys()) {
      const isWide = hasWideUnits(text);
      out.u32(2 * text.length + (isWide ? 1 : 0));
      out.units(text, isWide);
    }
  }
}

/** Reads the table. */
export function readStrings(tables: ByteReader): string[] {
  const strings: string[] = [];
  for (let left = tables.count(); left > 0; left--) {
    const word = tables.u32();
    strings.push(tables.units(word >>> 1, word % 2 === 1));
  }
  return strings;
}

function hasWideUnits(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return true;
  return false;
}
