/**
 * Gives frames to pages that have none: anonymous memory in stretches and 2 MiB chunks, file pages
 * that are in the arena (tmpfs, shared memory) a neighbourhood at a time. Faults (fault.ts), mmap,
 * brk, mremap and stack growth call this.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { CHUNK_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import {
  PAGE_COW,
  PAGE_FILE,
  PAGE_FROZEN,
  PAGE_POISONED,
  PAGE_SHARED,
  PAGE_WATCHED,
} from "./pages.ts";
import { mapFrames, pageUp } from "./region.ts";
import { VM_GROWSDOWN, VM_SPECIAL, VM_UFFD, type Vma } from "./vma.ts";

const CHUNK = CHUNK_SIZE / PAGE_SIZE;
/** LIMIT: pages that one fault maps where memory is used from front to back. */
export const AHEAD_MAX: number = 16 * CHUNK;
/** The file pages around a fault that are mapped too, when the file has them already. */
const AROUND = CHUNK;

/**
 * Allocates `pages` frames for guest page `page`, right behind those of the page before if
 * possible. The first arena page, or -1.
 */
export function allocNear(mm: MemoryManager, page: number, pages: number): number {
  const map = mm.pages, frames = mm.ctx.frames, i = map.indexOf(page) - 1;
  if (i >= 0 && map.end(i) === page && map.frame(i) >= 0) {
    const at = frames.allocAt((map.frame(i) + map.count(i)) * PAGE_SIZE, pages);
    if (at >= 0) return at / PAGE_SIZE;
  }
  const at = frames.alloc(pages);
  return at < 0 ? -1 : at / PAGE_SIZE;
}

/** Gives frames to all pages of [from, to) that have none, all in one area: 0 or -ENOMEM. */
export function populateAnonymous(
  mm: MemoryManager,
  vma: Vma,
  from: number,
  to: number,
): number {
  for (let page = from; page < to;) {
    const i = mm.pages.indexOf(page);
    const next = i < mm.pages.length ? mm.pages.start(i) : Infinity;
    if (next <= page) {
      page = mm.pages.end(i);
      continue;
    }
    const n = Math.min(to, next) - page;
    const frame = allocNear(mm, page, n);
    if (frame < 0) return -ENOMEM;
    mapFrames(mm, page, n, frame, 0, vma.prot, true);
    page += n;
  }
  return 0;
}

/** The pages to give at once behind `pages` pages that have frames: about as many, in chunks. */
export function aheadOf(pages: number): number {
  return Math.min(AHEAD_MAX, Math.max(CHUNK, Math.floor(pages / CHUNK) * CHUNK));
}

/**
 * Gives frames to the hole around `page`, within its aligned 2 MiB chunk and across neighbouring
 * anonymous areas: a part that is PROT_NONE now and allowed later then takes no more faults. Behind
 * pages with frames, more of its own area may get frames. 0 or -ENOMEM.
 */
export function populateChunk(mm: MemoryManager, vma: Vma, page: number): number {
  const map = mm.pages;
  let from = Math.floor(page / CHUNK) * CHUNK, to = from + CHUNK;
  const index = mm.vmas.indexOf(vma.start);
  let first = index, last = index;
  while (first > 0 && mm.vmas.at(first).start > from * PAGE_SIZE && joins(mm, first - 1)) first--;
  while (mm.vmas.at(last).end < to * PAGE_SIZE && joins(mm, last)) last++;
  const i = map.indexOf(page);
  const chunk = from, before = i > 0 && map.frame(i - 1) >= 0 ? map.end(i - 1) : -1;
  if (i > 0) from = Math.max(from, map.end(i - 1));
  from = Math.max(from, mm.vmas.at(first).start / PAGE_SIZE);
  to = Math.min(to, mm.vmas.at(last).end / PAGE_SIZE);
  if (before === from) {
    to = Math.max(to, Math.min(vma.end / PAGE_SIZE, chunk + aheadOf(map.count(i - 1))));
  }
  if (i < map.length) to = Math.min(to, map.start(i));
  let frame = allocNear(mm, from, to - from);
  if (frame < 0 && to > chunk + CHUNK) {
    to = chunk + CHUNK;
    frame = allocNear(mm, from, to - from);
  }
  if (frame < 0) {
    // The arena is nearly full: try one page.
    from = page;
    to = page + 1;
    frame = allocNear(mm, from, 1);
    if (frame < 0) return -ENOMEM;
  }
  map.insert(from, to - from, frame, -1, 0);
  for (let k = first; k <= last; k++) {
    const part = mm.vmas.at(k);
    const a = Math.max(from, part.start / PAGE_SIZE), b = Math.min(to, part.end / PAGE_SIZE);
    if (a >= b) continue;
    const arena = (frame + a - from) * PAGE_SIZE;
    mm.space.mapArena(a * PAGE_SIZE, (b - a) * PAGE_SIZE, arena, part.prot, true);
  }
  return 0;
}

