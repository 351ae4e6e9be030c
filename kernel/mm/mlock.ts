/**
 * mlock(2), munlock(2) and mlockall(2): areas are marked and counted, and their pages get memory.
 * The host need not lock that memory, as the Sentry never swaps guest memory.
 * kernel/syscalls/mm/ranges.ts does large ranges in turns.
 */

import { EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import {
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MLOCK_ONFAULT,
  PAGE_SIZE,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { load8 } from "../../ffi/mem/native_memory.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../platform/platform.ts";
import { resolvePage } from "./fault.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { TURN_TOUCHED } from "./slices.ts";
import { VM_LOCKED, VM_LOCKONFAULT, type Vma } from "./vma.ts";

const LOCK_BITS = VM_LOCKED | VM_LOCKONFAULT;

/**
 * The checks of mlock2(2) and munlock(2): -errno, or the end of the range (`lockStart` if it is
 * empty). Changes nothing.
 */
export function checkLock(
  mm: MemoryManager,
  addr: number,
  len: number,
  flags: number,
  lock: boolean,
): number {
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  if (lock && !mm.limits.mayLockAll && mm.limits.memlock === 0) return -EPERM;
  const start = lockStart(addr), end = lockEnd(mm, addr, len);
  return end > start && lock && !fits(mm, start, end) ? -ENOMEM : end;
}

/** mlock2(2) and munlock(2) in one turn. */
export function mlock(
  mm: MemoryManager,
  addr: number,
  len: number,
  flags: number,
  lock: boolean,
): number {
  const start = lockStart(addr), end = checkLock(mm, addr, len, flags, lock);
  return end <= start ? Math.min(0, end) : markLocked(mm, start, end, lockBits(flags, lock), false);
}

/** The start of the range: the address, rounded down to a page. */
export function lockStart(addr: number): number {
  return isPageAligned(addr) ? addr : Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
}

/** The bits VM_LOCKED and VM_LOCKONFAULT of an area for flags of mlock2(2). */
export function lockBits(flags: number, lock: boolean): number {
  return lock ? VM_LOCKED | (flags & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0) : 0;
}

/** The end of the range, or -errno. A length that wraps to nothing is accepted. */
function lockEnd(mm: MemoryManager, addr: number, len: number): number {
  const start = lockStart(addr);
  const span = pageUp(len + (addr - start));
  const end = start + (span < 2 ** 64 ? span : span - 2 ** 64);
  if (end < start || end > 2 ** 64) return -EINVAL;
  return end > mm.layout.maxAddress ? -ENOMEM : end;
}

/** Whether the pages of the range that are not locked yet are within the limit. */
function fits(mm: MemoryManager, start: number, end: number): boolean {
  if (mm.limits.mayLockAll) return true;
  let pages = (end - start) / PAGE_SIZE;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length; i++) {
    const vma = mm.vmas.at(i);
    if (vma.start >= end) break;
    if ((vma.flags & VM_LOCKED) === 0) continue;
    pages -= (Math.min(end, vma.end) - Math.max(start, vma.start)) / PAGE_SIZE;
  }
  return (mm.counters.locked + pages) * PAGE_SIZE <= mm.limits.memlock;
}

/**
 * Sets or clears the lock bits of areas. -ENOMEM when a part is not mapped (unless `isAll`); the
 * areas before it are changed.
 */
export function markLocked(
  mm: MemoryManager,
  start: number,
  end: number,
  bits: number,
  isAll: boolean,
): number {
  if (!mm.vmas.maySplit(start, end)) return -ENOMEM;
  let at = start;
  const first = mm.vmas.splitAt(start), last = mm.vmas.splitAt(end);
  for (let i = first; i < last; i++) {
    const vma = mm.vmas.at(i), pages = (vma.end - vma.start) / PAGE_SIZE;
    if (vma.start !== at && !isAll) break;
    at = vma.end;
    if (vma.isNeverLocked) continue;
    mm.counters.charge(vma, pages, -1);
    vma.flags = vma.flags & ~LOCK_BITS | bits;
    mm.counters.charge(vma, pages, 1);
  }
  mm.vmas.mergeAround(start, end);
  return at < end && !isAll ? -ENOMEM : 0;
}

/**
 * Gives memory to some pages of [page, end): the page to continue with, or -ENOMEM where there is
 * none. With `isAll`, pages that cannot have memory or are not mapped are skipped.
 */
export function fillPages(mm: MemoryManager, page: number, end: number, isAll: boolean): number {
  let left = TURN_TOUCHED, at = page;
  while (at < end && left > 0) {
    const i = mm.vmas.indexOf(at * PAGE_SIZE);
    if (i === mm.vmas.length) return isAll ? end : -ENOMEM;
    const vma = mm.vmas.at(i), to = Math.min(end, vma.end / PAGE_SIZE);
    if (vma.start > at * PAGE_SIZE) {
      if (!isAll) return -ENOMEM;
      at = Math.min(end, vma.start / PAGE_SIZE);
    } else if ((vma.flags & VM_LOCKONFAULT) !== 0 || vma.isDirect) at = to;
    else {
      const n = fillRun(mm, vma, at, Math.min(to, at + left));
      if (n === 0 && !isAll) return -ENOMEM;
      left -= n;
      at = n === 0 ? to : at + n;
    }
  }
  return at;
}

/**
 * Gives memory to pages from `page` on, up to `end`: how many have it now; 0 when there is none.
 */
function fillRun(mm: MemoryManager, vma: Vma, page: number, end: number): number {
  if (vma.isSecret) return 0;
  const isWrite = (vma.prot & PROT_WRITE) !== 0 && !vma.isShared;
  const host = resolvePage(mm, page, isWrite ? ACCESS_WRITE : ACCESS_READ);
  if (host < 0) return 0;
  const n = Math.min(mm.runPages, end - page);
  touchPages(mm, host, n);
  return n;
}

/** Makes the pages at this host address count as touched (touched.ts). */
export function touchPages(mm: MemoryManager, host: number, pages: number): void {
  const { arena, frames } = mm.ctx;
  for (let k = 0; k < pages; k++) {
    load8(host + k * PAGE_SIZE);
    frames.pool.markRecycled((host - arena.base) / PAGE_SIZE + k, false);
  }
}

/**
 * The checks of mlockall(2), and its effect on future areas. Returns the bits that `markLocked`
 * then sets on the present ones, or -errno.
 */
export function mlockall(mm: MemoryManager, flags: number): number {
  if (flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  if (flags === MCL_ONFAULT) return -EINVAL;
  if (!mm.limits.mayLockAll && mm.limits.memlock === 0) return -EPERM;
  const isCurrent = (flags & MCL_CURRENT) !== 0;
  if (isCurrent && !mm.limits.mayLockAll && mm.counters.total * PAGE_SIZE > mm.limits.memlock) {
    return -ENOMEM;
  }
  const bits = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);
  mm.futureFlags = (flags & MCL_FUTURE) !== 0 ? bits : 0;
  return bits;
}
