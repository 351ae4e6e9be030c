/**
 * The waiters of all futex words: a hash table with chains. Waiting and waking allocate nothing.
 *
 * A word is (owner, offset): a memory manager and an address for private words, a file and an
 * offset for shared ones (mm/futex_key.ts). Neighbours: futex.ts and futex_pi.ts perform the
 * operations.
 */

import { EINVAL } from "../../ffi/abi/errno.ts";
import type { SharedWord } from "../mm/futex_key.ts";
import type { PiState } from "./futex_pi.ts";
import type { Task } from "../task/task.ts";

const BUCKETS = 1024;

/** The place of one task in a queue. A task has one, and more only in futex_waitv(2). */
export class FutexWaiter {
  readonly task: Task;
  owner: object | null = null;
  offset: number = 0;
  /** FUTEX_WAIT_BITSET; all ones otherwise. */
  bitset: number = 0xffffffff;
  /** Queued for the ownership of a PI futex, whose word the task sees at `piAddr`. */
  pi: PiState | null = null;
  piAddr: number = 0;
  /** The PI futex to which the waiter will be moved (FUTEX_WAIT_REQUEUE_PI). */
  target: SharedWord | null = null;
  isQueued: boolean = false;
  /** A waker removed it from the queue. */
  isWoken: boolean = false;
  prev: FutexWaiter | null = null;
  next: FutexWaiter | null = null;

  constructor(task: Task) {
    this.task = task;
  }
}

export class FutexTable {
  private readonly heads: (FutexWaiter | null)[] = new Array<FutexWaiter | null>(BUCKETS).fill(
    null,
  );
  private readonly tails: (FutexWaiter | null)[] = new Array<FutexWaiter | null>(BUCKETS).fill(
    null,
  );

  /** Adds a waiter at the end of the queue. HOT */
  add(waiter: FutexWaiter, owner: object, offset: number): void {
    const b = bucketOf(offset);
    waiter.owner = owner;
    waiter.offset = offset;
    waiter.isQueued = true;
    waiter.isWoken = false;
    waiter.next = null;
    const tail = this.tails[b] ?? null;
    waiter.prev = tail;
    if (tail === null) this.heads[b] = waiter;
    else tail.next = waiter;
    this.tails[b] = waiter;
  }

  remove(waiter: FutexWaiter): void {
    if (!waiter.isQueued) return;
    const b = bucketOf(waiter.offset);
    if (waiter.prev === null) this.heads[b] = waiter.next;
    else waiter.prev.next = waiter.next;
    if (waiter.next === null) this.tails[b] = waiter.prev;
    else waiter.next.prev = waiter.prev;
    waiter.prev = null;
    waiter.next = null;
    waiter.isQueued = false;
    waiter.owner = null;
  }

  /** The first waiter of a word, or null. */
  first(owner: object, offset: number): FutexWaiter | null {
    return find(this.heads[bucketOf(offset)] ?? null, owner, offset);
  }

  /** The next waiter of the same word. */
  after(waiter: FutexWaiter): FutexWaiter | null {
    return waiter.owner === null ? null : find(waiter.next, waiter.owner, waiter.offset);
  }

  /**
   * Wakes up to `max` waiters of a word whose bitset intersects `bitset`, and returns their number.
   * -EINVAL when one of them waits to own a PI futex. HOT
   */
  wake(owner: object, offset: number, max: number, bitset: number): number {
    let n = 0;
    let w: FutexWaiter | null = this.heads[bucketOf(offset)] ?? null;
    while (w !== null && n < max) {
      const next: FutexWaiter | null = w.next;
      if (w.owner === owner && w.offset === offset && (w.bitset & bitset) !== 0) {
        if (w.pi !== null || w.target !== null) return -EINVAL;
        this.remove(w);
        w.isWoken = true;
        w.task.wake();
        n++;
      }
      w = next;
    }
    return n;
  }

  /**
   * Moves up to `max` waiters from one word to the end of another, and returns their number;
   * -EINVAL as for `wake`.
   */
  requeue(owner: object, offset: number, to: SharedWord, max: number): number {
    if (to.owner === null) return 0;
    let n = 0;
    // The target may hash to the same bucket: the loop must not meet moved waiters again.
    const last = this.tails[bucketOf(offset)];
    let w: FutexWaiter | null = this.heads[bucketOf(offset)] ?? null;
    while (w !== null && n < max) {
      const next: FutexWaiter | null = w === last ? null : w.next;
      if (w.owner === owner && w.offset === offset) {
        if (w.pi !== null || w.target !== null) return -EINVAL;
        this.remove(w);
        this.add(w, to.owner, to.offset);
        n++;
      }
      w = next;
    }
    return n;
  }
}

function find(from: FutexWaiter | null, owner: object, offset: number): FutexWaiter | null {
  for (let w = from; w !== null; w = w.next) {
    if (w.owner === owner && w.offset === offset) return w;
  }
  return null;
}

/** Words are 4-byte aligned and below 2^53. */
function bucketOf(offset: number): number {
  const high = Math.floor(offset / 0x100000000);
  const mixed = Math.imul((offset % 0x100000000) >>> 2 ^ high, 0x9e3779b1);
  return (mixed >>> 16) % BUCKETS;
}
