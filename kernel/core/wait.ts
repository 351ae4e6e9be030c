/**
 * Wait queues: who wants to know when something changes. State is plain data: a queue holds Waiter objects,
 * never closures, so that a live kernel can be walked and saved.
 *
 * Not here: what is done on a wake-up (subclasses of Waiter: a blocked task, an epoll item, ...).
 */

/** One registration on one queue. An object can be on one queue at a time. */
export abstract class Waiter {
  queue: WaitQueue | null = null;
  prev: Waiter | null = null;
  next: Waiter | null = null;
  /** Poll bits of interest; 0 means every wake-up. */
  mask: number = 0;
  /** Of several exclusive waiters one wake-up reaches only the first; others are not concerned. */
  exclusive: boolean = false;
  /** Set by `onWake` of an exclusive waiter that has no use for the wake-up: the next one gets it. */
  declined: boolean = false;

  /** Called with the queue's event bits. Must not change other entries of the same queue but itself. */
  abstract onWake(events: number): void;

  /** Leave the queue, if on one. */
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

  /** In front of all others: it is told first. */
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

  /** For checks: it takes as long as the queue. */
  has(waiter: Waiter): boolean {
    let w = this.head;
    while (w !== null && w !== waiter) w = w.next;
    return w !== null;
  }

  /** Tell everybody interested in any of `events` (all when 0), in order. HOT */
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
