/**
 * Copies frames without reading untouched ones: reading a page of the arena makes the host allocate
 * it. fork.ts and cow.ts call this.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";

/** The part of ffi/mem's Arena that copies need. */
export interface CopyStore {
  /** The first page at or behind `offset` that the host has memory for, or Infinity. */
  nextData(offset: number): number;
  /** Returns the bytes copied: fewer if the host has no memory. */
  copyWithin(target: number, source: number, lenBytes: number): number;
}

/**
 * Copies `len` bytes from one offset of the arena to another, where zeros are read; whole pages but
 * for the last. Pages that were never touched are skipped. The host is asked page by page, because
 * it would search for the end of a touched run however far that is. Returns the bytes copied: fewer
 * if the host has no memory.
 */
export function copyTouched(
  arena: CopyStore,
  target: number,
  offset: number,
  len: number,
): number {
  const end = offset + len;
  let from = arena.nextData(offset);
  while (from < end) {
    let to = from + PAGE_SIZE, next = to;
    while (to < end && (next = arena.nextData(to)) === to) to += PAGE_SIZE;
    const n = Math.min(to, end) - from;
    const done = arena.copyWithin(target + from - offset, from, n);
    if (done !== n) return from - offset + done;
    from = next;
  }
  return len;
}
