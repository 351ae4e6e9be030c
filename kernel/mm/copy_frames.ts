/** Copies of frames that leave the host alone where nothing is: to read a page of the arena makes the host give it memory. */

import type { Arena } from "../../ffi/mem/arena.ts";
import { PAGE_SIZE } from "./frames.ts";

/**
 * Copies `len` bytes from one offset of the arena to another, where zeros are read; whole pages but for the last. Pages that
 * were never touched are passed over: asked for one by one, for the host would look for the end of what is touched however
 * far that is. How many bytes are there now: fewer if the host has no memory.
 */
export function copyTouched(arena: Arena, target: number, offset: number, len: number): number {
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
