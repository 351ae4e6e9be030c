/**
 * Who waits for which lock or lease: to answer EDEADLK (fcntl(2)) and to show it (proc_locks(5)). One object a kernel.
 *
 * An entry is true only as long as its waiter is still linked on the queue that it was linked on; so nobody has to take
 * entries out when a wait ends by a signal.
 */

import type { Waiter, WaitQueue } from "../core/wait.ts";
import type { FileLock, FileLocks } from "./file_locks.ts";

/**
 * From one waiting owner to the next, as Linux (MAX_DEADLK_ITERATIONS): each step looks through all
 * that wait.
 */
const STEPS_MAX = 11;
/** Entries that are kept before those out of date are looked for. */
const ENTRIES_MIN = 64;

class LockWait {
  readonly request: FileLock;
  readonly queue: WaitQueue;
  readonly waiter: Waiter;

  constructor(request: FileLock, queue: WaitQueue, waiter: Waiter) {
    this.request = request;
    this.queue = queue;
    this.waiter = waiter;
  }

  get isCurrent(): boolean {
    return this.waiter.queue === this.queue;
  }
}

/** A process waits for another's POSIX lock: as long as nothing was released there since. */
class RecordWait extends LockWait {
  readonly blocker: object;
  private readonly locks: FileLocks;
  private readonly generation: number;

  constructor(request: FileLock, blocker: object, locks: FileLocks, waiter: Waiter) {
    super(request, locks.waiters, waiter);
    this.blocker = blocker;
    this.locks = locks;
    this.generation = locks.generation;
  }

  override get isCurrent(): boolean {
    return super.isCurrent && this.generation === this.locks.generation;
  }
}

export class LockWaits {
  private waits: LockWait[] = [];
  private sweepAt: number = ENTRIES_MIN;

  /**
   * Whether `owner`, waiting for `blocker`, would wait for itself. A longer circle is not looked
   * for.
   */
  wouldDeadlock(owner: object, blocker: object): boolean {
    this.sweep();
    let next: object | null = blocker;
    for (let steps = 0; next !== null; steps++) {
      if (next === owner) return true;
      if (steps === STEPS_MAX) return false;
      next = this.blockerOf(next);
    }
    return false;
  }

  /** `waiter` was just linked on `locks.waiters`, for a POSIX lock that `blocker` is in the way of. */
  addRecord(request: FileLock, blocker: object, locks: FileLocks, waiter: Waiter): void {
    this.push(new RecordWait(request, blocker, locks, waiter));
  }

  /** `waiter` was just linked on `queue`, for any other lock. */
  add(request: FileLock, queue: WaitQueue, waiter: Waiter): void {
    this.push(new LockWait(request, queue, waiter));
  }

  /** What is waited for on a queue, in the order of its waits. */
  on(queue: WaitQueue): FileLock[] {
    const last = new Map<Waiter, FileLock>();
    for (const wait of this.waits) {
      if (wait.queue !== queue || !wait.isCurrent) continue;
      last.delete(wait.waiter);
      last.set(wait.waiter, wait.request);
    }
    return [...last.values()];
  }

  private push(wait: LockWait): void {
    if (this.waits.length >= this.sweepAt) this.sweep();
    this.waits.push(wait);
  }

  private sweep(): void {
    this.waits = this.waits.filter((w) => w.isCurrent);
    this.sweepAt = Math.max(ENTRIES_MIN, 2 * this.waits.length);
  }

  private blockerOf(owner: object): object | null {
    for (const w of this.waits) {
      if (w instanceof RecordWait && w.request.owner === owner) return w.blocker;
    }
    return null;
  }
}
