/**
 * Taking areas and pages away: munmap(2), and what mmap(MAP_FIXED), mremap and madvise do before they put something
 * else there.
 */

import { EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isSealed } from "./sealed.ts";
import { tellUnmapped } from "../userfault/userfault_events.ts";
import { holeOpened } from "./unmapped_area.ts";

/** Up to the next page boundary; Infinity and huge values stay what they are. */
export function pageUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

export function isPageAligned(addr: number): boolean {
  return (addr & 4095) === 0;
}

/** munmap(2). */
export function munmap(mm: MemoryManager, addr: number, len: number): number {
  const end = unmapEnd(mm, addr, len);
  return end < 0 ? end : unmapRange(mm, addr, end);
}

/** Where the range ends that munmap(2) is called on, or -EINVAL. */
export function unmapEnd(mm: MemoryManager, addr: number, len: number): number {
  const size = pageUp(len);
  return !isPageAligned(addr) || size === 0 || addr + size > mm.layout.maxAddress
    ? -EINVAL
    : addr + size;
}

/** Remove everything in [start, end): 0, -ENOMEM when that would make too many areas, -EPERM when some is sealed. */
export function unmapRange(mm: MemoryManager, start: number, end: number): number {
  if (!mm.vmas.overlaps(start, end)) return 0;
  const error = checkUnmap(mm, start, end);
  if (error === 0) removeRange(mm, start, end);
  return error;
}

/** Remove everything in [start, end); whether that is allowed was looked at. */
export function removeRange(mm: MemoryManager, start: number, end: number): void {
  tellUnmapped(mm, start, end);
  unmapHost(mm, start, end);
  clearRange(mm, start, end);
  mm.settle();
}

/** What `unmapRange` fails with, before it changes anything; or 0. */
export function checkUnmap(mm: MemoryManager, start: number, end: number): number {
  if (isSealed(mm, start, end)) return -EPERM;
  return wouldSplitTooMuch(mm, start, end) ? -ENOMEM : 0;
}

/** Queue the unmapping of what the host has there: never more than the areas, as the platform may live in between. */
function unmapHost(mm: MemoryManager, start: number, end: number): void {
  const map = mm.pages;
  for (let k = mm.vmas.indexOf(start); k < mm.vmas.length; k++) {
    const vma = mm.vmas.at(k);
    if (vma.start >= end) return;
    let from = Math.max(start, vma.start), to = Math.min(end, vma.end);
    if (!vma.isDirect) {
      const first = map.indexOf(from / PAGE_SIZE), last = map.indexOf(to / PAGE_SIZE - 1);
      if (first === map.length) continue;
      from = Math.max(from, map.start(first) * PAGE_SIZE);
      to = last === map.length ? Math.min(to, map.end(last - 1) * PAGE_SIZE) : to;
    }
    if (from < to) mm.space.unmap(from, to - from);
  }
}

/** A hole in the middle of an area makes one more. */
function wouldSplitTooMuch(mm: MemoryManager, start: number, end: number): boolean {
  const vma = mm.vmas.find(start);
  return vma !== null && vma.start < start && vma.end > end && !mm.vmas.hasRoom(1);
}

/**
 * Forget areas and pages in [start, end). The caller queues a host change that covers the range, then calls
 * `mm.settle`.
 */
export function clearRange(mm: MemoryManager, start: number, end: number): void {
  const vmas = mm.vmas;
  if (!vmas.overlaps(start, end)) return;
  const from = vmas.splitAt(start), to = vmas.splitAt(end);
  for (let i = from; i < to; i++) {
    const vma = vmas.at(i);
    mm.counters.charge(vma, (vma.end - vma.start) / PAGE_SIZE, -1);
  }
  vmas.remove(from, to);
  holeOpened(mm, end);
  dropPages(mm, start / PAGE_SIZE, end / PAGE_SIZE);
}

/** Forget the frames and shadows of guest pages [from, to); `mm.settle` releases them. */
export function dropPages(mm: MemoryManager, from: number, to: number): void {
  const pages = mm.pages, first = pages.splitAt(from), last = pages.splitAt(to);
  for (let i = first; i < last; i++) {
    const frame = pages.frame(i), shadow = pages.shadow(i), n = pages.count(i);
    if (frame >= 0) mm.leave(frame, n);
    if (shadow >= 0) mm.ctx.frames.releaseUntouched(shadow * PAGE_SIZE, n);
  }
  pages.remove(first, last);
}

/** Put frames at absent pages and queue their mapping. Shadows that wait there stay. `isBlank`: as for `mapArena`. */
export function mapFrames(
  mm: MemoryManager,
  page: number,
  pages: number,
  frame: number,
  flags: number,
  prot: number,
  isBlank = false,
): void {
  const map = mm.pages, end = page + pages;
  for (let at = page; at < end;) {
    const i = map.indexOf(at), next = i < map.length ? map.start(i) : Infinity;
    const to = Math.min(end, next > at ? next : map.end(i));
    if (next > at) {
      map.insert(at, to - at, frame + at - page, -1, flags);
    } else {
      const k = map.splitAt(at);
      map.splitAt(to);
      map.set(k, frame + at - page, map.shadow(k), flags);
      map.coalesce(k - 1, k + 2);
    }
    at = to;
  }
  mm.space.mapArena(page * PAGE_SIZE, pages * PAGE_SIZE, frame * PAGE_SIZE, prot, isBlank);
}
