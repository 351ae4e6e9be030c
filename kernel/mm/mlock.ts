/**
 * mlock(2) and mlockall(2): areas are marked and counted, and their pages get memory; what the host does with that
 * memory is not asked for, as guest memory is never swapped by the Sentry.
 */

import { EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT } from "../../ffi/abi/mman.ts";
import { load8 } from "../../ffi/mem/native_memory.ts";
import { ACCESS_READ, ACCESS_WRITE, PROT_WRITE } from "../../platform/platform.ts";
import { resolvePage } from "./fault.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { TURN_TOUCHED } from "./slices.ts";
import { VM_LOCKED, VM_LOCKONFAULT, type Vma } from "./vma.ts";

const LOCK_BITS = VM_LOCKED | VM_LOCKONFAULT;

/**
 * What mlock2(2) and munlock(2) fail with, before anything is changed, or where the range ends:
 * `lockStart` if it is empty.
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

/** An address that is not aligned is rounded down. */
export function lockStart(addr: number): number {
  return isPageAligned(addr) ? addr : Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
}

export function lockBits(flags: number, lock: boolean): number {
  return lock ? VM_LOCKED | (flags & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0) : 0;
}

/** Where the range ends, or -errno. A length that wraps to nothing is accepted. */
function lockEnd(mm: MemoryManager, addr: number, len: number): number {
  const start = lockStart(addr);
  const span = pageUp(len + (addr - start));
  const end = start + (span < 2 ** 64 ? span : span - 2 ** 64);
  if (end < start || end > 2 ** 64) return -EINVAL;
  return end > mm.layout.maxAddress ? -ENOMEM : end;
}

/** The limit counts what is not locked already. */
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
 * Mark areas: -ENOMEM when a part is not mapped (unless `isAll`); what comes before it is changed.
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
 * Give the pages of [page, end) memory, some of them: the page to go on with, or -ENOMEM where one cannot be had. With
 * `isAll`, what cannot be had and what is not mapped is passed over.
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

/** Pages from `page` on, up to `end`, that have memory now; 0: none can be had. */
function fillRun(mm: MemoryManager, vma: Vma, page: number, end: number): number {
  if (vma.isSecret) return 0;
  const isWrite = (vma.prot & PROT_WRITE) !== 0 && !vma.isShared;
  const host = resolvePage(mm, page, isWrite ? ACCESS_WRITE : ACCESS_READ);
  if (host < 0) return 0;
  const n = Math.min(mm.runPages, end - page);
  touchPages(mm, host, n);
  return n;
}

/** Pages at this address of the arena count as touched (touched.ts) from now on. */
export function touchPages(mm: MemoryManager, host: number, pages: number): void {
  const { arena, frames } = mm.ctx;
  for (let k = 0; k < pages; k++) {
    load8(host + k * PAGE_SIZE);
    frames.markRecycled((host - arena.base) / PAGE_SIZE + k, false);
  }
}

/**
 * mlockall(2) without the areas that there are: `markLocked` changes those, with the bits that are
 * returned; or -errno.
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
