/** mlock(2) and mlockall(2): accounting only, as guest memory is never swapped by the Sentry. */

import { EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT } from "../../ffi/abi/mman.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { VM_LOCKED, VM_LOCKONFAULT } from "./vma.ts";

const LOCK_BITS = VM_LOCKED | VM_LOCKONFAULT;

/** mlock2(2) and munlock(2). An address that is not aligned is rounded down. */
export function mlock(
  mm: MemoryManager,
  addr: number,
  len: number,
  flags: number,
  lock: boolean,
): number {
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  if (lock && !mm.limits.mayLockAll && mm.limits.memlock === 0) return -EPERM;
  const start = isPageAligned(addr) ? addr : Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
  const end = start + pageUp(len + (addr - start));
  if (end > mm.layout.maxAddress) return lock ? -ENOMEM : -EINVAL;
  if (start === end) return 0;
  const bits = lock ? VM_LOCKED | (flags & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0) : 0;
  if (lock && !fits(mm, start, end)) return -ENOMEM;
  return setBits(mm, start, end, bits);
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

/** -ENOMEM when a part is not mapped; what comes before it is changed. */
function setBits(mm: MemoryManager, start: number, end: number, bits: number): number {
  let at = start;
  const first = mm.vmas.splitAt(start), last = mm.vmas.splitAt(end);
  for (let i = first; i < last; i++) {
    const vma = mm.vmas.at(i), pages = (vma.end - vma.start) / PAGE_SIZE;
    if (vma.start !== at) break;
    at = vma.end;
    if (vma.isSecret) continue;
    mm.counters.charge(vma, pages, -1);
    vma.flags = vma.flags & ~LOCK_BITS | bits;
    mm.counters.charge(vma, pages, 1);
  }
  mm.vmas.mergeAround(start, end);
  return at < end ? -ENOMEM : 0;
}

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
  if (isCurrent) setAll(mm, bits);
  return 0;
}

export function munlockall(mm: MemoryManager): number {
  mm.futureFlags = 0;
  setAll(mm, 0);
  return 0;
}

function setAll(mm: MemoryManager, bits: number): void {
  for (const vma of mm.vmas.list) {
    if (vma.isSecret) continue;
    const pages = (vma.end - vma.start) / PAGE_SIZE;
    mm.counters.charge(vma, pages, -1);
    vma.flags = vma.flags & ~LOCK_BITS | bits;
    mm.counters.charge(vma, pages, 1);
  }
  mm.vmas.mergeAround(0, mm.layout.maxAddress);
}
