/**
 * Locks of one inode: POSIX record locks and open file description locks (fcntl(2)), and flock(2). Calls never
 * block: they answer -EAGAIN, the caller waits on `waiters` and tries again.
 *
 * Owners: a POSIX lock belongs to an fd table (a process, as long as threads share it), an OFD lock and a flock
 * to an OpenFile. Deadlocks are found by `lock_waits.ts`. Ranges are inclusive; `end` Infinity: to the end of file.
 */

import { EAGAIN, ENOLCK } from "../../ffi/abi/errno.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_SH, LOCK_UN } from "../../ffi/abi/fcntl.ts";
import { WaitQueue } from "../core/wait.ts";

/** LIMIT: record locks of one file; each call looks at all of them. */
export const MAX_RECORDS = 8192;

export class RecordLock {
  readonly owner: object;
  /** F_RDLCK or F_WRLCK. */
  readonly type: number;
  readonly start: number;
  readonly end: number;
  /** For F_GETLK: the process; -1 for OFD locks. */
  readonly pid: number;

  constructor(owner: object, type: number, start: number, end: number, pid: number) {
    this.owner = owner;
    this.type = type;
    this.start = start;
    this.end = end;
    this.pid = pid;
  }
}

export class FileLocks {
  /** Woken whenever a lock was given up or became weaker. */
  readonly waiters: WaitQueue = new WaitQueue();
  /** Changes with every such event, so that a recorded "A waits for B" can be seen to be out of date. */
  generation: number = 0;
  /** Sorted by start. */
  private records: RecordLock[] = [];
  private readonly flocks: Map<object, number> = new Map();

  get isEmpty(): boolean {
    return this.records.length === 0 && this.flocks.size === 0;
  }

  /** All record locks, sorted by start (fdinfo, /proc/locks). */
  get recordLocks(): readonly RecordLock[] {
    return this.records;
  }

  /** LOCK_SH or LOCK_EX that this description holds, or 0. */
  flockOf(file: object): number {
    return this.flocks.get(file) ?? 0;
  }

  /** The first lock of somebody else that forbids `type` on the range, or null (F_GETLK). */
  conflict(owner: object, type: number, start: number, end: number): RecordLock | null {
    for (const lock of this.records) {
      if (lock.owner === owner || lock.end < start || lock.start > end) continue;
      if (type === F_WRLCK || lock.type === F_WRLCK) return lock;
    }
    return null;
  }

  /** F_SETLK: 0, -EAGAIN when `conflict` has an answer, or -ENOLCK. `type` F_UNLCK works but for the split of one lock too many. */
  setRecord(owner: object, type: number, start: number, end: number, pid: number): number {
    if (type !== F_UNLCK && this.conflict(owner, type, start, end) !== null) return -EAGAIN;
    let newStart = start, newEnd = end;
    let weaker = false;
    const kept: RecordLock[] = [];
    for (const lock of this.records) {
      if (lock.owner !== owner) {
        kept.push(lock);
        continue;
      }
      const touches = lock.type === type && lock.start <= newEnd + 1 && lock.end >= newStart - 1;
      if (touches) {
        newStart = Math.min(newStart, lock.start);
        newEnd = Math.max(newEnd, lock.end);
        continue;
      }
      if (lock.end < start || lock.start > end) {
        kept.push(lock);
        continue;
      }
      if (lock.type === F_WRLCK || type === F_UNLCK) weaker = true;
      if (lock.start < start) {
        kept.push(new RecordLock(owner, lock.type, lock.start, start - 1, lock.pid));
      }
      if (lock.end > end) {
        kept.push(new RecordLock(owner, lock.type, end + 1, lock.end, lock.pid));
      }
    }
    if (type !== F_UNLCK) kept.push(new RecordLock(owner, type, newStart, newEnd, pid));
    if (kept.length > MAX_RECORDS && kept.length > this.records.length) return -ENOLCK;
    kept.sort(byStart);
    this.records = kept;
    if (weaker) this.released();
    return 0;
  }

  /** flock(2) with LOCK_SH, LOCK_EX or LOCK_UN: 0 or -EAGAIN. A conversion gives the old lock up first. */
  flock(file: object, operation: number): number {
    const held = this.flockOf(file);
    if (held === operation) return 0;
    if (held !== 0) {
      this.flocks.delete(file);
      this.released();
    }
    if (operation === LOCK_UN) return 0;
    for (const kind of this.flocks.values()) {
      if (operation === LOCK_EX || kind === LOCK_EX) return -EAGAIN;
    }
    this.flocks.set(file, operation === LOCK_EX ? LOCK_EX : LOCK_SH);
    return 0;
  }

  /** A process closed any fd of this file: all its POSIX locks go (fcntl(2)). */
  releaseOwner(owner: object): void {
    if (!this.records.some((l) => l.owner === owner)) return;
    this.records = this.records.filter((l) => l.owner !== owner);
    this.released();
  }

  /** The last reference of a description went: its OFD locks and its flock go. */
  releaseFile(file: object): void {
    this.releaseOwner(file);
    if (this.flocks.delete(file)) this.released();
  }

  private released(): void {
    this.generation++;
    this.waiters.wake(0);
  }
}

function byStart(a: RecordLock, b: RecordLock): number {
  return a.start - b.start;
}

/** F_GETLK's view of a type: whether a lock of this kind is one that a caller may ask for. */
export function isLockType(type: number): boolean {
  return type === F_RDLCK || type === F_WRLCK || type === F_UNLCK;
}
