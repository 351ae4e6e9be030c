/**
 * Which frames are touched. Frames are given ahead of the first touch, and only the touched ones
 * are what Linux calls present. The host knows which pages of the arena have memory. A frame that
 * the allocator zeroed for reuse has memory before its first touch: it counts as touched when it is
 * not zero. /proc (smaps, pagemap), mincore(2) and move_pages(2) call this.
 *
 * DIFFERS: a page in such a frame that holds only zeros at each look counts as never touched.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { load64 } from "../../ffi/mem/native_memory.ts";
import type { MemoryManager } from "./memory_manager.ts";
import type { MemoryContext } from "./memory_context.ts";

/** The first touched frame of [page, end), in arena pages, or `end`. */
export function nextTouched(ctx: MemoryContext, page: number, end: number): number {
  for (let at = page; at < end;) {
    const data = ctx.arena.nextData(at * PAGE_SIZE) / PAGE_SIZE;
    if (data >= end) return end;
    if (!isBlank(ctx, data)) return data;
    const hole = Math.min(end, ctx.arena.nextHole(data * PAGE_SIZE, end * PAGE_SIZE) / PAGE_SIZE);
    for (at = data + 1; at < hole; at++) {
      if (!isBlank(ctx, at)) return at;
    }
  }
  return end;
}

/** The first untouched frame of [page, end), in arena pages, or where the search stopped. */
export function nextUntouched(ctx: MemoryContext, page: number, end: number): number {
  const hole = Math.min(end, ctx.arena.nextHole(page * PAGE_SIZE, end * PAGE_SIZE) / PAGE_SIZE);
  for (let at = page; at < hole; at++) {
    if (isBlank(ctx, at)) return at;
  }
  return hole;
}

/** The number of touched frames in [page, end). */
export function touchedPages(ctx: MemoryContext, page: number, end: number): number {
  let pages = 0;
  for (let at = nextTouched(ctx, page, end); at < end; at = nextTouched(ctx, at, end)) {
    const next = nextUntouched(ctx, at, end);
    pages += next - at;
    at = next;
  }
  return pages;
}

/** Whether a guest page of [from, to) is touched. */
export function hasTouched(mm: MemoryManager, from: number, to: number): boolean {
  const map = mm.pages;
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) < 0) continue;
    const delta = map.frame(i) - map.start(i), end = Math.min(to, map.end(i)) + delta;
    if (nextTouched(mm.ctx, Math.max(from, map.start(i)) + delta, end) < end) return true;
  }
  return false;
}

/**
 * The runs (page, count) of guest pages with frames in [from, to), all in one area: the touched
 * pages, or those never touched.
 */
export function touchedRuns(
  mm: MemoryManager,
  from: number,
  to: number,
  touched: boolean,
): number[] {
  const map = mm.pages, { ctx } = mm, runs: number[] = [];
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) < 0) continue;
    const a = Math.max(from, map.start(i)), b = Math.min(to, map.end(i));
    const delta = map.frame(i) - map.start(i);
    for (let page = a; page < b;) {
      const data = nextTouched(ctx, page + delta, b + delta) - delta;
      if (!touched && data > page) runs.push(page, data - page);
      if (data >= b) break;
      const hole = nextUntouched(ctx, data + delta, b + delta) - delta;
      if (touched) runs.push(data, hole - data);
      page = hole;
    }
  }
  return runs;
}

/** Whether the guest or the kernel touched the arena page since it was allocated. */
export function isTouched(ctx: MemoryContext, page: number): boolean {
  return nextTouched(ctx, page, page + 1) === page;
}

/** Whether the allocator zeroed the page for reuse, and it is still zero. */
function isBlank(ctx: MemoryContext, page: number): boolean {
  if (!ctx.frames.pool.isRecycled(page)) return false;
  const at = ctx.arena.base + page * PAGE_SIZE;
  for (let i = 0; i < PAGE_SIZE; i += 8) {
    if (load64(at + i) === 0) continue;
    // From now on it counts as touched, also if zeros are written to it.
    ctx.frames.pool.markRecycled(page, false);
    return false;
  }
  return true;
}
