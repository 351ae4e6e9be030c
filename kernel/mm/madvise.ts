/**
 * madvise(2). syscalls/mm/ranges.ts applies the advice to large ranges in slices; `discard` gives
 * memory back in place.
 */

import { EACCES, EAGAIN, EFAULT, EHWPOISON, EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../platform/platform.ts";
import { resolvePage } from "./fault.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { touchPages } from "./mlock.ts";
import { mayDiscard } from "./sealed.ts";
import { CHANGE_EXTENTS } from "./pages.ts";
import { dropPages, isPageAligned, pageUp } from "./region.ts";
import { recordDiscard } from "../userfault/userfault_events.ts";
import { watchedRuns, watchHoles } from "../userfault/userfault_watch.ts";
import * as V from "./vma.ts";

/**
 * LIMIT: more pages than this (1 to 2 ms) are unmapped and given back in slices, instead of punched
 * at once.
 */
const PUNCH_PAGES = 1024;

/** madvise(2) in one turn. Unmapped parts are skipped, and make the result -ENOMEM. */
export function madvise(mm: MemoryManager, addr: number, len: number, advice: number): number {
  const end = adviseEnd(mm, addr, len, advice);
  if (end < 0) return end;
  const r = adviseRange(mm, addr, end, advice);
  return r === HOLE ? -ENOMEM : r;
}

/** The end of the range, or -EINVAL. */
export function adviseEnd(mm: MemoryManager, addr: number, len: number, advice: number): number {
  if (!isKnown(advice) || !isPageAligned(addr)) return -EINVAL;
  const end = addr + pageUp(len);
  return end > mm.layout.maxAddress ? -EINVAL : end;
}

/** The result of `adviseRange` when a part of the range is not mapped; the rest is done. */
export const HOLE = 1;

/** Applies the advice to the areas in [addr, end): 0, HOLE, or the error that ended it. */
export function adviseRange(mm: MemoryManager, addr: number, end: number, advice: number): number {
  let result = 0, at = addr;
  while (at < end) {
    const i = mm.vmas.indexOf(at);
    if (i === mm.vmas.length || mm.vmas.at(i).start >= end) {
      result = HOLE;
      break;
    }
    const vma = mm.vmas.at(i);
    if (vma.start > at) {
      result = HOLE;
      at = vma.start;
    }
    const to = Math.min(end, vma.end);
    const error = adviseArea(mm, vma, at, to, advice);
    if (error < 0) {
      result = error;
      break;
    }
    at = to;
  }
  mm.finishChange();
  mm.vmas.mergeAround(addr, end);
  return result;
}

/** The advice after which memory reads differently, in this process or in a child. */
const DISCARDS: readonly number[] = [
  M.MADV_FREE,
  M.MADV_DONTNEED,
  M.MADV_DONTNEED_LOCKED,
  M.MADV_REMOVE,
  M.MADV_DONTFORK,
  M.MADV_WIPEONFORK,
];

/** Whether the advice gives pages back, which costs a host call for each run of them. */
export function isDiscard(advice: number): boolean {
  return DISCARDS.includes(advice);
}

function isKnown(advice: number): boolean {
  return advice >= M.MADV_NORMAL && advice <= M.MADV_DONTNEED ||
    advice >= M.MADV_FREE && advice <= M.MADV_DONTNEED_LOCKED;
}

function adviseArea(
  mm: MemoryManager,
  vma: V.Vma,
  start: number,
  end: number,
  advice: number,
): number {
  if (DISCARDS.includes(advice)) {
    if (!mayDiscard(vma)) return -EPERM;
    if (!mm.pages.hasRoom(CHANGE_EXTENTS)) return -ENOMEM;
  }
  switch (advice) {
    case M.MADV_DONTNEED:
    case M.MADV_DONTNEED_LOCKED:
      if (advice === M.MADV_DONTNEED && (vma.flags & V.VM_LOCKED) !== 0) return -EINVAL;
      if ((vma.flags & V.VM_SPECIAL) !== 0) return -EINVAL;
      return discard(mm, vma, start, end);
    case M.MADV_FREE:
      if (!vma.isAnonymous || vma.isShared || (vma.flags & V.VM_LOCKED) !== 0) return -EINVAL;
      return discard(mm, vma, start, end);
    case M.MADV_REMOVE:
      return removeFromFile(mm, vma, start, end);
    case M.MADV_POPULATE_READ:
    case M.MADV_POPULATE_WRITE:
      if (vma.isSecret) return -EINVAL;
      return populate(mm, vma, start, end, advice === M.MADV_POPULATE_WRITE);
    case M.MADV_WIPEONFORK:
      if (!vma.isAnonymous || vma.isShared) return -EINVAL;
      return changeFlags(mm, start, end, 0, V.VM_WIPEONFORK);
    case M.MADV_NORMAL:
      return changeFlags(mm, start, end, V.VM_SEQUENTIAL | V.VM_RANDOM, 0);
    case M.MADV_SEQUENTIAL:
      return changeFlags(mm, start, end, V.VM_RANDOM, V.VM_SEQUENTIAL);
    case M.MADV_RANDOM:
      return changeFlags(mm, start, end, V.VM_SEQUENTIAL, V.VM_RANDOM);
    case M.MADV_KEEPONFORK:
      if ((vma.flags & V.VM_DROPPABLE) !== 0) return -EINVAL;
      return changeFlags(mm, start, end, V.VM_WIPEONFORK, 0);
    case M.MADV_DONTFORK:
      return changeFlags(mm, start, end, 0, V.VM_DONTFORK);
    case M.MADV_DOFORK:
      if ((vma.flags & V.VM_SPECIAL) !== 0) return -EINVAL;
      return changeFlags(mm, start, end, V.VM_DONTFORK, 0);
    case M.MADV_DONTDUMP:
      return changeFlags(mm, start, end, 0, V.VM_DONTDUMP);
    case M.MADV_DODUMP:
      if ((vma.flags & V.VM_DROPPABLE) !== 0) return -EINVAL;
      return changeFlags(mm, start, end, V.VM_DONTDUMP, 0);
    case M.MADV_MERGEABLE:
      return changeFlags(mm, start, end, 0, V.VM_MERGEABLE);
    case M.MADV_UNMERGEABLE:
      return changeFlags(mm, start, end, V.VM_MERGEABLE, 0);
    case M.MADV_HUGEPAGE:
      return changeFlags(mm, start, end, V.VM_NOHUGEPAGE, V.VM_HUGEPAGE);
    case M.MADV_NOHUGEPAGE:
      return changeFlags(mm, start, end, V.VM_HUGEPAGE, V.VM_NOHUGEPAGE);
    case M.MADV_COLD:
    case M.MADV_PAGEOUT: {
      if ((vma.flags & V.VM_LOCKED) !== 0) return -EINVAL;
      // There is no swap: only droppable memory is discarded.
      const isDropped = advice === M.MADV_PAGEOUT && (vma.flags & V.VM_DROPPABLE) !== 0;
      return isDropped && vma.userfault === null ? discard(mm, vma, start, end) : 0;
    }
    default:
      return 0; // MADV_WILLNEED: there is nothing to read ahead
  }
}

function changeFlags(
  mm: MemoryManager,
  start: number,
  end: number,
  clear: number,
  set: number,
): number {
  if (!mm.vmas.maySplit(start, end)) return -EAGAIN;
  const first = mm.vmas.splitAt(start), last = mm.vmas.splitAt(end);
  for (let i = first; i < last; i++) {
    const vma = mm.vmas.at(i);
    vma.flags = vma.flags & ~clear | set;
  }
  return 0;
}

/**
 * MADV_DONTNEED: private memory reads as zeros, or as its file, again. Shared memory keeps its
 * contents.
 */
function discard(mm: MemoryManager, vma: V.Vma, start: number, end: number): number {
  recordDiscard(mm, vma, start, end);
  if (vma.isShared && vma.userfault === null) return 0;
  const from = start / PAGE_SIZE, to = end / PAGE_SIZE;
  const mayStay = vma.backing === null && vma.userfault === null;
  if (mayStay && to - from <= PUNCH_PAGES && punchOwn(mm, from, to)) return 0;
  // The watch marks of shared memory stay.
  const watched = vma.isShared ? watchedRuns(mm, from, to) : [];
  dropPages(mm, from, to);
  for (let k = 0; k < watched.length; k += 2) watchHoles(mm, watched[k]!, watched[k + 1]!);
  if (vma.isDirect) {
    const offset = start - vma.start + vma.offset;
    mm.space.mapFile(start, end - start, vma.backing!.platformFile, offset, vma.directProt);
  } else {
    mm.space.unmap(start, end - start);
  }
  mm.finishChange();
  return 0;
}

/**
 * Zeroes frames without other users in place. False, with nothing changed, when some are shared.
 */
function punchOwn(mm: MemoryManager, from: number, to: number): boolean {
  const map = mm.pages, { frames, arena } = mm.ctx, first = map.indexOf(from);
  for (let i = first; i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) < 0) return false;
    const a = Math.max(from, map.start(i)), b = Math.min(to, map.end(i));
    const delta = map.frame(i) - map.start(i);
    for (let page = a; page < b; page++) {
      if (frames.refs((page + delta) * PAGE_SIZE) !== 1) return false;
    }
  }
  for (let i = first; i < map.length && map.start(i) < to; i++) {
    const a = Math.max(from, map.start(i)), b = Math.min(to, map.end(i));
    const frame = map.frame(i) + a - map.start(i);
    if (arena.punch(frame * PAGE_SIZE, (b - a) * PAGE_SIZE) < 0) return false;
  }
  return true;
}

