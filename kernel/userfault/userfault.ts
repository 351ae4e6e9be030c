/**
 * The handler of faults of some areas: the state behind a descriptor of userfaultfd(2). A fault
 * waits in a queue of its own until a thread supplies the page and wakes it, or the area has no
 * handler any more.
 *
 * Neighbours: mm/ask_handler.ts (finds the handler of a fault), userfault_pages.ts (changes pages),
 * userfault_events.ts (other events), task/await_fault.ts (the waiters),
 * userfault/userfault_file.ts (the descriptor).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import {
  UFFD_FEATURE_EXACT_ADDRESS,
  UFFD_FEATURE_SIGBUS,
  UFFD_USER_MODE_ONLY,
} from "../../ffi/abi/userfaultfd.ts";
import { WaitQueue } from "../core/wait.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";

/** The fault of the last access; `handler` is null when there was none. */
export class AwaitedFault {
  handler: Userfault | null = null;
  page: number = 0;
  /** The address that the instruction used, or the start of the page. */
  address: number = 0;
  /** UFFD_PAGEFAULT_FLAG_*. */
  flags: number = 0;
}

/** A fault with waiters. It ends when no task waits. */
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
 * A change of the handled memory, reported to the monitor. The task that made the change waits
 * until the event is read.
 */
export class MonitorEvent {
  readonly handler: Userfault;
  /** UFFD_EVENT_*. */
  readonly kind: number;
  /** Addresses and lengths, as in the message. */
  readonly words: readonly number[];
  /** UFFD_EVENT_FORK: the handler of the child's faults. */
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
  /** The memory of the caller of userfaultfd(2), whatever process has the descriptor now. */
  readonly mm: MemoryManager;
  /** UFFD_FEATURE_*. */
  features: number = 0;
  /** UFFDIO_API has been called. */
  isReady: boolean = false;
  /** Woken for readers of the descriptor. */
  readonly queue: WaitQueue = new WaitQueue();
  /** Flags of userfaultfd(2). */
  readonly flags: number;
  /** The descriptor is closed. */
  isReleased: boolean = false;
  /** Faults in order of arrival, unread and read. */
  private pending: PendingFault[] = [];
  private taken: PendingFault[] = [];
  private events: MonitorEvent[] = [];

  constructor(mm: MemoryManager, flags: number) {
    this.mm = mm;
    this.flags = flags;
  }

  /** UFFD_FEATURE_SIGBUS: faults are signals, and errors of calls. */
  get isSignalling(): boolean {
    return (this.features & UFFD_FEATURE_SIGBUS) !== 0;
  }
  /** A call that faults on one of its pages waits too. */
  get servesCalls(): boolean {
    return (this.flags & UFFD_USER_MODE_ONLY) === 0 && !this.isSignalling;
  }

  /**
   * Adds a fault. The caller makes its task wait in the queue of the result, then wakes readers
   * (`queue`).
   */
  add(fault: AwaitedFault, tid: number): PendingFault {
    const isExact = (this.features & UFFD_FEATURE_EXACT_ADDRESS) !== 0;
    const address = isExact ? fault.address : fault.page * PAGE_SIZE;
    const entry = new PendingFault(fault, address, tid);
    this.pending = this.pending.filter(isWaitedFor);
    this.taken = this.taken.filter(isWaitedFor);
    this.pending.push(entry);
    return entry;
  }

  /**
   * Adds an event. The caller makes its task wait in the event's queue, then wakes readers
   * (`queue`).
   */
  announce(event: MonitorEvent): void {
    if (!this.events.includes(event)) this.events.push(event);
  }

  /** The memory changes and the event is unread: no page may be placed. */
  get isChanging(): boolean {
    return this.events.some(isWaitedFor);
  }
  get hasPending(): boolean {
    return this.pending.some(isWaitedFor) || this.isChanging;
  }
  /** Numbers of waiting faults: unread, and all. */
  get counts(): { pending: number; total: number } {
    const pending = this.pending.filter(isWaitedFor).length;
    return { pending, total: pending + this.taken.filter(isWaitedFor).length };
  }

  /** Takes the oldest unread fault, or null. */
  take(): PendingFault | null {
    for (let f = this.pending.shift(); f !== undefined; f = this.pending.shift()) {
      if (!isWaitedFor(f)) continue;
      this.taken.push(f);
      return f;
    }
    return null;
  }

  /** The oldest unread event, or null. It stays until `onEventRead` is called. */
  get event(): MonitorEvent | null {
    this.events = this.events.filter(isWaitedFor);
    return this.events[0] ?? null;
  }
  /** The event was read: wakes the task that made the change. */
  onEventRead(event: MonitorEvent): void {
    this.events = this.events.filter((e) => e !== event);
    event.isRead = true;
    event.queue.wake(0);
  }

  /** Called when the descriptor is closed: all waits for its monitor end. */
  release(): void {
    this.isReleased = true;
    for (const event of this.events) event.queue.wake(0);
    this.events = [];
    this.wake(0, Infinity);
  }

  /** Wakes the tasks that wait for a page in [start, end). */
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
