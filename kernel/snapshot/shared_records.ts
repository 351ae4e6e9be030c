/**
 * What an image inside the process shares with kernels, aside from frames: records of files. The
 * owner of the image holds them from the snapshot on, before the kernel runs again.
 */

import { SharedRecords } from "../fs/tmpfs/records/record_table.ts";

/** @param kept `EncodedGraph.kept` */
export function holdRecords(kept: readonly object[]): void {
  for (const object of kept) if (object instanceof SharedRecords) object.hold();
}

/** Releases about `most` records and more. True: call it again until it is done. */
export function releaseRecords(kept: object[], most: number = Infinity): boolean {
  while (kept.length > 0) {
    const object = kept.at(-1);
    if (object instanceof SharedRecords && object.release(most)) return true;
    kept.pop();
  }
  return false;
}
