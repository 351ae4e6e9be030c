/**
 * Who waits for whose POSIX record lock, to answer EDEADLK (fcntl(2)). One object a kernel.
 *
 * An entry is true only as long as its waiter is still linked on the lock's queue and nothing was released there
 * since; so nobody has to take entries out when a wait ends by a signal.
 */

import type { Waiter, WaitQueue } from "../core/wait.ts";
import type { FileLocks } from "./file_locks.ts";

class LockWait {
  readonly owner: object;
  readonly blocker: object;
  readonly locks: FileLocks;
  readonly generation: number;
  readonly waiter: Waiter;

  constructor(owner: object, blocker: object, locks: FileLocks, waiter: Waiter) {
    this.owner = owner;
    this.blocker = blocker;
    this.locks = locks;
    this.generation = locks.generation;
    this.waiter = waiter;
  }

  get isCurrent(): boolean {
    const queue: WaitQueue | null = this.waiter.queue;
    return queue === this.locks.waiters && this.generation === this.locks.generation;
  }
}

export class LockWaits {
  private waits: LockWait[] = [];

  /** Whether `owner`, waiting for `blocker`, would wait for itself. */
  wouldDeadlock(owner: object, blocker: object): boolean {
    this.waits = this.waits.filter((w) => w.isCurrent);
    let next: object | null = blocker;
    for (let steps = this.waits.length; next !== null; steps--) {
      if (next === owner) return true;
      if (steps < 0) return false;
      next = this.blockerOf(next);
    }
    return false;
  }

  /** `waiter` was just linked on `locks.waiters`: `owner` waits for a lock of `blocker`. */
  add(owner: object, blocker: object, locks: FileLocks, waiter: Waiter): void {
    this.waits.push(new LockWait(owner, blocker, locks, waiter));
  }

  private blockerOf(owner: object): object | null {
    for (const w of this.waits) if (w.owner === owner) return w.blocker;
    return null;
  }
}
