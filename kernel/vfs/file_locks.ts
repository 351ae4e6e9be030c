/**
 * The locks of one inode: POSIX record locks and open file description locks (fcntl(2)), and
 * flock(2). Calls never block: they return -EAGAIN, and kernel/syscalls/io/locks.ts waits on
 * `waiters` and tries again. `Vfs.lockedFiles` has all objects with locks, for /proc/locks.
 *
 * The owner of a POSIX lock is an fd table (a process, as long as threads share it); the owner of
 * an OFD lock or a flock is an OpenFile. `lock_waits.ts` finds deadlocks. Ranges are inclusive;
 * `end` Infinity is the end of the file.
 */

import type { Account } from "../core/account.ts";
import { EAGAIN, ENOLCK } from "../../ffi/abi/errno.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_SH } from "../../ffi/abi/fcntl.ts";
import { RECORD_LOCKS } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import type { Inode } from "./inode.ts";

/** LIMIT: record locks of one file; each call looks at all of them. */
export const MAX_RECORDS = 8192;

/** The kinds of /proc/locks; "LEASE" is a task that waits for the end of a lease. */
export type LockKind = "POSIX" | "OFDLCK" | "FLOCK" | "LEASE";

/** Numbers locks and leases in the order in which they were made: `Vfs.lockAges`. */
export class LockAges {
  private last: number = 0;

  next(): number {
    return ++this.last;
  }
}

/** Fields that all locks of one owner share. */
export interface LockOwner {
  readonly kind: LockKind;
  readonly owner: object;
  /** The pid of the process that takes it, in the first PID namespace; -1 for OFD locks. */
  readonly pid: number;
  /** The account that is charged. */
  readonly account: Account;
  readonly ages: LockAges;
}

/** A lock that is held, or that a task waits for. */
export class FileLock implements LockOwner {
  readonly kind: LockKind;
  readonly owner: object;
  /** F_RDLCK or F_WRLCK. */
  readonly type: number;
  readonly start: number;
  readonly end: number;
  readonly pid: number;
  readonly account: Account;
  readonly ages: LockAges;
  /** Larger than the age of all locks and leases that were made before. */
  readonly age: number;

  constructor(by: LockOwner, type: number, start: number, end: number) {
    this.kind = by.kind;
    this.account = by.account;
    this.owner = by.owner;
    this.type = type;
    this.start = start;
    this.end = end;
    this.pid = by.pid;
    this.ages = by.ages;
    this.age = by.ages.next();
  }

  /** A copy of the lock for another range. */
  forRange(start: number, end: number): FileLock {
    return new FileLock(this, this.type, start, end);
  }

  /** Whether two locks of the same family (record locks or flocks) exclude each other. */
  conflictsWith(other: FileLock): boolean {
    return other.owner !== this.owner && other.end >= this.start && other.start <= this.end &&
      (this.type === F_WRLCK || other.type === F_WRLCK);
  }
}

/** The request of a flock(2). */
export function flockRequest(by: LockOwner, operation: number): FileLock {
  const type = operation === LOCK_EX ? F_WRLCK : operation === LOCK_SH ? F_RDLCK : F_UNLCK;
  return new FileLock(by, type, 0, Infinity);
}

export class FileLocks {
  readonly inode: Inode;
  /** Woken when a lock was released or became weaker. */
  readonly waiters: WaitQueue = new WaitQueue();
  /** Counts the releases, so that a recorded "A waits for B" can be recognized as out of date. */
  generation: number = 0;
  /** Sorted by start. */
  private records: FileLock[] = [];
  private readonly flocks: Map<object, FileLock> = new Map();
  private readonly listed: Set<FileLocks>;

  /**
   * @param listed the objects that have locks (Vfs.lockedFiles)
   */
  constructor(inode: Inode, listed: Set<FileLocks>) {
    this.inode = inode;
    this.listed = listed;
  }

  get isEmpty(): boolean {
    return this.records.length === 0 && this.flocks.size === 0;
  }

  /** All record locks, sorted by start (fdinfo). */
  get recordLocks(): readonly FileLock[] {
    return this.records;
  }

