/**
 * How much of a memory is changed in one turn of the loop. A call whose range is larger goes on
 * with the rest in another turn (syscalls/mm/ranges.ts): it works through the range in the order of
 * addresses, and each slice is a whole change of its own.
 */

import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** LIMIT: areas, extents of the page map and pages that are changed in one turn: 0.5 to 1.5 ms. */
export const TURN_AREAS = 512, TURN_EXTENTS = 1024, TURN_PAGES = 65536;
/**
 * LIMIT: pages that one turn touches (the host makes each, 2 to 8 us), and areas whose pages it
 * gives back one by one.
 */
export const TURN_TOUCHED = 64, TURN_DISCARDED = 128;

/**
 * `mmap` with MAP_FIXED: what is in its place takes several turns to remove. Nothing was changed.
 */
export const IN_SLICES = -5000;

/** True when [start, end), or all that there is, is changed in one turn. HOT */
export function isOneSlice(mm: MemoryManager, start: number, end: number): boolean {
  return end - start <= TURN_EXTENTS * PAGE_SIZE && end - start <= TURN_AREAS * PAGE_SIZE ||
    mm.vmas.length <= TURN_AREAS && mm.pages.length <= TURN_EXTENTS &&
      end - start <= TURN_PAGES * PAGE_SIZE;
}

/**
 * Where the slice of [start, end) ends that begins at `start`: a multiple of the page size, if
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
  // What has no frames takes no time, however large it is.
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
