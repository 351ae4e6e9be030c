/**
 * The tasks that wait for locks and leases: to find deadlocks (EDEADLK of fcntl(2)) and for
 * /proc/locks (proc_locks(5)). A kernel has one, in `Vfs.lockWaits`.
 *
 * An entry is valid while its waiter is linked on the queue that it was linked on. So a wait that a
 * signal ends needs no removal of its entry.
 */

import type { Waiter, WaitQueue } from "../core/wait.ts";
import type { FileLock, FileLocks } from "./file_locks.ts";

/**
 * Steps from one waiting owner to the next, as in Linux (MAX_DEADLK_ITERATIONS); each step looks
 * through all waits.
 */
const STEPS_MAX = 11;
/** Entries that are kept before the invalid ones are removed. */
const ENTRIES_MIN = 64;

export class LockWait {
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

/** A wait for another process's POSIX lock; valid until a lock of the file is released. */
export class RecordWait extends LockWait {
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
   * Whether `owner` would wait for itself if it waited for `blocker`. Circles longer than STEPS_MAX
   * are not found.
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

  /**
   * Records that `waiter`, which is linked on `locks.waiters`, waits for a POSIX lock that
   * `blocker` holds.
   */
  addRecord(request: FileLock, blocker: object, locks: FileLocks, waiter: Waiter): void {
    this.push(new RecordWait(request, blocker, locks, waiter));
  }

  /** Records that `waiter`, which is linked on `queue`, waits for any other lock or lease. */
  add(request: FileLock, queue: WaitQueue, waiter: Waiter): void {
    this.push(new LockWait(request, queue, waiter));
  }

  /** The requests of the waiters on a queue, in the order of the waits. */
  requestsOn(queue: WaitQueue): FileLock[] {
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
