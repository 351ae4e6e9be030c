/**
 * System V semaphore sets (semget(2), semop(2), semctl(2)). Operations that cannot be done wait in
 * the set's queue; the call that changes a value carries out waiting operations, in their order,
 * that have become possible (ipc/sem.c of Linux).
 *
 * Neighbours: ipc_object.ts (keys, permission), sem_undo.ts (SEM_UNDO), ipc/calls/sem.ts (the
 * calls).
 */

import type { Account } from "../../core/account.ts";
import { EAGAIN, EIDRM, EINVAL, ENOMEM, ENOSPC, ERANGE } from "../../../ffi/abi/errno.ts";
import { IPC_NOWAIT, SEM_UNDO, SEMVMX } from "../../../ffi/abi/ipc.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { IpcLimits } from "../ipc_limits.ts";
import { type IpcClock, type IpcMaker, IpcObject, IpcTable } from "./ipc_object.ts";
import type { SemUndoList } from "./sem_undo.ts";

/** LIMIT: semaphores of all sets, whatever /proc/sys/kernel/sem says. */
const MAX_SEMAPHORES = 1 << 22;
/** Bytes of a semaphore: value and pid. */
const SEMAPHORE_BYTES = 8;
/** Bounds of the adjustments of one process. */
const UNDO_MIN = -SEMVMX - 1, UNDO_MAX = SEMVMX;

/** `SemOperations.status` while the operations wait. */
export const PENDING = 1;

/** struct sembuf. */
export interface SemOperation {
  readonly num: number;
  readonly op: number;
  readonly flags: number;
}

/** The operations of one semop(2): all are done, or none. */
export class SemOperations {
  readonly list: readonly SemOperation[];
  /** The caller's undo list; null: no operation has SEM_UNDO. */
  readonly undo: SemUndoList | null;
  readonly pid: number;
  /** Some operation changes a value. */
  readonly alters: boolean;
  /** Some operation adds, and some waits for zero. */
  readonly raises: boolean;
  readonly needsZero: boolean;
  /** PENDING, then 0 or -errno. */
  status: number = PENDING;
  /** The operation that cannot be done. */
  blocking: SemOperation | null = null;
  /** The sum that earlier operations add to the same semaphore. */
  before: number = 0;
  /** The caller waits here. */
  readonly done: WaitQueue = new WaitQueue();

  constructor(list: readonly SemOperation[], undo: SemUndoList | null, pid: number) {
    this.list = list;
    this.undo = undo;
    this.pid = pid;
    this.alters = list.some((o) => o.op !== 0);
    this.raises = list.some((o) => o.op > 0);
    this.needsZero = list.some((o) => o.op === 0);
  }

  end(status: number): void {
    this.status = status;
    this.done.wake(0);
  }
}

/** One set, with the operations that wait for it. */
export class SemaphoreSet extends IpcObject {
  readonly values: Int32Array;
  /** The last process that operated on each semaphore. */
  readonly pids: Int32Array;
  otimeSec: number = 0;
  /** Undo lists with adjustments for this set. */
  readonly undos: Set<SemUndoList> = new Set();
  private readonly clock: IpcClock;
  /** Waiting operations in order: those that change nothing, and the others. */
  private readonly zeroWaiters: Set<SemOperations> = new Set();
  private readonly alterers: Set<SemOperations> = new Set();
  /** How many of the latter wait for a zero too. */
  private mixed: number = 0;

  constructor(
    account: Account,
    clock: IpcClock,
    key: number,
    count: number,
    flags: number,
    cred: Credentials,
  ) {
    super(account, key, flags, cred, clock.nowSec());
    this.clock = clock;
    this.values = new Int32Array(count);
    this.pids = new Int32Array(count);
  }

  get count(): number {
    return this.values.length;
  }

  override get kernelBytes(): number {
    return super.kernelBytes + this.count * SEMAPHORE_BYTES;
  }

