/**
 * Leases: fcntl(2) F_SETLEASE. Before another process opens or truncates the file in a way that
 * conflicts, the holder is signalled and has some seconds to give the lease up; the other process
 * waits until then.
 *
 * open.ts and attributes.ts call `breakLeases`; syscalls/io/lease.ts signals the holder. Neighbour:
 * file_locks.ts.
 */

import { EACCES, EAGAIN, EINVAL } from "../../ffi/abi/errno.ts";
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  O_ACCMODE,
  O_NONBLOCK,
  O_RDWR,
  O_WRONLY,
} from "../../ffi/abi/fcntl.ts";
import { CAP_LEASE } from "../../ffi/abi/capability.ts";
import { BLOCK } from "../core/result.ts";
import { type Waiter, WaitQueue } from "../core/wait.ts";
import { hasCap } from "../cred/credentials.ts";
import { isRegular } from "./access.ts";
import type { Caller } from "./caller.ts";
import { FileLock, type LockAges } from "./file_locks.ts";
import type { Inode } from "./inode.ts";
import type { OpenFile } from "./open_file.ts";

/** Signals the holder of a lease that it is being broken. */
export interface LeaseHolder {
  /** The pid in the first PID namespace. */
  readonly pid: number;
  onBreak(file: OpenFile): void;
}

export class Lease {
  readonly file: OpenFile;
  type: number;
  readonly holder: LeaseHolder;
  /** Its age among locks and leases (FileLock.age). */
  readonly age: number;
  /** The type that it must become, F_UNLCK or F_RDLCK; -1 when it is not being broken. */
  breakTo: number = -1;
  /** The time at which the kernel changes it to that type. */
  deadlineNs: number = Infinity;

  constructor(file: OpenFile, type: number, holder: LeaseHolder, age: number) {
    this.age = age;
    this.file = file;
    this.type = type;
    this.holder = holder;
  }

  /** Its type after the break, if there is one. */
  get nextType(): number {
    return this.breakTo >= 0 ? this.breakTo : this.type;
  }
}

/** The leases of one inode. `Vfs.leasedFiles` has all objects with leases, for /proc/locks. */
export class Leases {
  readonly inode: Inode;
  /** Woken when a lease was removed or became weaker. */
  readonly waiters: WaitQueue = new WaitQueue();
  private readonly list: Lease[] = [];
  private readonly listed: Set<Leases>;
  private readonly ages: LockAges;

  constructor(inode: Inode, listed: Set<Leases>, ages: LockAges) {
    this.inode = inode;
    this.listed = listed;
    this.ages = ages;
  }

  get all(): readonly Lease[] {
    return this.list;
  }

