/**
 * madvise(2), mseal(2), msync(2), mincore(2), mlock(2) and their variants. Decodes arguments;
 * kernel/mm does the work.
 */

import { RLIMIT_MEMLOCK } from "../../../ffi/abi/resource.ts";
import { EFAULT, EINVAL, ENOMEM, EPERM } from "../../../ffi/abi/errno.ts";
import {
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MLOCK_ONFAULT,
  PAGE_SIZE,
} from "../../../ffi/abi/mman.ts";
import { CAP_IPC_LOCK } from "../../../ffi/abi/capability.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { adviseEnd } from "../../mm/madvise.ts";
import { checkLock, fillPages, lockBits, lockStart, markLocked, mlockall } from "../../mm/mlock.ts";
import { mincore, msync, msyncEnd, SyncRun } from "../../mm/residency.ts";
import { isOneSlice, sliceEnd, TURN_TOUCHED } from "../../mm/slices.ts";
import { awaitChange } from "../../task/await_change.ts";
import type { Task } from "../../task/task.ts";
import { adviseSlices, RangeWork, rangeWork } from "./ranges.ts";

/** madvise(2). HOT */
export function sysMadvise(t: Task, a: SyscallArgs): number {
  const { mm } = t, start = a.u64(0), len = a.u64(1), advice = a.i32(2);
  const isShort = advice !== MADV_POPULATE_READ && advice !== MADV_POPULATE_WRITE ||
    len <= TURN_TOUCHED * PAGE_SIZE;
  if (isShort && t.progress.object === null && isOneSlice(mm, start, start + len)) {
    return mm.madvise(start, len, advice);
  }
  let work = rangeWork(t);
  if (work === null) {
    const end = adviseEnd(mm, start, len, advice);
    if (end < 0) return end;
    work = new RangeWork(start, end);
  }
  return adviseSlices(t, mm, work, advice);
}

/**
 * msync(2), some areas a turn: `progress.value` is the next address, `progress.done` 1 behind a
 * hole.
 */
export function sysMsync(t: Task, a: SyscallArgs): number {
  const { progress, mm } = t, start = a.u64(0), flags = a.i32(2);
  const end = msyncEnd(mm, start, a.u64(1), flags);
  if (end < 0) return end;
  if (progress.step === 0) progress.value = start;
  progress.step = 1;
  const found = new SyncRun();
  const r = msync(mm, progress.value, end, flags, found);
  if (found.hasHole) progress.done = 1;
  if (r < 0) return r;
  if (found.next >= end) return progress.done === 0 ? 0 : -ENOMEM;
  progress.value = found.next;
  return continueLock(t);
}

export function sysMseal(t: Task, a: SyscallArgs): number {
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  return a.u64(2) !== 0 ? -EINVAL : t.mm.mseal(a.u64(0), a.u64(1));
}

/** mincore(2), some pages a turn: `progress.done` pages have their byte. */
export function sysMincore(t: Task, a: SyscallArgs): number {
  const { progress, mm } = t, r = mincore(mm, a.u64(0), a.u64(1), a.u64(2), progress.done);
  if (r <= 0) return r;
  progress.done = r;
  return continueLock(t);
}

/** Linux first checks whether this process may lock any memory. */
function mayLock(t: Task): boolean {
  const mayLockAll = hasCap(t.cred, CAP_IPC_LOCK);
  t.mm.limits.memlock = t.group.limits.get(RLIMIT_MEMLOCK);
  t.mm.limits.mayLockAll = mayLockAll;
  return mayLockAll || t.mm.limits.memlock > 0;
}

/**
 * Steps of a lock: marks areas, then allocates their pages. `progress.value` is the next address or
 * page.
 */
const MARKING = 1, FILLING = 2;

function lock(t: Task, addr: number, len: number, flags: number): number {
  const { progress, mm } = t;
  if (progress.step === FILLING) return fill(t, Math.ceil((addr + len) / PAGE_SIZE), false);
  if (progress.step === 0) {
    const end = mayLock(t) ? checkLock(mm, addr, len, flags, true) : -EPERM;
    if (end <= lockStart(addr)) return Math.min(0, end);
    progress.object = new RangeWork(lockStart(addr), end);
    progress.step = MARKING;
  }
  const r = markAreas(t, lockBits(flags, true), false);
  if (r !== 0) return r;
  progress.step = FILLING;
  progress.value = Math.floor(addr / PAGE_SIZE);
  // A length that wraps to nothing is accepted, and locks nothing.
  return addr + len >= 2 ** 64 ? 0 : fill(t, Math.ceil((addr + len) / PAGE_SIZE), false);
}

/** Marks the areas of the range in `progress.object`: 0, -errno or BLOCK. */
function markAreas(t: Task, bits: number, isAll: boolean): number {
  const work = rangeWork(t)!, { mm } = t;
  const to = sliceEnd(mm, work.next, work.end);
  const r = markLocked(mm, work.next, to, bits, isAll);
  work.next = to;
  return r < 0 || to === work.end ? r : continueLock(t);
}

function fill(t: Task, end: number, isAll: boolean): number {
  const { progress } = t, next = fillPages(t.mm, progress.value, end, isAll);
  if (next < 0) return t.kernel.memory.awaited.handler === null ? next : -EFAULT;
  progress.value = next;
  return next < end ? continueLock(t) : 0;
}

/**
 * Continues in another turn. A signal does not interrupt: the call would start again, and perhaps
 * never end.
 */
function continueLock(t: Task): number {
  t.uninterruptible = true;
  return t.yieldTurn();
}

export function sysMlock(t: Task, a: SyscallArgs): number {
  return lock(t, a.u64(0), a.u64(1), 0);
}

export function sysMlock2(t: Task, a: SyscallArgs): number {
  const flags = a.i32(2);
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  return lock(t, a.u64(0), a.u64(1), flags);
}

export function sysMunlock(t: Task, a: SyscallArgs): number {
  const { progress, mm } = t, start = lockStart(a.u64(0));
  if (progress.step === 0) {
    const end = checkLock(mm, a.u64(0), a.u64(1), 0, false);
    if (end <= start) return Math.min(0, end);
    progress.object = new RangeWork(start, end);
    progress.step = MARKING;
  }
  return markAreas(t, 0, false);
}

export function sysMlockall(t: Task, a: SyscallArgs): number {
  const flags = a.i32(0), { mm, progress } = t;
  if (flags === 0 || flags === MCL_ONFAULT) return -EINVAL;
  if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  const end = mm.layout.maxAddress;
  if (progress.step === FILLING) return fill(t, end / PAGE_SIZE, true);
  if (progress.step === 0) {
    if (!mayLock(t)) return -EPERM;
    const bits = mlockall(mm, flags);
    if (bits < 0 || (flags & MCL_CURRENT) === 0) return Math.min(0, bits);
    progress.done = bits;
    progress.object = new RangeWork(0, end);
    progress.step = MARKING;
  }
  const r = markAreas(t, progress.done, true);
  if (r !== 0) return r;
  progress.step = FILLING;
  return fill(t, end / PAGE_SIZE, true);
}

export function sysMunlockall(t: Task, _a: SyscallArgs): number {
  const { progress, mm } = t;
  if (progress.step === 0) {
    mm.futureFlags = 0;
    progress.object = new RangeWork(0, mm.layout.maxAddress);
    progress.step = MARKING;
  }
  return markAreas(t, 0, true);
}
