/** Copies of frames that leave the host alone where nothing is: to read a page of the arena makes the host give it memory. */

import type { Arena } from "../../ffi/mem/arena.ts";
import { copy } from "../../ffi/mem/native_memory.ts";

/**
 * Copies `len` bytes at an offset of the arena to a host address that reads as zeros: pages at the beginning that were
 * never touched are passed over. How many bytes are there now: fewer if the host has no memory.
 */
export function copyTouched(arena: Arena, target: number, offset: number, len: number): number {
  const blank = Math.min(len, arena.nextData(offset) - offset);
  if (blank === len) return len;
  return blank + copy(target + blank, arena.base + offset + blank, len - blank);
}
