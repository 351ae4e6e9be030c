/**
 * The running executable's own pages. The start of Deno touches some 30 MB of it that are not
 * needed again; unmapping them makes a waiting process small. Pages that are needed come back from
 * the page cache, 64 KB at a fault.
 *
 * Only mappings without private pages are released: text and constants, no relocated data. Free
 * memory of malloc is released too.
 */

import { MADV_DONTNEED } from "../abi/mman.ts";
import { madvise } from "./files.ts";
import { trimHeap } from "./native.ts";

export class OwnImage {
  /** Address and length of each mapping. */
  readonly #ranges: readonly (readonly [number, number])[];

  private constructor(ranges: readonly (readonly [number, number])[]) {
    this.#ranges = ranges;
  }

  /** Finds the mappings in /proc, which must be mounted; none otherwise. */
  static find(): OwnImage {
    try {
      const path = Deno.readLinkSync("/proc/self/exe");
      return new OwnImage(cleanMappings(Deno.readTextFileSync("/proc/self/maps"), path));
    } catch {
      return new OwnImage([]);
    }
  }

  get lenBytes(): number {
    return this.#ranges.reduce((sum, [, length]) => sum + length, 0);
  }

  /**
   * Releases all pages. SAFETY: they are unchanged pages of a file, so they have the same contents
   * afterwards.
   */
  release(): void {
    trimHeap();
    for (const [address, length] of this.#ranges) madvise(address, length, MADV_DONTNEED);
  }
}

/**
 * The mappings of the file `path` without relocations: its text, and its constants in front of the
 * text. Read-only mappings behind the text were relocated first.
 */
export function cleanMappings(maps: string, path: string): [number, number][] {
  const found: [number, number][] = [];
  let isBehindText = false;
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r-([x-])p \S+ \S+ \d+\s+(.*)$/.exec(line);
    if (match === null || match[4] !== path) continue;
    const isText = match[3] === "x";
    if (!isText && isBehindText) continue;
    isBehindText ||= isText;
    const start = parseInt(match[1] ?? "", 16);
    found.push([start, parseInt(match[2] ?? "", 16) - start]);
  }
  return found;
}