  /** semop(2): 0, -EAGAIN (IPC_NOWAIT), -ERANGE, or PENDING, and then they wait in the queue. */
  operate(ops: SemOperations): number {
    const r = this.attempt(ops);
    if (r === PENDING) this.enqueue(ops);
    else if (r === 0) this.succeeded(ops);
    return r;
  }

  /** Removes operations whose caller stops waiting. */
  cancel(ops: SemOperations): void {
    if (this.zeroWaiters.delete(ops) || !this.alterers.delete(ops)) return;
    if (ops.needsZero) this.mixed--;
  }

  private enqueue(ops: SemOperations): void {
    (ops.alters ? this.alterers : this.zeroWaiters).add(ops);
    if (ops.alters && ops.needsZero) this.mixed++;
  }

  /**
   * SETVAL and SETALL: set a value and drop adjustments for it. Call `changed` after the last one.
   */
  set(num: number, value: number, pid: number): void {
    this.values[num] = value;
    this.pids[num] = pid;
    for (const undo of this.undos) undo.forget(this, num);
  }

  /** Applies an adjustment of a process that ends (SEM_UNDO). */
  adjust(num: number, by: number, pid: number): void {
    const value = this.values[num]! + by;
    this.values[num] = Math.max(0, Math.min(SEMVMX, value));
    this.pids[num] = pid;
  }

  /**
   * Values changed: carry out waiting operations that are possible now, those that wait for zero
   * first.
   */
  changed(): void {
    this.wakeZeroWaiters();
    while (this.wakeAlterers());
  }

  /** True: operations before the last one may be possible now. */
  private wakeAlterers(): boolean {
    for (const ops of this.alterers) {
      const r = this.isBlocked(ops) ? PENDING : this.attempt(ops);
      if (r === PENDING) continue;
      this.endWaiting(ops, r);
      if (r !== 0) continue;
      if (this.hasZero(ops)) this.wakeZeroWaiters();
      // Operations that only subtract make no others possible.
      if (ops.raises || this.mixed > 0) return true;
    }
    return false;
  }

  /**
   * The number of waiters for the semaphore to grow, or with `zero` to become zero (GETNCNT,
   * GETZCNT).
   */
  waiting(num: number, zero: boolean): number {
    let n = 0;
    for (const list of [this.zeroWaiters, this.alterers]) {
      for (const { blocking } of list) {
        if (blocking !== null && blocking.num === num && (blocking.op === 0) === zero) n++;
      }
    }
    return n;
  }

  /** IPC_RMID: all waiters get EIDRM. */
  release(): void {
    for (const undo of this.undos) undo.forgetSet(this);
    this.undos.clear();
    for (const list of [this.zeroWaiters, this.alterers]) {
      for (const ops of list) {
        this.cancel(ops);
        ops.end(-EIDRM);
      }
    }
  }

  private succeeded(ops: SemOperations): void {
    this.otimeSec = this.clock.nowSec();
    if (ops.alters) this.changed();
  }

  private wakeZeroWaiters(): void {
    for (const ops of this.zeroWaiters) {
      const r = this.isBlocked(ops) ? PENDING : this.attempt(ops);
      if (r !== PENDING) this.endWaiting(ops, r);
    }
  }

  private endWaiting(ops: SemOperations, r: number): void {
    this.cancel(ops);
    if (r === 0) this.otimeSec = this.clock.nowSec();
    ops.end(r);
  }

  private hasZero({ list }: SemOperations): boolean {
    return this.zeroWaiters.size > 0 && list.some((o) => this.values[o.num] === 0);
  }

  /** Whether the blocking operation is still impossible: one comparison. */
  private isBlocked({ blocking, before, raises, undo }: SemOperations): boolean {
    // Values that grow, or that are undone, may have left their range.
    if (blocking === null || raises || undo !== null) return false;
    const value = this.values[blocking.num]! + before;
    return blocking.op === 0 ? value !== 0 : value + blocking.op < 0;
  }

