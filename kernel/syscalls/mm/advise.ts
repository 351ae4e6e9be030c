/** madvise(2), mseal(2), msync(2), mincore(2), mlock(2) and their sisters. Thin: kernel/mm does it. */

import { EFAULT, EINVAL, ENOMEM, EPERM } from "../../../ffi/abi/errno.ts";
import { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT } from "../../../ffi/abi/mman.ts";
import { CAP_IPC_LOCK } from "../../../ffi/abi/capability.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { RLIMIT_MEMLOCK } from "../../task/limits.ts";
import { fillPages } from "../../mm/mlock.ts";
import type { Task } from "../../task/task.ts";

const PAGE = 4096;

/** madvise(2). HOT */
export function sysMadvise(t: Task, a: SyscallArgs): number {
  return t.mm.madvise(a.u64(0), a.u64(1), a.i32(2));
}

export function sysMsync(t: Task, a: SyscallArgs): number {
  return t.mm.msync(a.u64(0), a.u64(1), a.i32(2));
}

export function sysMseal(t: Task, a: SyscallArgs): number {
  return a.u64(2) !== 0 ? -EINVAL : t.mm.mseal(a.u64(0), a.u64(1));
}

export function sysMincore(t: Task, a: SyscallArgs): number {
  return t.mm.mincore(a.u64(0), a.u64(1), a.u64(2));
}

/** Linux asks first whether this process may lock anything at all. */
function mayLock(t: Task): boolean {
  const mayLockAll = hasCap(t.cred, CAP_IPC_LOCK);
  t.mm.limits.memlock = t.group.limits.get(RLIMIT_MEMLOCK);
  t.mm.limits.mayLockAll = mayLockAll;
  return mayLockAll || t.mm.limits.memlock > 0;
}

/** Mark, then give memory to the pages, some of them a turn: `progress.value` is the next one. */
function lock(t: Task, addr: number, len: number, flags: number): number {
  const { progress } = t, first = Math.floor(addr / PAGE);
  if (progress.step === 0) {
    const r = mayLock(t) ? t.mm.mlock(addr, len, flags, true) : -EPERM;
    if (r < 0) return r;
    progress.step = 1;
    progress.value = first;
  }
  // A length that wraps to nothing was accepted, and locks nothing.
  return addr + len >= 2 ** 64 ? 0 : fill(t, Math.ceil((addr + len) / PAGE), false);
}

function fill(t: Task, end: number, isAll: boolean): number {
  const { progress } = t, next = fillPages(t.mm, progress.value, end, isAll);
  if (next < 0) return t.kernel.memory.awaited.handler === null ? next : -EFAULT;
  progress.value = next;
  return next < end ? t.yieldTurn() : 0;
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
  return t.mm.mlock(a.u64(0), a.u64(1), 0, false);
}

export function sysMlockall(t: Task, a: SyscallArgs): number {
  const flags = a.i32(0);
  if (flags === 0 || flags === MCL_ONFAULT) return -EINVAL;
  if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  const end = t.mm.layout.maxAddress / PAGE;
  if (t.progress.step === 1) return fill(t, end, true);
  if (!mayLock(t)) return -EPERM;
  const limits = t.mm.limits;
  const tooMuch = t.mm.counters.total * 4096 > limits.memlock;
  if ((flags & MCL_CURRENT) !== 0 && !limits.mayLockAll && tooMuch) return -ENOMEM;
  const r = t.mm.mlockall(flags);
  if (r < 0 || (flags & MCL_CURRENT) === 0) return r;
  t.progress.step = 1;
  return fill(t, end, true);
}

export function sysMunlockall(t: Task, _a: SyscallArgs): number {
  return t.mm.munlockall();
}
