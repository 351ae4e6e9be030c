/**
 * The call that changes the areas of a memory in several turns of the loop. Until that change is
 * over, other calls that make, remove or rearrange areas of the same memory wait, as they do for
 * Linux's mmap_lock; a page in its range that cannot be reached is looked at again behind it.
 *
 * A change that is over in one turn does not take the lock: it needs none, and tests one field.
 */

import { WaitQueue } from "../core/wait.ts";

export class ChangeLock {
  /** The task whose call is between two slices; null: none. */
  owner: object | null = null;
  readonly queue: WaitQueue = new WaitQueue();
  private start: number = 0;
  private end: number = 0;

  /** `owner` changes [start, end), and is not done. */
  take(owner: object, start: number, end: number): void {
    this.owner = owner;
    this.start = start;
    this.end = end;
  }

  /** It is done, or it ends: those that wait go on. */
  leave(owner: object): void {
    if (this.owner !== owner) return;
    this.owner = null;
    this.queue.wake(0);
  }

  /** What is at `addr` may become something else before the change is over. */
  covers(addr: number): boolean {
    return this.owner !== null && addr >= this.start && addr < this.end;
  }
}
