/**
 * The bounds of one turn's change of a memory. A call with a larger range continues in another turn
 * (syscalls/mm/ranges.ts): it works through the range in the order of addresses, and each slice is
 * a whole change.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** LIMIT: areas, extents of the page map and pages that are changed in one turn: 0.5 to 1.5 ms. */
export const TURN_AREAS = 512, TURN_EXTENTS = 1024, TURN_PAGES = 65536;
/**
 * LIMIT: pages that one turn touches (the host makes each, 2 to 8 us), and areas whose pages it
 * gives back one by one.
 */
export const TURN_TOUCHED = 64, TURN_DISCARDED = 128;

/**
 * The result of `mmap` with MAP_FIXED when the removal of what is at its place takes several turns.
 * Nothing was changed.
 */
export const IN_SLICES = -5000;

/** Whether [start, end), or all that is mapped, can be changed in one turn. HOT */
export function isOneSlice(mm: MemoryManager, start: number, end: number): boolean {
  return end - start <= TURN_EXTENTS * PAGE_SIZE && end - start <= TURN_AREAS * PAGE_SIZE ||
    mm.vmas.length <= TURN_AREAS && mm.pages.length <= TURN_EXTENTS &&
      end - start <= TURN_PAGES * PAGE_SIZE;
}

/**
 * The end of the slice of [start, end) that begins at `start`: a multiple of the page size, if
 * `end` is one.
 */
export function sliceEnd(
  mm: MemoryManager,
  start: number,
  end: number,
  areas: number = TURN_AREAS,
): number {
  const { vmas, pages } = mm, area = vmas.indexOf(start) + areas;
  let to = area < vmas.length ? Math.min(end, vmas.at(area).start) : end;
  // Pages without frames take no time, however many they are.
  let left = TURN_PAGES;
  const first = pages.indexOf(start / PAGE_SIZE), last = first + TURN_EXTENTS;
  if (last < pages.length) to = Math.min(to, pages.start(last) * PAGE_SIZE);
  for (let i = first; i < pages.length && i < last && pages.start(i) * PAGE_SIZE < to; i++) {
    const from = Math.max(pages.start(i), start / PAGE_SIZE), count = pages.end(i) - from;
    if (count > left) return Math.min(to, (from + left) * PAGE_SIZE);
    left -= count;
  }
  return to;
}
