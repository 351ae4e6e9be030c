/**
 * Write-protected pages (UFFDIO_WRITEPROTECT): a write is a fault for the area's handler, or, with
 * WP_ASYNC, ends the protection. A watched page that is absent is an extent of the page map without
 * a frame.
 *
 * DIFFERS: a hole that is punched into a file ends the watch of its pages.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import {
  UFFD_FEATURE_WP_ASYNC,
  UFFD_PAGEFAULT_FLAG_WP,
  UFFD_PAGEFAULT_FLAG_WRITE,
} from "../../ffi/abi/userfaultfd.ts";
import { askHandler } from "../mm/ask_handler.ts";
import { breakCow } from "../mm/cow.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { thawPage } from "../mm/freeze.ts";
import { PAGE_COW, PAGE_FROZEN, PAGE_SHARED, PAGE_WATCHED } from "../mm/pages.ts";
import { allocNear } from "../mm/populate.ts";
import { dropPages, mapFrames, pageUp } from "../mm/region.ts";
import type { Vma } from "../mm/vma.ts";

/** Watches the present pages of [from, to), all in one area. */
export function watch(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  const map = mm.pages, first = map.splitAt(from), last = map.splitAt(to);
  for (let i = first; i < last; i++) {
    if (map.frame(i) < 0) continue;
    map.setFlags(i, map.flags(i) | PAGE_COW | PAGE_WATCHED);
    mm.space.protect(map.start(i) * PAGE_SIZE, map.count(i) * PAGE_SIZE, vma.sharedProt);
  }
  map.coalesce(first - 1, last + 1);
}

/** Watches absent pages too. */
export function watchHoles(mm: MemoryManager, from: number, to: number): void {
  const map = mm.pages;
  for (let page = from; page < to;) {
    const i = map.indexOf(page), next = i < map.length ? map.start(i) : Infinity;
    if (next <= page) {
      page = map.end(i);
      continue;
    }
    const end = Math.min(to, next);
    map.insert(page, end - page, -1, -1, PAGE_WATCHED);
    page = end;
  }
}

/**
 * Ends the watch. A page of private memory becomes writable at its next write, as after a fork; a
 * page of shared memory is made writable now.
 */
export function unwatch(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  const map = mm.pages, first = map.splitAt(from), last = map.splitAt(to);
  for (let i = last - 1; i >= first; i--) {
    const flags = map.flags(i);
    if ((flags & PAGE_WATCHED) === 0) continue;
    if (map.frame(i) < 0) {
      map.remove(i, i + 1);
      continue;
    }
    if (vma.isShared && (flags & PAGE_FROZEN) === 0) {
      mm.space.protect(map.start(i) * PAGE_SIZE, map.count(i) * PAGE_SIZE, vma.prot);
    }
    map.setFlags(i, unwatchedFlags(vma, flags));
  }
  map.coalesce(first - 1, last + 1);
}

/** Watched pages of [from, to) as pairs of start and end. */
export function watchedRuns(mm: MemoryManager, from: number, to: number): number[] {
  const map = mm.pages, runs: number[] = [];
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if ((map.flags(i) & PAGE_WATCHED) === 0) continue;
    runs.push(Math.max(from, map.start(i)), Math.min(to, map.end(i)));
  }
  return runs;
}

/** The flags of a page without a watch. */
export function unwatchedFlags(vma: Vma, flags: number): number {
  if ((flags & PAGE_WATCHED) === 0) return flags;
  const ends = vma.isShared && (flags & PAGE_FROZEN) === 0;
  return flags & ~(ends ? PAGE_WATCHED | PAGE_COW : PAGE_WATCHED);
}

/**
 * First touch of a watched page that was absent: 0, -EFAULT behind the end of the file, -ENOMEM.
 */
export function makeWatched(mm: MemoryManager, vma: Vma, page: number): number {
  const { backing } = vma;
  let frame: number, flags = PAGE_COW | PAGE_WATCHED;
  if (backing === null) {
    frame = allocNear(mm, page, 1);
    if (frame < 0) return -ENOMEM;
  } else {
    const offset = page * PAGE_SIZE - vma.start + vma.offset;
    const at = offset < pageUp(backing.size()) ? backing.frame(offset, true) : -EFAULT;
    if (at < 0) return at === -ENOMEM ? -ENOMEM : -EFAULT;
    mm.ctx.frames.retain(at, 1);
    frame = at / PAGE_SIZE;
    flags |= mm.ctx.frames.pool.isHeldTwice(frame) ? PAGE_SHARED | PAGE_FROZEN : PAGE_SHARED;
  }
  dropPages(mm, page, page + 1);
  mapFrames(mm, page, 1, frame, flags, vma.sharedProt);
  return 0;
}

/**
 * Write to a watched page that is present: AWAITED; or the watch ends, with the result of the
 * write.
 */
export function writeWatched(mm: MemoryManager, vma: Vma, page: number): number {
  const features = vma.userfault?.features ?? UFFD_FEATURE_WP_ASYNC;
  if ((features & UFFD_FEATURE_WP_ASYNC) === 0) {
    return askHandler(mm, vma, page, UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP);
  }
  unwatch(mm, vma, page, page + 1);
  const isFrozen = (mm.pages.flags(mm.pages.present(page)) & PAGE_FROZEN) !== 0;
  let r = 0;
  if (isFrozen) r = thawPage(mm, vma, page);
  else if (!vma.isShared) r = breakCow(mm, vma, page);
  const map = mm.pages, i = map.indexOf(page);
  // The page is present from now on, whatever is written.
  if (r === 0 && map.frame(i) >= 0) {
    mm.ctx.frames.pool.markRecycled(map.frame(i) + page - map.start(i), false);
  }
  return r;
}
