/**
 * Who handles the faults of some areas: the state behind a descriptor of userfaultfd(2). A fault waits in a queue of
 * its own until somebody has put the page there and says so, or nobody handles the area any more.
 *
 * Neighbours: userfault_pages.ts (what the handler does to pages), task/await_fault.ts (who waits),
 * fs/anonfd/userfault_file.ts (the descriptor).
 */

import {
  UFFD_FEATURE_EXACT_ADDRESS,
  UFFD_FEATURE_SIGBUS,
  UFFD_PAGEFAULT_FLAG_MINOR,
  UFFD_PAGEFAULT_FLAG_WRITE,
  UFFD_USER_MODE_ONLY,
} from "../../ffi/abi/userfaultfd.ts";
import { EFAULT } from "../../ffi/abi/errno.ts";
import { WaitQueue } from "../core/wait.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { pageUp } from "./region.ts";
import { VM_UFFD_MINOR, VM_UFFD_MISSING, type Vma } from "./vma.ts";

/** What a look for a page gives when its handler has to be asked. */
export const AWAITED = 2;

/** The fault that an access just met: `handler` is null when there was none. */
export class AwaitedFault {
  handler: Userfault | null = null;
  page: number = 0;
  /** As the guest's instruction had it, or the start of the page. */
  address: number = 0;
  /** UFFD_PAGEFAULT_FLAG_*. */
  flags: number = 0;
}

/** A fault that somebody waits for: over as soon as nobody does. */
export class PendingFault {
  readonly page: number;
  readonly address: number;
  readonly flags: number;
  readonly tid: number;
  readonly queue: WaitQueue = new WaitQueue();

  constructor(fault: AwaitedFault, address: number, tid: number) {
    this.page = fault.page;
    this.address = address;
    this.flags = fault.flags;
    this.tid = tid;
  }
}

export class Userfault {
  /** The memory of whoever called userfaultfd(2), whoever has the descriptor now. */
  readonly mm: MemoryManager;
  /** UFFD_FEATURE_*. */
  features: number = 0;
  /** UFFDIO_API was done. */
  isReady: boolean = false;
  /** Readers of the descriptor. */
  readonly queue: WaitQueue = new WaitQueue();
  private readonly isUserOnly: boolean;
  /** Not read yet, and read, in order of arrival. */
  private pending: PendingFault[] = [];
  private taken: PendingFault[] = [];

  constructor(mm: MemoryManager, flags: number) {
    this.mm = mm;
    this.isUserOnly = (flags & UFFD_USER_MODE_ONLY) !== 0;
  }

  /** Faults are signals, and errors of calls. */
  get isSignalling(): boolean {
    return (this.features & UFFD_FEATURE_SIGBUS) !== 0;
  }
  /** A call that meets one of its pages waits for it too. */
  get servesCalls(): boolean {
    return !this.isUserOnly && !this.isSignalling;
  }

  /** A task is going to wait in the queue of the result; then readers are told (`queue`). */
  add(fault: AwaitedFault, tid: number): PendingFault {
    const isExact = (this.features & UFFD_FEATURE_EXACT_ADDRESS) !== 0;
    const address = isExact ? fault.address : fault.page * PAGE_SIZE;
    const entry = new PendingFault(fault, address, tid);
    this.pending = this.pending.filter(isWaitedFor);
    this.taken = this.taken.filter(isWaitedFor);
    this.pending.push(entry);
    return entry;
  }

  get hasPending(): boolean {
    return this.pending.some(isWaitedFor);
  }
  /** How many wait, unread and in all. */
  get counts(): { pending: number; total: number } {
    const pending = this.pending.filter(isWaitedFor).length;
    return { pending, total: pending + this.taken.filter(isWaitedFor).length };
  }

  /** The oldest fault that was not read yet, or null. */
  take(): PendingFault | null {
    for (let f = this.pending.shift(); f !== undefined; f = this.pending.shift()) {
      if (!isWaitedFor(f)) continue;
      this.taken.push(f);
      return f;
    }
    return null;
  }

  /** Who waits for a page in [start, end) tries again. */
  wake(start: number, end: number): void {
    this.pending = wakeRange(this.pending, start, end);
    this.taken = wakeRange(this.taken, start, end);
  }
}

function isWaitedFor(fault: PendingFault): boolean {
  return !fault.queue.isEmpty;
}

function wakeRange(faults: PendingFault[], start: number, end: number): PendingFault[] {
  const left: PendingFault[] = [];
  for (const fault of faults) {
    const at = fault.page * PAGE_SIZE;
    if (at < start || at >= end) left.push(fault);
    else fault.queue.wake(0);
  }
  return left;
}

/** A page that is not there, in an area with a handler: AWAITED, 0 when it is made as usual, -EFAULT behind the end. */
export function askForMissing(
  mm: MemoryManager,
  vma: Vma,
  page: number,
  isWrite: boolean,
): number {
  const { backing, flags } = vma, write = isWrite ? UFFD_PAGEFAULT_FLAG_WRITE : 0;
  if (backing !== null) {
    const offset = page * PAGE_SIZE - vma.start + vma.offset;
    if (offset >= pageUp(backing.size())) return -EFAULT;
    if (backing.has(offset)) {
      if ((flags & VM_UFFD_MINOR) === 0) return 0;
      return askHandler(mm, vma, page, write | UFFD_PAGEFAULT_FLAG_MINOR);
    }
  }
  return (flags & VM_UFFD_MISSING) === 0 ? 0 : askHandler(mm, vma, page, write);
}

/** Note the fault for whoever is going to wait. */
export function askHandler(mm: MemoryManager, vma: Vma, page: number, flags: number): number {
  const { awaited } = mm.ctx;
  awaited.handler = vma.userfault;
  awaited.page = page;
  awaited.address = page * PAGE_SIZE;
  awaited.flags = flags;
  return AWAITED;
}