  /** All locks (/proc/locks). */
  get all(): FileLock[] {
    return [...this.flocks.values(), ...this.records];
  }

  /** The lock that this description holds by flock(2), or null. */
  flockOf(file: object): FileLock | null {
    return this.flocks.get(file) ?? null;
  }

  /** The first record lock of another owner that conflicts, or null (F_GETLK). */
  conflict(request: FileLock): FileLock | null {
    for (const lock of this.records) if (lock.conflictsWith(request)) return lock;
    return null;
  }

  /**
   * The first record lock of the request's own owner in the range (F_OFD_GETLK with F_UNLCK), or
   * null.
   */
  heldBy({ owner, start, end }: FileLock): FileLock | null {
    for (const lock of this.records) {
      if (lock.owner === owner && lock.start <= end && lock.end >= start) return lock;
    }
    return null;
  }

  /**
   * F_SETLK: 0; -EAGAIN when `conflict` finds a lock; or -ENOLCK. F_UNLCK fails only when it splits
   * a lock and the limit is reached.
   */
  setRecord(request: FileLock): number {
    const { owner, type, start, end } = request;
    if (type !== F_UNLCK && this.conflict(request) !== null) return -EAGAIN;
    let newStart = start, newEnd = end;
    let weaker = false;
    const kept: FileLock[] = [];
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
      if (lock.start < start) kept.push(lock.forRange(lock.start, start - 1));
      if (lock.end > end) kept.push(lock.forRange(end + 1, lock.end));
    }
    if (type !== F_UNLCK) kept.push(request.forRange(newStart, newEnd));
    const more = kept.length - this.records.length;
    const mayAdd = kept.length <= MAX_RECORDS && RECORD_LOCKS.hasRoom(more, request.account);
    if (more > 0 && !mayAdd) return -ENOLCK;
    for (const lock of this.records) if (lock.owner === owner) RECORD_LOCKS.give(1, lock.account);
    for (const lock of kept) if (lock.owner === owner) RECORD_LOCKS.add(1, lock.account);
    kept.sort(byStart);
    this.records = kept;
    this.updateListed();
    if (weaker) this.onRelease();
    return 0;
  }

  /** flock(2): 0 or -EAGAIN. A conversion releases the old lock first. */
  flock(request: FileLock): number {
    const { owner, type } = request, held = this.flockOf(owner);
    if (held !== null) {
      if (held.type === type) return 0;
      this.flocks.delete(owner);
      this.updateListed();
      this.onRelease();
    }
    if (type === F_UNLCK) return 0;
    if (this.conflictingFlock(request) !== null) return -EAGAIN;
    this.flocks.set(owner, request);
    this.updateListed();
    return 0;
  }

  /** The flock of another owner that conflicts with this one, or null. */
  conflictingFlock(request: FileLock): FileLock | null {
    for (const lock of this.flocks.values()) if (lock.conflictsWith(request)) return lock;
    return null;
  }

  /** Releases all POSIX locks of a process that closed any fd of this file (fcntl(2)). */
  releaseOwner(owner: object): void {
    const kept = this.records.filter((l) => l.owner !== owner);
    if (kept.length === this.records.length) return;
    for (const lock of this.records) if (lock.owner === owner) RECORD_LOCKS.give(1, lock.account);
    this.records = kept;
    this.updateListed();
    this.onRelease();
  }

  /** Releases OFD locks and the flock of a description whose last reference is gone. */
  releaseFile(file: object): void {
    this.releaseOwner(file);
    if (!this.flocks.delete(file)) return;
    this.updateListed();
    this.onRelease();
  }

  private updateListed(): void {
    if (this.isEmpty) this.listed.delete(this);
    else this.listed.add(this);
  }

  private onRelease(): void {
    this.generation++;
    this.waiters.wake(0);
  }
}

function byStart(a: FileLock, b: FileLock): number {
  return a.start - b.start;
}

/** Whether fcntl(2) accepts this value of `l_type`. */
export function isLockType(type: number): boolean {
  return type === F_RDLCK || type === F_WRLCK || type === F_UNLCK;
}
