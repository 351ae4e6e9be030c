/**
 * Removal of areas and pages: munmap(2), and the first step of mmap(MAP_FIXED), mremap(2) and
 * madvise(2). Also the mapping of frames at absent pages (`mapFrames`), which all topic files of
 * this folder use.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isSealed } from "./sealed.ts";
import { recordUnmapping } from "../userfault/userfault_events.ts";
import { holeOpened } from "./unmapped_area.ts";

/** Rounds up to a page boundary; Infinity and huge values stay as they are. */
export function pageUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/** Whether an address or offset is a multiple of 4096. */
export function isPageAligned(addr: number): boolean {
  return (addr & 4095) === 0;
}

/** munmap(2). */
export function munmap(mm: MemoryManager, addr: number, len: number): number {
  const end = unmapEnd(mm, addr, len);
  return end < 0 ? end : unmapRange(mm, addr, end);
}

/** The end of the range of munmap(2), or -EINVAL. */
export function unmapEnd(mm: MemoryManager, addr: number, len: number): number {
  const size = pageUp(len);
  return !isPageAligned(addr) || size === 0 || addr + size > mm.layout.maxAddress
    ? -EINVAL
    : addr + size;
}

/**
 * Removes everything in [start, end): 0, -ENOMEM when that would make too many areas, -EPERM when a
 * part is sealed.
 */
export function unmapRange(mm: MemoryManager, start: number, end: number): number {
  if (!mm.vmas.overlaps(start, end)) return 0;
  const error = checkUnmap(mm, start, end);
  if (error === 0) removeRange(mm, start, end);
  return error;
}

/** Removes everything in [start, end). The caller has checked that it may. */
export function removeRange(mm: MemoryManager, start: number, end: number): void {
  recordUnmapping(mm, start, end);
  unmapHost(mm, start, end);
  clearRange(mm, start, end);
  mm.finishChange();
}

/** The checks of `unmapRange`: 0 or -errno. Changes nothing. */
export function checkUnmap(mm: MemoryManager, start: number, end: number): number {
  if (isSealed(mm, start, end)) return -EPERM;
  return wouldSplitTooMuch(mm, start, end) ? -ENOMEM : 0;
}

/**
 * Queues the unmapping of the host's mappings there: never more than the areas, as pages of the
 * platform may lie in between.
 */
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

/** Whether a hole in the middle of an area would make one area too many. */
function wouldSplitTooMuch(mm: MemoryManager, start: number, end: number): boolean {
  const vma = mm.vmas.find(start);
  return vma !== null && vma.start < start && vma.end > end && !mm.vmas.hasRoom(1);
}

/**
 * Removes the areas and pages of [start, end) from the books. The caller queues a host change that
 * covers the range, then calls `mm.finishChange`.
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

/**
 * Removes the frames and shadows of guest pages [from, to) from the books; `mm.finishChange`
 * releases them.
 */
export function dropPages(mm: MemoryManager, from: number, to: number): void {
  const pages = mm.pages, first = pages.splitAt(from), last = pages.splitAt(to);
  for (let i = first; i < last; i++) {
    const frame = pages.frame(i), shadow = pages.shadow(i), n = pages.count(i);
    if (frame >= 0) mm.addUnmap(frame, n);
    if (shadow >= 0) mm.ctx.frames.releaseUntouched(shadow * PAGE_SIZE, n);
  }
  pages.remove(first, last);
}

/**
 * Puts frames at absent pages and queues their mapping. Shadows of these pages stay. `isBlank`: as
 * for `mapArena`.
 */
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