  /** The lease of this description, or null. */
  of(file: OpenFile): Lease | null {
    return this.list.find((lease) => lease.file === file) ?? null;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** F_RDLCK, F_WRLCK or F_UNLCK of this description (F_GETLEASE). */
  typeOf(file: OpenFile): number {
    return this.of(file)?.nextType ?? F_UNLCK;
  }

  /** Makes a lease, or changes the type of the description's lease: 0 or -EAGAIN. */
  set(file: OpenFile, type: number, holder: LeaseHolder): number {
    const own = this.of(file);
    for (const other of this.list) {
      if (other === own) continue;
      if (type === F_WRLCK || other.breakTo === F_UNLCK) return -EAGAIN;
    }
    if (own === null) {
      this.list.push(new Lease(file, type, holder, this.ages.next()));
      this.listed.add(this);
      return 0;
    }
    own.type = type;
    own.breakTo = -1;
    this.waiters.wake(0);
    return 0;
  }

  /** Removes the lease of a description: 0, or -EAGAIN when there is none. */
  remove(file: OpenFile): number {
    const lease = this.of(file);
    if (lease === null) return -EAGAIN;
    this.list.splice(this.list.indexOf(lease), 1);
    if (this.isEmpty) this.listed.delete(this);
    this.waiters.wake(0);
    return 0;
  }

  /**
   * Breaks the leases that conflict with an open for reading, or for writing. Returns the latest
   * time at which they are gone; -1 when no lease is in the way.
   */
  breakConflicting(writes: boolean, nowNs: number, graceNs: number): number {
    let untilNs = -1;
    for (const lease of this.list.slice()) {
      if (!writes && lease.type === F_RDLCK) continue;
      const to = writes ? F_UNLCK : F_RDLCK;
      const isAsked = lease.breakTo === to || lease.breakTo === F_UNLCK;
      if (!isAsked) {
        lease.breakTo = to;
        lease.deadlineNs = nowNs + graceNs;
        lease.holder.onBreak(lease.file);
      } else if (nowNs >= lease.deadlineNs) {
        this.expire(lease);
        continue;
      }
      untilNs = Math.max(untilNs, lease.deadlineNs);
    }
    return untilNs;
  }

  private expire(lease: Lease): void {
    if (lease.breakTo === F_RDLCK) {
      lease.type = F_RDLCK;
      lease.breakTo = -1;
      this.waiters.wake(0);
    } else {
      this.remove(lease.file);
    }
  }
}

/** F_SETLEASE: 0, -EINVAL, -EACCES, -EAGAIN. */
export function setLease(
  caller: Caller,
  file: OpenFile,
  type: number,
  holder: LeaseHolder,
): number {
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  const { inode } = file;
  const { cred, fs: { namespace: { vfs } } } = caller;
  if (inode.uid !== cred.fsuid && !hasCap(cred, CAP_LEASE)) return -EACCES;
  if (!isRegular(inode)) return -EINVAL;
  if (type === F_UNLCK) return inode.leases?.remove(file) ?? -EAGAIN;
  const isOpenElsewhere = type === F_WRLCK ? inode.openCount > 1 : inode.writeCount > 0;
  if (isOpenElsewhere) return -EAGAIN;
  return (inode.leases ??= new Leases(inode, vfs.leasedFiles, vfs.lockAges)).set(
    file,
    type,
    holder,
  );
}

/** A caller that can wait until a time: a task. */
interface WaitingCaller extends Caller {
  readonly waiter: Waiter;
  readonly group: { readonly id: { readonly numbers: readonly number[] } };
  waitFor(queue: WaitQueue, events: number): number;
  waitUntil(deadlineNs: number): number;
}

function isWaiting(caller: Caller): caller is WaitingCaller {
  return "waitFor" in caller && "waitUntil" in caller;
}

/**
 * Breaks the leases that conflict with an open with these flags: 0 when none is in the way; -EAGAIN
 * with O_NONBLOCK; or BLOCK, and then the whole call runs again.
 */
export function breakLeases(caller: Caller, inode: Inode, flags: number): number {
  const { leases } = inode;
  if (leases === null || leases.isEmpty) return 0;
  const { vfs } = caller.fs.namespace, now = vfs.host.monotonicNs();
  const mode = flags & O_ACCMODE, writes = mode === O_WRONLY || mode === O_RDWR;
  const untilNs = leases.breakConflicting(writes, now, vfs.leaseBreakSec * 1e9);
  if (untilNs < 0) return 0;
  if ((flags & O_NONBLOCK) !== 0 || !isWaiting(caller)) return -EAGAIN;
  const r = caller.waitFor(leases.waiters, 0);
  if (r !== BLOCK) return r;
  const pid = caller.group.id.numbers[0]!, type = writes ? F_WRLCK : F_RDLCK;
  const by = {
    kind: "LEASE",
    owner: caller,
    pid,
    account: caller.account,
    ages: vfs.lockAges,
  } as const;
  const request = new FileLock(by, type, 0, Infinity);
  vfs.lockWaits.add(request, leases.waiters, caller.waiter);
  return caller.waitUntil(untilNs);
}