/** MADV_REMOVE: makes a hole in the file of shared memory. */
function removeFromFile(mm: MemoryManager, vma: V.Vma, start: number, end: number): number {
  if ((vma.flags & V.VM_LOCKED) !== 0 || vma.backing === null) return -EINVAL;
  if (!vma.isShared || (vma.maxProt & PROT_WRITE) === 0) return -EACCES;
  recordDiscard(mm, vma, start, end);
  const r = vma.backing.punch(start - vma.start + vma.offset, end - start);
  if (vma.userfault !== null) {
    dropPages(mm, start / PAGE_SIZE, end / PAGE_SIZE);
    mm.space.unmap(start, end - start);
    mm.finishChange();
  }
  mm.flushTlb();
  return r;
}

/** MADV_POPULATE_*: faults every page in. */
function populate(
  mm: MemoryManager,
  vma: V.Vma,
  start: number,
  end: number,
  isWrite: boolean,
): number {
  if ((vma.prot & (isWrite ? PROT_WRITE : PROT_READ)) === 0) return -EINVAL;
  const access = isWrite ? ACCESS_WRITE : ACCESS_READ;
  for (let page = start / PAGE_SIZE; page < end / PAGE_SIZE;) {
    const host = resolvePage(mm, page, access);
    if (host < 0) {
      if (mm.pages.isPoisoned(page)) return -EHWPOISON;
      return mm.vmas.find(page * PAGE_SIZE) ? -EFAULT : -ENOMEM;
    }
    const n = Math.min(mm.runPages, end / PAGE_SIZE - page);
    if (vma.isAnonymous) touchPages(mm, host, n);
    page += n;
  }
  return 0;
}
