/**
 * The running executable's own pages. Starting Deno touches some 30 MB of it that are never needed again; letting go of
 * them makes a process that waits small. What is needed comes back from the page cache, 64 KB at a fault.
 *
 * Only mappings without a page of our own are touched: text and constants, no relocated data. What malloc has to spare
 * goes with them.
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

  /** Looks the mappings up in /proc, which must be there; none otherwise. */
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

  /** Lets go of all pages. SAFETY: they are of a file and unchanged, so that they read the same afterwards. */
  release(): void {
    trimHeap();
    for (const [address, length] of this.#ranges) madvise(address, length, MADV_DONTNEED);
  }
}

/**
 * The mappings of the file `path` that nobody can have written to: its text, and its constants, which lie in front of
 * the text. What is read-only behind it was relocated first.
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