  /** Does all operations or none: 0, PENDING or -errno. */
  private attempt(ops: SemOperations): number {
    const { list } = ops;
    let done = 0, r = 0;
    for (; done < list.length; done++) {
      r = this.step(list[done]!, ops.undo);
      if (r !== 0) break;
    }
    if (r === 0) {
      for (const o of list) this.pids[o.num] = ops.pid;
      return 0;
    }
    ops.blocking = r === PENDING ? list[done]! : null;
    if (ops.blocking !== null) ops.before = addedBefore(list, done);
    if (r === PENDING && (list[done]!.flags & IPC_NOWAIT) !== 0) r = -EAGAIN;
    while (--done >= 0) this.takeBack(list[done]!, ops.undo);
    return r;
  }

  private step(o: SemOperation, undo: SemUndoList | null): number {
    const value = this.values[o.num]!, result = value + o.op;
    if (o.op === 0 && value !== 0) return PENDING;
    if (result < 0) return PENDING;
    if (result > SEMVMX) return -ERANGE;
    if ((o.flags & SEM_UNDO) !== 0 && undo !== null) {
      const sum = undo.of(this)[o.num]! - o.op;
      if (sum < UNDO_MIN || sum > UNDO_MAX) return -ERANGE;
      undo.of(this)[o.num] = sum;
    }
    this.values[o.num] = result;
    return 0;
  }

  private takeBack(o: SemOperation, undo: SemUndoList | null): void {
    this.values[o.num]! -= o.op;
    if ((o.flags & SEM_UNDO) !== 0 && undo !== null) undo.of(this)[o.num]! += o.op;
  }
}

/** The sum of the operations before `list[end]` on its semaphore. */
function addedBefore(list: readonly SemOperation[], end: number): number {
  const { num } = list[end]!;
  let sum = 0;
  for (let i = 0; i < end; i++) if (list[i]!.num === num) sum += list[i]!.op;
  return sum;
}

/** The arguments of semget(2). */
class SetMaker implements IpcMaker<SemaphoreSet> {
  private readonly owner: Semaphores;
  private readonly count: number;
  private readonly cred: Credentials;
  private readonly account: Account;

  constructor(owner: Semaphores, count: number, cred: Credentials, account: Account) {
    this.owner = owner;
    this.count = count;
    this.cred = cred;
    this.account = account;
  }

  check(set: SemaphoreSet): number {
    return this.count > set.count ? -EINVAL : 0;
  }

  make(key: number, flags: number): SemaphoreSet | number {
    const { count, owner } = this;
    if (count === 0) return -EINVAL;
    const total = owner.total + count;
    if (total > owner.limits.semmns) return -ENOSPC;
    if (total > MAX_SEMAPHORES) return -ENOMEM;
    return new SemaphoreSet(this.account, owner.clock, key, count, flags, this.cred);
  }
}

/** All semaphore sets of an IPC namespace. */
export class Semaphores {
  readonly table: IpcTable<SemaphoreSet> = new IpcTable();
  readonly clock: IpcClock;
  readonly limits: IpcLimits;

  constructor(clock: IpcClock, limits: IpcLimits) {
    this.clock = clock;
    this.limits = limits;
  }

  /** Semaphores of all sets. */
  get total(): number {
    let n = 0;
    for (const set of this.table.all()) n += set.count;
    return n;
  }

  /** semget(2). */
  get(key: number, count: number, flags: number, cred: Credentials, account: Account): number {
    if (count < 0 || count > this.limits.semmsl) return -EINVAL;
    const maker = new SetMaker(this, count, cred, account);
    return this.table.get(key, flags, this.limits.semmni, maker, cred);
  }

  /** IPC_RMID. */
  remove(set: SemaphoreSet): void {
    this.table.remove(set);
    set.release();
  }
}
