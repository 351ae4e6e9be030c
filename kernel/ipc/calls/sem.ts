/** semget(2), semop(2), semtimedop(2), semctl(2). The sets: kernel/ipc/sysv/semaphores.ts. */

import { E2BIG, EAGAIN, EFAULT, EFBIG, EINVAL, ENOMEM, ERANGE } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/ipc.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { IPC_READ, IPC_WRITE } from "../sysv/ipc_object.ts";
import {
  PENDING,
  type SemaphoreSet,
  type SemOperation,
  SemOperations,
} from "../sysv/semaphores.ts";
import { SemUndoList } from "../sysv/sem_undo.ts";
import { kernelPid, shownPid } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";
import { readTimeout } from "../../syscalls/timespec.ts";
import { changeObject, copyScratchOut, putInts, putPerm } from "./ipc_structs.ts";

const DS = I.Semid64Ds.at;
/** struct seminfo: ten ints. SEMUSZ is what Linux shows for a limit it does not have. */
const SEMINFO_SIZE = 40, SEMUSZ = 20;

/** semget(2). */
export function sysSemget(t: Task, a: SyscallArgs): number {
  return t.ns.ipc.sem.get(a.i32(0), a.i32(1), a.i32(2), t.cred, t.account);
}

/** The call's operations, in `progress.object` while it waits. */
export class WaitingSemop {
  readonly set: SemaphoreSet;
  readonly ops: SemOperations;

  constructor(set: SemaphoreSet, ops: SemOperations) {
    this.set = set;
    this.ops = ops;
  }
}

/** semop(2). */
export function sysSemop(t: Task, a: SyscallArgs): number {
  t.progress.deadlineNs = Infinity;
  return operate(t, a);
}

/** semtimedop(2). */
export function sysSemtimedop(t: Task, a: SyscallArgs): number {
  if (t.progress.deadlineNs < 0) {
    const r = readTimeout(t, a.u64(3));
    // Linux checks the number of operations before the time.
    if (r === -EINVAL) return checkCount(t, a.u32(2)) || r;
    if (r < 0) return r;
  }
  return operate(t, a);
}

function checkCount(t: Task, count: number): number {
  if (count > t.ns.ipc.limits.semopm) return -E2BIG;
  return count < 1 ? -EINVAL : 0;
}

function operate(t: Task, a: SyscallArgs): number {
  const waiting = t.progress.object;
  if (waiting instanceof WaitingSemop) return wait(t, waiting);
  const id = a.i32(0), count = a.u32(2);
  const r = checkCount(t, count);
  if (r < 0) return r;
  const list = readOperations(t, a.u64(1), count);
  if (typeof list === "number") return list;
  const set = t.ns.ipc.sem.table.find(id);
  if (set === null) return -EINVAL;
  if (list.some((o) => o.num >= set.count)) return -EFBIG;
  const hasUndo = list.some((o) => (o.flags & I.SEM_UNDO) !== 0);
  if (hasUndo) {
    t.semUndo ??= new SemUndoList(t.account);
    if (!t.semUndo.mayUndo(set)) return -ENOMEM;
  }
  const ops = new SemOperations(list, hasUndo ? t.semUndo : null, kernelPid(t));
  const allowed = set.permission(ops.alters ? IPC_WRITE : IPC_READ, t.cred);
  if (allowed < 0) return allowed;
  const done = set.operate(ops);
  if (done !== PENDING) return done;
  t.progress.object = new WaitingSemop(set, ops);
  return wait(t, t.progress.object as WaitingSemop);
}

function wait(t: Task, waiting: WaitingSemop): number {
  const { ops, set } = waiting, { deadlineNs } = t.progress;
  if (ops.status !== PENDING) return ops.status;
  let r = -EAGAIN;
  if (t.interrupted || deadlineNs > t.kernel.now()) {
    r = t.waitFor(ops.done, 0);
    if (r === BLOCK) return t.waitUntil(deadlineNs);
  }
  set.cancel(ops);
  t.progress.object = null;
  return r;
}

function readOperations(t: Task, addr: number, count: number): SemOperation[] | number {
  const { u8, dv } = t.kernel.scratch, { at, size } = I.Sembuf;
  const list: SemOperation[] = [], most = Math.floor(u8.length / size);
  for (let first = 0; first < count; first += most) {
    const n = Math.min(most, count - first);
    if (t.mm.copyIn(u8, 0, addr + first * size, n * size) !== 0) return -EFAULT;
    for (let i = 0; i < n; i++) {
      const o = i * size;
      list.push({
        num: dv.getUint16(o + at.num, true),
        op: dv.getInt16(o + at.op, true),
        flags: dv.getInt16(o + at.flg, true),
      });
    }
  }
  return list;
}