/** Whether areas `i` and `i + 1` touch and are both ordinary private memory. */
function joins(mm: MemoryManager, i: number): boolean {
  if (i + 1 >= mm.vmas.length) return false;
  const a = mm.vmas.at(i), b = mm.vmas.at(i + 1);
  return a.end === b.start && a.backing === null && b.backing === null &&
    ((a.flags | b.flags) & (VM_GROWSDOWN | VM_SPECIAL | VM_UFFD)) === 0;
}

/**
 * Maps the frame of a file page, and those of its neighbours that the file has already. 0, -EFAULT
 * behind the end of the file, or -ENOMEM.
 */
export function populateBacked(mm: MemoryManager, vma: Vma, page: number): number {
  const backing = vma.backing!, shift = vma.start - vma.offset;
  const end = pageUp(backing.size());
  if (page * PAGE_SIZE - shift >= end) return -EFAULT;
  const frame = backing.frame(page * PAGE_SIZE - shift, true);
  if (frame < 0) return frame === -ENOMEM ? -ENOMEM : -EFAULT;
  // The area's handler must see the faults of the other pages.
  if (vma.userfault !== null) {
    mapBackedRange(mm, vma, page, page + 1);
    return mm.pages.present(page) < 0 ? -EFAULT : 0;
  }
  const window = Math.floor(page / AROUND) * AROUND, last = (end + shift) / PAGE_SIZE;
  const from = Math.max(window, vma.start / PAGE_SIZE);
  const ahead = page + backing.contiguous(page * PAGE_SIZE - shift, frame, AHEAD_MAX);
  const to = Math.max(window + AROUND, ahead);
  mapBackedRange(mm, vma, from, Math.min(to, vma.end / PAGE_SIZE, last));
  return mm.pages.present(page) < 0 ? -EFAULT : 0;
}

/** Maps the frames that the file has in [from, to), where the process has none yet. */
export function mapBackedRange(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  const backing = vma.backing!, shift = vma.start - vma.offset, { frames } = mm.ctx;
  const { pool } = frames;
  let start = from, run = 0, first = -1;
  for (let page = from; page <= to;) {
    const isAbsent = page < to && mm.pages.present(page) < 0 && !mm.pages.isMarked(page);
    const at = isAbsent ? backing.frame(page * PAGE_SIZE - shift, false) : -1;
    const isContinued = at >= 0 && at === first + run * PAGE_SIZE &&
      pool.isHeldTwice(at / PAGE_SIZE) === pool.isHeldTwice(first / PAGE_SIZE);
    if (run > 0 && !isContinued) {
      frames.retain(first, run);
      mapBacked(mm, vma, start, run, first / PAGE_SIZE);
      run = 0;
    }
    if (at < 0) {
      page += isAbsent ? backing.holePages(page * PAGE_SIZE - shift, to - page) : 1;
      continue;
    }
    const most = absentRun(mm, page, to);
    const n = pool.heldRun(
      at / PAGE_SIZE,
      Math.min(most, backing.contiguous(page * PAGE_SIZE - shift, at, most)),
    );
    if (run === 0) {
      start = page;
      first = at;
    }
    run += n;
    page += n;
  }
}

/** Maps frames of the file, which are all held twice or all not. */
function mapBacked(mm: MemoryManager, vma: Vma, page: number, count: number, frame: number): void {
  if (!vma.isShared) {
    mapFrames(mm, page, count, frame, PAGE_FILE | PAGE_COW, vma.sharedProt);
    return;
  }
  const isFrozen = vma.backing!.canOwn && mm.ctx.frames.pool.isHeldTwice(frame);
  const flags = isFrozen ? PAGE_SHARED | PAGE_COW | PAGE_FROZEN : PAGE_SHARED;
  mapFrames(mm, page, count, frame, flags, isFrozen ? vma.sharedProt : vma.prot);
}

/**
 * The number of pages from `page` on, below `to`, in front of the next one with a frame or a mark.
 */
function absentRun(mm: MemoryManager, page: number, to: number): number {
  const map = mm.pages;
  for (let i = map.indexOf(page); i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) >= 0 || (map.flags(i) & (PAGE_POISONED | PAGE_WATCHED)) !== 0) {
      return map.start(i) - page;
    }
  }
  return to - page;
}
