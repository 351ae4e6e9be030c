/**
 * The sizes of a process's memory in pages, as /proc/PID/statm and status show them, and the limits
 * that they are compared with (getrlimit(2)).
 */

import { PAGE_SIZE, PROT_EXEC, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { VM_GROWSDOWN, VM_LOCKED, VM_SHARED, type Vma } from "./vma.ts";

/** Soft limits in bytes; the owner of the rlimits keeps them current. */
export class MemoryLimits {
  as: number = Infinity;
  data: number = Infinity;
  stack: number = 8 << 20;
  memlock: number = 8 << 20;
  /** CAP_IPC_LOCK: RLIMIT_MEMLOCK does not count. */
  mayLockAll: boolean = false;
}

export class MemoryCounters {
  total: number = 0;
  locked: number = 0;
  /** Private writable memory that is not a stack. */
  data: number = 0;
  stack: number = 0;
  exec: number = 0;
  /** Highest `total` so far. */
  peak: number = 0;

  copyFrom(other: MemoryCounters): void {
    this.total = other.total;
    this.data = other.data;
    this.stack = other.stack;
    this.exec = other.exec;
    this.peak = other.peak;
  }

  /** Adds (`sign` 1) or subtracts (`sign` -1) `pages` pages of an area. */
  charge(vma: Vma, pages: number, sign: number): void {
    const n = pages * sign;
    this.total += n;
    if (this.total > this.peak) this.peak = this.total;
    if ((vma.flags & VM_LOCKED) !== 0) this.locked += n;
    if ((vma.flags & VM_GROWSDOWN) !== 0) this.stack += n;
    else if (isData(vma.flags, vma.prot)) this.data += n;
    if ((vma.prot & PROT_EXEC) !== 0 && (vma.prot & PROT_WRITE) === 0) this.exec += n;
  }
}

/** Whether an area counts against RLIMIT_DATA. */
export function isData(flags: number, prot: number): boolean {
  return (flags & (VM_SHARED | VM_GROWSDOWN)) === 0 && (prot & PROT_WRITE) !== 0;
}

/** Whether `pages` more pages of such an area may be mapped (may_expand_vm). */
export function mayExpand(
  counters: MemoryCounters,
  limits: MemoryLimits,
  flags: number,
  prot: number,
  pages: number,
): boolean {
  if ((counters.total + pages) * PAGE_SIZE > limits.as) return false;
  return !isData(flags, prot) || (counters.data + pages) * PAGE_SIZE <= limits.data;
}

/** Whether `pages` more pages may be locked. */
export function mayLock(counters: MemoryCounters, limits: MemoryLimits, pages: number): boolean {
  return limits.mayLockAll || (counters.locked + pages) * PAGE_SIZE <= limits.memlock;
}