/** semctl(2). */
export function sysSemctl(t: Task, a: SyscallArgs): number {
  const id = a.i32(0), num = a.i32(1), command = a.i32(2), addr = a.u64(3);
  if (id < 0) return -EINVAL;
  switch (command) {
    case I.IPC_INFO:
    case I.SEM_INFO:
      return info(t, command, addr);
    case I.IPC_STAT:
    case I.SEM_STAT:
    case I.SEM_STAT_ANY:
      return stat(t, id, command, addr);
    case I.GETALL:
    case I.GETVAL:
    case I.GETPID:
    case I.GETNCNT:
    case I.GETZCNT:
    case I.SETALL:
      return values(t, id, num, command, addr);
    case I.SETVAL:
      return setValue(t, id, num, a.i32(3));
    case I.IPC_SET:
    case I.IPC_RMID:
      return changeObject(t, t.ns.ipc.sem, id, command, addr, I.Semid64Ds.size);
    default:
      return -EINVAL;
  }
}

function stat(t: Task, id: number, command: number, addr: number): number {
  const { table } = t.ns.ipc.sem, { scratch } = t.kernel;
  const set = command === I.IPC_STAT ? table.find(id) : table.atIndex(id);
  if (set === null) return -EINVAL;
  const r = command === I.SEM_STAT_ANY ? 0 : set.permission(IPC_READ, t.cred);
  if (r < 0) return r;
  scratch.clear(I.Semid64Ds.size);
  putPerm(t, set);
  scratch.setU53(DS.otime, set.otimeSec);
  scratch.setU53(DS.ctime, set.ctimeSec);
  scratch.setU53(DS.nsems, set.count);
  return copyScratchOut(t, addr, I.Semid64Ds.size, command === I.IPC_STAT ? 0 : set.id);
}

/** IPC_INFO: the limits; SEM_INFO: the present use, in two of the fields. */
function info(t: Task, command: number, addr: number): number {
  const { limits, sem } = t.ns.ipc, { semmns, semopm } = limits;
  const used = command === I.SEM_INFO;
  putInts(t, [
    semmns,
    limits.semmni,
    semmns,
    semmns,
    limits.semmsl,
    semopm,
    semopm,
    used ? sem.table.count : SEMUSZ,
    I.SEMVMX,
    used ? sem.total : I.SEMVMX,
  ]);
  return copyScratchOut(t, addr, SEMINFO_SIZE, sem.table.maxIndex);
}

function setValue(t: Task, id: number, num: number, value: number): number {
  const { sem } = t.ns.ipc;
  if (value < 0 || value > I.SEMVMX) return -ERANGE;
  const set = sem.table.find(id);
  if (set === null || num < 0 || num >= set.count) return -EINVAL;
  const r = set.permission(IPC_WRITE, t.cred);
  if (r < 0) return r;
  set.set(num, value, kernelPid(t));
  set.ctimeSec = sem.clock.nowSec();
  set.changed();
  return 0;
}

/** GETALL, SETALL, and commands about one semaphore. */
function values(t: Task, id: number, num: number, command: number, addr: number): number {
  const set = t.ns.ipc.sem.table.find(id);
  if (set === null) return -EINVAL;
  const r = set.permission(command === I.SETALL ? IPC_WRITE : IPC_READ, t.cred);
  if (r < 0) return r;
  if (command === I.GETALL) return getAll(t, set, addr);
  if (command === I.SETALL) return setAll(t, set, addr);
  if (num < 0 || num >= set.count) return -EINVAL;
  switch (command) {
    case I.GETVAL:
      return set.values[num]!;
    case I.GETPID:
      return shownPid(t, set.pids[num]!);
    default:
      return set.waiting(num, command === I.GETZCNT);
  }
}

function getAll(t: Task, set: SemaphoreSet, addr: number): number {
  const out = new Uint8Array(set.count * 2), dv = new DataView(out.buffer);
  for (let i = 0; i < set.count; i++) dv.setUint16(2 * i, set.values[i]!, true);
  return t.mm.copyOut(addr, out, 0, out.length) === 0 ? 0 : -EFAULT;
}

function setAll(t: Task, set: SemaphoreSet, addr: number): number {
  const u8 = new Uint8Array(set.count * 2), dv = new DataView(u8.buffer);
  if (t.mm.copyIn(u8, 0, addr, u8.length) !== 0) return -EFAULT;
  for (let i = 0; i < set.count; i++) if (dv.getUint16(2 * i, true) > I.SEMVMX) return -ERANGE;
  for (let i = 0; i < set.count; i++) set.set(i, dv.getUint16(2 * i, true), kernelPid(t));
  set.ctimeSec = t.ns.ipc.sem.clock.nowSec();
  set.changed();
  return 0;
}
