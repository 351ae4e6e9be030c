/**
 * The lock of a call that changes the areas of a memory in several turns of the loop. Until it is
 * done, other calls that make, remove or rearrange areas of the memory wait, as they wait for
 * Linux's mmap_lock. A guest access that faults in its range is tried again afterwards.
 *
 * A change of one turn does not take the lock: it tests one field. kernel/syscalls/mm/ranges.ts
 * takes it.
 */

import { WaitQueue } from "../core/wait.ts";

export class ChangeLock {
  /** The task whose call is between two slices; null: none. */
  owner: object | null = null;
  readonly queue: WaitQueue = new WaitQueue();
  private start: number = 0;
  private end: number = 0;

  /** Takes the lock: the call of `owner` changes [start, end) in further turns. */
  take(owner: object, start: number, end: number): void {
    this.owner = owner;
    this.start = start;
    this.end = end;
  }

  /** Releases the lock, because the call or its task ended, and wakes the waiters. */
  leave(owner: object): void {
    if (this.owner !== owner) return;
    this.owner = null;
    this.queue.wake(0);
  }

  /** Whether the mapping at `addr` may change before the call is done. */
  covers(addr: number): boolean {
    return this.owner !== null && addr >= this.start && addr < this.end;
  }
}
