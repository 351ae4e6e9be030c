/**
 * System V semaphore sets: semget(2), semop(2), semctl(2). Operations that must wait stand in the set's queue; whoever
 * changes a value carries out, in their order, those that have become possible (ipc/sem.c).
 *
 * Neighbours: ipc_object.ts (keys, permission), sem_undo.ts (SEM_UNDO), syscalls/ipc/sem.ts (the calls).
 */

import { EAGAIN, EIDRM, EINVAL, ENOMEM, ENOSPC, ERANGE } from "../../../ffi/abi/errno.ts";
import { IPC_NOWAIT, SEM_UNDO, SEMVMX } from "../../../ffi/abi/ipc.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { IpcClock } from "./ipc_clock.ts";
import type { IpcLimits } from "../ipc_limits.ts";
import { type IpcMaker, IpcObject, IpcTable } from "./ipc_object.ts";
import type { SemUndoList } from "./sem_undo.ts";

/** LIMIT: semaphores of all sets together, whatever /proc/sys/kernel/sem says. */
const MAX_SEMAPHORES = 1 << 22;
/** Bytes that a semaphore takes: value and pid. */
const SEMAPHORE_BYTES = 8;
/** Bounds of what one process may have to undo. */
const UNDO_MIN = -SEMVMX - 1, UNDO_MAX = SEMVMX;

/** `SemOperations.status` before the end. */
export const PENDING = 1;

/** struct sembuf. */
export interface SemOperation {
  readonly num: number;
  readonly op: number;
  readonly flags: number;
}

/** What one semop(2) does, all of it or nothing. */
export class SemOperations {
  readonly list: readonly SemOperation[];
  /** Of the caller; null when no operation has SEM_UNDO. */
  readonly undo: SemUndoList | null;
  readonly pid: number;
  /** It changes values: more than waiting for zero. */
  readonly alters: boolean;
  /** PENDING, then 0 or -errno. */
  status: number = PENDING;
  /** The operation that it waits for. */
  blocking: SemOperation | null = null;
  /** The caller sleeps here. */
  readonly done: WaitQueue = new WaitQueue();

  constructor(list: readonly SemOperation[], undo: SemUndoList | null, pid: number) {
    this.list = list;
    this.undo = undo;
    this.pid = pid;
    this.alters = list.some((o) => o.op !== 0);
  }

  end(status: number): void {
    this.status = status;
    this.done.wake(0);
  }
}

export class SemaphoreSet extends IpcObject {
  readonly values: Int32Array;
  /** Who operated on a semaphore last. */
  readonly pids: Int32Array;
  otimeSec: number = 0;
  /** Undo lists that have something for this set. */
  readonly undos: Set<SemUndoList> = new Set();
  private readonly clock: IpcClock;
  private readonly pending: SemOperations[] = [];

  constructor(clock: IpcClock, key: number, count: number, flags: number, cred: Credentials) {
    super(key, flags, cred, clock.nowSec());
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

  /** semop(2): 0, -EAGAIN (IPC_NOWAIT), -ERANGE, or PENDING: then it stands in the queue. */
  operate(ops: SemOperations): number {
    const r = this.attempt(ops);
    if (r === PENDING) this.pending.push(ops);
    else if (r === 0) this.succeeded(ops);
    return r;
  }

  /** The caller does not wait any longer. */
  cancel(ops: SemOperations): void {
    const i = this.pending.indexOf(ops);
    if (i >= 0) this.pending.splice(i, 1);
  }

  /** SETVAL and SETALL: what was to be undone for this semaphore is forgotten. Call `changed` behind the last one. */
  set(num: number, value: number, pid: number): void {
    this.values[num] = value;
    this.pids[num] = pid;
    for (const undo of this.undos) undo.forget(this, num);
  }

  /** A process ends that had operated with SEM_UNDO. */
  adjust(num: number, by: number, pid: number): void {
    const value = this.values[num]! + by;
    this.values[num] = Math.max(0, Math.min(SEMVMX, value));
    this.pids[num] = pid;
  }

  /** Values changed: carry out what has become possible. */
  changed(): void {
    for (let i = 0; i < this.pending.length;) {
      const ops = this.pending[i]!, r = this.attempt(ops);
      if (r === PENDING) {
        i++;
        continue;
      }
      this.pending.splice(i, 1);
      if (r === 0) this.otimeSec = this.clock.nowSec();
      ops.end(r);
      // Who waits for zero comes before who would change it again: look from the start.
      if (r === 0 && ops.alters) {
        this.wakeZeroWaiters();
        i = 0;
      }
    }
  }

  /** How many wait for this semaphore to grow, or with `zero` to become zero (GETNCNT, GETZCNT). */
  waiting(num: number, zero: boolean): number {
    let n = 0;
    for (const { blocking } of this.pending) {
      if (blocking !== null && blocking.num === num && (blocking.op === 0) === zero) n++;
    }
    return n;
  }

  /** IPC_RMID: everybody who waits gets EIDRM. */
  release(): void {
    for (const undo of this.undos) undo.forgetSet(this);
    this.undos.clear();
    for (const ops of this.pending.splice(0)) ops.end(-EIDRM);
  }

  private succeeded(ops: SemOperations): void {
    this.otimeSec = this.clock.nowSec();
    if (!ops.alters || this.pending.length === 0) return;
    this.wakeZeroWaiters();
    this.changed();
  }

  private wakeZeroWaiters(): void {
    for (let i = 0; i < this.pending.length;) {
      const ops = this.pending[i]!, r = ops.alters ? PENDING : this.attempt(ops);
      if (r === PENDING) {
        i++;
        continue;
      }
      this.pending.splice(i, 1);
      if (r === 0) this.otimeSec = this.clock.nowSec();
      ops.end(r);
    }
  }

  /** All operations, or none: 0, PENDING or -errno. */
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

/** semget(2)'s arguments. */
class SetMaker implements IpcMaker<SemaphoreSet> {
  private readonly owner: Semaphores;
  private readonly count: number;
  private readonly cred: Credentials;

  constructor(owner: Semaphores, count: number, cred: Credentials) {
    this.owner = owner;
    this.count = count;
    this.cred = cred;
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
    return new SemaphoreSet(owner.clock, key, count, flags, this.cred);
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
  get(key: number, count: number, flags: number, cred: Credentials): number {
    if (count < 0 || count > this.limits.semmsl) return -EINVAL;
    const maker = new SetMaker(this, count, cred);
    return this.table.get(key, flags, this.limits.semmni, maker, cred);
  }

  /** IPC_RMID. */
  remove(set: SemaphoreSet): void {
    this.table.remove(set);
    set.release();
  }
}
