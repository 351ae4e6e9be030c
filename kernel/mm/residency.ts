/** msync(2) and mincore(2), in slices of one turn of the loop; syscalls/mm/advise.ts runs them. */

import { EBUSY, EFAULT, EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC, PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { TURN_AREAS } from "./slices.ts";
import { nextTouched, nextUntouched } from "./touched.ts";
import { VM_LOCKED } from "./vma.ts";

/** LIMIT: pages that mincore(2) answers for in one turn, and areas and extents that it looks at. */
export const TURN_ANSWERS = 65536, TURN_LOOKS = 2048;

/** How far an msync(2) has come. */
export class SyncRun {
  next: number = 0;
  hasHole: boolean = false;
}

/** The end of the range of msync(2), or -errno. */
export function msyncEnd(mm: MemoryManager, addr: number, len: number, flags: number): number {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || !isPageAligned(addr)) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  const end = addr + pageUp(len);
  return end > mm.layout.maxAddress ? -ENOMEM : end;
}

/**
 * A slice of msync(2). Shared mappings and file calls use the same pages, so only MS_SYNC has work
 * to do, once for each area. 0, with the place to continue at in `run`, or -errno.
 */
export function msync(
  mm: MemoryManager,
  start: number,
  end: number,
  flags: number,
  run: SyncRun,
): number {
  let at = start;
  for (let left = TURN_AREAS; at < end && left > 0; left--) {
    const i = mm.vmas.indexOf(at);
    if (i === mm.vmas.length) return -ENOMEM;
    const vma = mm.vmas.at(i);
    if (vma.start > at) run.hasHole = true;
    if (vma.start >= end) {
      at = end;
      break;
    }
    if ((flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0) return -EBUSY;
    if ((flags & MS_SYNC) !== 0 && vma.isShared) {
      const r = vma.backing!.sync();
      if (r < 0) return r;
      // The host may have written to its storage, so the turn ends.
      if (vma.isDirect) left = 0;
    }
    at = vma.end;
  }
  run.next = at;
  return 0;
}

const vector = new Uint8Array(4096);

/**
 * A slice of mincore(2). Private and shared pages are resident once they were touched; pages of
 * host files always. `done` pages have their answer: returns 0 at the end, -errno, or the number of
 * pages that have it now.
 */
export function mincore(
  mm: MemoryManager,
  addr: number,
  len: number,
  vec: number,
  done: number,
): number {
  if (!isPageAligned(addr)) return -EINVAL;
  const size = pageUp(len), max = mm.layout.maxAddress;
  if (addr + size > max) return -ENOMEM;
  if (vec + size / PAGE_SIZE > max) return -EFAULT;
  const from = addr / PAGE_SIZE, to = from + size / PAGE_SIZE;
  const stop = Math.min(to, from + done + TURN_ANSWERS);
  let page = from + done;
  for (let looks = 0; page < stop && looks < TURN_LOOKS; looks++) {
    const vma = mm.vmas.find(page * PAGE_SIZE);
    if (vma === null) return -ENOMEM;
    const n = Math.min(stop, vma.end / PAGE_SIZE, page + vector.length) - page;
    vector.fill(vma.isDirect ? 1 : 0, 0, n);
    looks += fillVector(mm, page, page + n);
    if (mm.copyOut(vec + page - from, vector, 0, n) < 0) return -EFAULT;
    page += n;
  }
  return page < to ? page - from : 0;
}

/** Fills the vector for the pages in [from, to) that have frames; returns the number of extents. */
function fillVector(mm: MemoryManager, from: number, to: number): number {
  const map = mm.pages, { ctx } = mm, start = map.indexOf(from);
  let i = start;
  for (; i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) < 0) continue;
    const a = Math.max(from, map.start(i)), n = Math.min(to, map.end(i)) - a;
    const first = map.frame(i) + a - map.start(i), end = first + n;
    for (let at = nextTouched(ctx, first, end); at < end; at = nextTouched(ctx, at, end)) {
      const next = nextUntouched(ctx, at, end);
      vector.fill(1, a - from + at - first, a - from + next - first);
      at = next;
    }
  }
  return i - start;
}
