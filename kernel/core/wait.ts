/**
 * Wait queues: lists of objects to wake when something changes. State is plain data: a queue holds
 * Waiter objects, never closures, so that checks can walk a live kernel.
 *
 * Subclasses of Waiter define what a wake-up does: a blocked task, an epoll item, a host
 * descriptor.
 */

/** An entry of a wait queue. It can be on one queue at a time. */
export abstract class Waiter {
  queue: WaitQueue | null = null;
  prev: Waiter | null = null;
  next: Waiter | null = null;
  /** The poll bits that it waits for; 0 means every wake-up. */
  mask: number = 0;
  /**
   * A wake-up reaches only the first of several exclusive waiters; other waiters are not affected.
   */
  exclusive: boolean = false;
  /** Set by `onWake` of an exclusive waiter that does not use the wake-up: the next one gets it. */
  declined: boolean = false;

  /**
   * Called with the event bits of a wake-up. It must not change entries of the same queue other
   * than itself.
   */
  abstract onWake(events: number): void;

  /** Leaves its queue, if it is on one. */
  unlink(): void {
    if (this.queue !== null) this.queue.remove(this);
  }
}

export class WaitQueue {
  private head: Waiter | null = null;
  private tail: Waiter | null = null;

  get isEmpty(): boolean {
    return this.head === null;
  }

  add(waiter: Waiter, mask: number): void {
    if (waiter.queue !== null) waiter.queue.remove(waiter);
    waiter.queue = this;
    waiter.mask = mask;
    waiter.prev = this.tail;
    waiter.next = null;
    if (this.tail === null) this.head = waiter;
    else this.tail.next = waiter;
    this.tail = waiter;
  }

  /** Adds a waiter in front of all others: it is woken first. */
  addFirst(waiter: Waiter, mask: number): void {
    if (waiter.queue !== null) waiter.queue.remove(waiter);
    waiter.queue = this;
    waiter.mask = mask;
    waiter.prev = null;
    waiter.next = this.head;
    if (this.head === null) this.tail = waiter;
    else this.head.prev = waiter;
    this.head = waiter;
  }

  remove(waiter: Waiter): void {
    if (waiter.queue !== this) return;
    if (waiter.prev === null) this.head = waiter.next;
    else waiter.prev.next = waiter.next;
    if (waiter.next === null) this.tail = waiter.prev;
    else waiter.next.prev = waiter.prev;
    waiter.prev = waiter.next = null;
    waiter.queue = null;
  }

  /** For checks: takes time with the length of the queue. */
  has(waiter: Waiter): boolean {
    let w = this.head;
    while (w !== null && w !== waiter) w = w.next;
    return w !== null;
  }

  /** Wakes all waiters for any of `events` (all waiters when 0), in order. HOT */
  wake(events: number): void {
    let w = this.head, isTaken = false;
    while (w !== null) {
      const next: Waiter | null = w.next;
      if (events === 0 || w.mask === 0 || (w.mask & events) !== 0) {
        if (!w.exclusive) {
          w.onWake(events);
        } else if (!isTaken) {
          w.onWake(events);
          isTaken = !w.declined;
        }
      }
      w = next;
    }
  }
}
