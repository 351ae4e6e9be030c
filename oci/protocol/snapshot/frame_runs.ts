/**
 * Which page frames a snapshot file holds: runs of arena pages, in ascending order. The saved pages
 * have indices in this order, and page i is in frame section i / 512. Frames that are in no run
 * read as zeros.
 */

import { SnapshotFileError } from "./format.ts";

/** Pages of a frame section. */
export const SECTION_PAGES = 512;
/** LIMIT: arena pages that a snapshot may name: those of 16 TiB. */
const PAGES_MAX = 2 ** 32;
/** Bytes of a run: first page u32, count u32. */
const RUN_BYTES = 8;

export class FrameRuns {
  /** The first page and the count of each run. */
  private readonly pairs: number[] = [];
  /** All pages. */
  pages: number = 0;

  get length(): number {
    return this.pairs.length / 2;
  }
  first(i: number): number {
    return this.pairs[2 * i]!;
  }
  count(i: number): number {
    return this.pairs[2 * i + 1]!;
  }

  /** Adds a run behind the others. It joins the last one if it continues it. */
  add(first: number, count: number): void {
    const { pairs } = this, { length } = pairs;
    const end = length === 0 ? 0 : pairs[length - 2]! + pairs[length - 1]!;
    const isSound = Number.isInteger(first) && Number.isInteger(count) && count > 0;
    if (!isSound || first < end || first + count > PAGES_MAX) {
      throw new SnapshotFileError(`the run ${first}+${count} is impossible`);
    }
    if (length > 0 && end === first) pairs[length - 1]! += count;
    else pairs.push(first, count);
    this.pages += count;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const { pairs } = this, bytes = new Uint8Array(pairs.length * RUN_BYTES / 2);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < pairs.length; i++) view.setUint32(4 * i, pairs[i]!, true);
    return bytes;
  }

  /** @throws SnapshotFileError if they are not in order */
  static fromBytes(bytes: Uint8Array): FrameRuns {
    if (bytes.length % RUN_BYTES !== 0) throw new SnapshotFileError("a run is cut off");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const runs = new FrameRuns();
    for (let at = 0; at < bytes.length; at += RUN_BYTES) {
      runs.add(view.getUint32(at, true), view.getUint32(at + 4, true));
    }
    return runs;
  }
}
