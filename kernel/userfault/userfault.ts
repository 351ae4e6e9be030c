/**
 * The handler of faults of some areas: the state behind a descriptor of userfaultfd(2). A fault
 * waits in a queue of its own until a thread has put the page there and wakes it, or the area has
 * no handler any more.
 *
 * Neighbours: mm/ask_handler.ts (when it is asked), userfault_pages.ts (what it does to pages),
 * userfault_events.ts (its other events), task/await_fault.ts (the waiters),
 * userfault/userfault_file.ts (the descriptor).
 */

import {
  UFFD_FEATURE_EXACT_ADDRESS,
  UFFD_FEATURE_SIGBUS,
  UFFD_USER_MODE_ONLY,
} from "../../ffi/abi/userfaultfd.ts";
import { WaitQueue } from "../core/wait.ts";
import { PAGE_SIZE } from "../mm/frames.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";

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

/**
 * What a monitor hears of a change of the memory that it handles; whoever made the change waits
 * until it is read.
 */
export class MonitorEvent {
  readonly handler: Userfault;
  /** UFFD_EVENT_*. */
  readonly kind: number;
  /** Addresses and lengths, as the message has them. */
  readonly words: readonly number[];
  /** UFFD_EVENT_FORK: who handles the child's faults. */
  readonly child: Userfault | null;
  readonly queue: WaitQueue = new WaitQueue();
  isRead: boolean = false;

  constructor(
    handler: Userfault,
    kind: number,
    words: readonly number[],
    child: Userfault | null = null,
  ) {
    this.handler = handler;
    this.kind = kind;
    this.words = words;
    this.child = child;
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
  /** Of userfaultfd(2). */
  readonly flags: number;
  /** The descriptor is gone. */
  isReleased: boolean = false;
  /** Not read yet, and read, in order of arrival. */
  private pending: PendingFault[] = [];
  private taken: PendingFault[] = [];
  private events: MonitorEvent[] = [];

  constructor(mm: MemoryManager, flags: number) {
    this.mm = mm;
    this.flags = flags;
  }

  /** Faults are signals, and errors of calls. */
  get isSignalling(): boolean {
    return (this.features & UFFD_FEATURE_SIGBUS) !== 0;
  }
  /** A call that meets one of its pages waits for it too. */
  get servesCalls(): boolean {
    return (this.flags & UFFD_USER_MODE_ONLY) === 0 && !this.isSignalling;
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

  /** A task is going to wait in the event's queue; then readers are told (`queue`). */
  announce(event: MonitorEvent): void {
    if (!this.events.includes(event)) this.events.push(event);
  }

  /** Memory changes, and the monitor has not heard of it: nothing may be put there. */
  get isChanging(): boolean {
    return this.events.some(isWaitedFor);
  }
  get hasPending(): boolean {
    return this.pending.some(isWaitedFor) || this.isChanging;
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

  /** The oldest event that is not read yet, or null: it stays until `heard`. */
  get event(): MonitorEvent | null {
    this.events = this.events.filter(isWaitedFor);
    return this.events[0] ?? null;
  }
  /** Whoever made the change goes on. */
  heard(event: MonitorEvent): void {
    this.events = this.events.filter((e) => e !== event);
    event.isRead = true;
    event.queue.wake(0);
  }

  /** The descriptor is gone. */
  release(): void {
    this.isReleased = true;
    for (const event of this.events) event.queue.wake(0);
    this.events = [];
    this.wake(0, Infinity);
  }

  /** Who waits for a page in [start, end) tries again. */
  wake(start: number, end: number): void {
    this.pending = wakeRange(this.pending, start, end);
    this.taken = wakeRange(this.taken, start, end);
  }
}

function isWaitedFor(fault: PendingFault | MonitorEvent): boolean {
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
