/** msgget(2), msgsnd(2), msgrcv(2), msgctl(2). The queues: kernel/ipc/sysv/messages.ts. */

import { POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { E2BIG, EAGAIN, EFAULT, EIDRM, EINVAL, ENOMEM, ENOMSG } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/ipc.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { IPC_READ, IPC_WRITE } from "../sysv/ipc_object.ts";
import * as M from "../sysv/messages.ts";
import { shownPid } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";
import { copyScratchOut, decodeOwner, putInts, putPerm } from "./ipc_structs.ts";

const DS = I.Msqid64Ds.at;
/**
 * struct msginfo: seven ints and a short. Fields that have no meaning today have Linux's values.
 */
const MSGINFO_SIZE = 32, MSGSSZ = 16, MSGSEG = 0xffff;
/** The mtype in front of a message's text. */
const TYPE_SIZE = 8;
const TYPE_MAX: Readonly<M.MessageType> = { lo: 0xffffffff, hi: 0x7fffffff };

/** msgget(2). */
export function sysMsgget(t: Task, a: SyscallArgs): number {
  return t.ns.ipc.msg.get(a.i32(0), a.i32(1), t.cred, t.account);
}

/**
 * The queue of this call: the one that it waited for, or the one with the identifier; or -EINVAL,
 * -EIDRM.
 */
function queueOf(t: Task, id: number): M.IpcMessageQueue | number {
  const waited = t.progress.object;
  if (waited instanceof M.IpcMessageQueue) return waited.isRemoved ? -EIDRM : waited;
  return t.ns.ipc.msg.table.find(id) ?? -EINVAL;
}

/** msgsnd(2). */
export function sysMsgsnd(t: Task, a: SyscallArgs): number {
  const id = a.i32(0), addr = a.u64(1), size = a.u64(2), { msg } = t.ns.ipc;
  const lo = t.mm.load32(addr), hi = t.mm.load32(addr + 4);
  if (lo < 0 || hi < 0) return -EFAULT;
  if (size > msg.limits.msgmax || id < 0) return -EINVAL;
  if (hi > 0x7fffffff || (hi === 0 && lo === 0)) return -EINVAL;
  if (!msg.hasRoom(size, t.account)) return -ENOMEM;
  const data = new Uint8Array(size);
  if (t.mm.copyIn(data, 0, addr + TYPE_SIZE, size) !== 0) return -EFAULT;
  const queue = queueOf(t, id);
  if (typeof queue === "number") return queue;
  const r = queue.permission(IPC_WRITE, t.cred);
  if (r < 0) return r;
  if (!queue.fits(size)) {
    if ((a.i32(3) & I.IPC_NOWAIT) !== 0) return -EAGAIN;
    t.progress.object = queue;
    return t.waitFor(queue.waitQueue, POLLOUT);
  }
  queue.put(new M.IpcMessage(t.account, { lo, hi }, data));
  return 0;
}

/** msgrcv(2): bytes of the text. A message that cannot be stored is lost, as on Linux. */
export function sysMsgrcv(t: Task, a: SyscallArgs): number {
  const id = a.i32(0), addr = a.u64(1), size = a.i64(2), flags = a.i32(4);
  if (id < 0 || size < 0) return -EINVAL;
  const isCopy = (flags & I.MSG_COPY) !== 0;
  if (isCopy && ((flags & I.MSG_EXCEPT) !== 0 || (flags & I.IPC_NOWAIT) === 0)) return -EINVAL;
  const queue = queueOf(t, id);
  if (typeof queue === "number") return queue;
  const r = queue.permission(IPC_READ, t.cred);
  if (r < 0) return r;
  const message = choose(a, queue, flags);
  if (message === null) {
    if ((flags & I.IPC_NOWAIT) !== 0) return -ENOMSG;
    t.progress.object = queue;
    return t.waitFor(queue.waitQueue, POLLIN);
  }
  if (size < message.data.length && (flags & I.MSG_NOERROR) === 0) return -E2BIG;
  if (!isCopy) queue.take(message);
  const n = Math.min(size, message.data.length);
  if (t.mm.store32(addr, message.type.lo) !== 0) return -EFAULT;
  if (t.mm.store32(addr + 4, message.type.hi) !== 0) return -EFAULT;
  return t.mm.copyOut(addr + TYPE_SIZE, message.data, 0, n) === 0 ? n : -EFAULT;
}

/** The message that type and flags of msgrcv(2) select, or null. */
function choose(a: SyscallArgs, queue: M.IpcMessageQueue, flags: number): M.IpcMessage | null {
  const lo = a.words[6]!, hi = a.words[7]!, isNegative = hi > 0x7fffffff;
  if ((flags & I.MSG_COPY) !== 0) return isNegative ? null : queue.find({ lo, hi }, M.AT_NUMBER);
  if (lo === 0 && hi === 0) return queue.find({ lo, hi }, M.ANY);
  if (isNegative) return queue.find(negated(lo, hi), M.LOWEST);
  return queue.find({ lo, hi }, (flags & I.MSG_EXCEPT) !== 0 ? M.NOT_EQUAL : M.EQUAL);
}

/** The absolute value of a negative type. */
function negated(lo: number, hi: number): M.MessageType {
  if (hi === 0x80000000 && lo === 0) return TYPE_MAX;
  return { lo: -lo >>> 0, hi: (~hi + (lo === 0 ? 1 : 0)) >>> 0 };
}

/** msgctl(2). */
export function sysMsgctl(t: Task, a: SyscallArgs): number {
  const id = a.i32(0), command = a.i32(1), addr = a.u64(2);
  if (id < 0 || command < 0) return -EINVAL;
  switch (command) {
    case I.IPC_INFO:
    case I.MSG_INFO:
      return info(t, command, addr);
    case I.IPC_STAT:
    case I.MSG_STAT:
    case I.MSG_STAT_ANY:
      return stat(t, id, command, addr);
    case I.IPC_SET:
    case I.IPC_RMID:
      return control(t, id, command, addr);
    default:
      return -EINVAL;
  }
}

function control(t: Task, id: number, command: number, addr: number): number {
  const { msg } = t.ns.ipc, { u8, dv } = t.kernel.scratch;
  if (command === I.IPC_SET && t.mm.copyIn(u8, 0, addr, I.Msqid64Ds.size) !== 0) return -EFAULT;
  const queue = msg.table.find(id);
  if (queue === null) return -EINVAL;
  const r = queue.mayControl(t.cred);
  if (r < 0) return r;
  if (command === I.IPC_RMID) {
    msg.remove(queue);
    return 0;
  }
  const high = dv.getUint32(DS.qbytes + 4, true) * 0x100000000;
  return queue.change(decodeOwner(t), dv.getUint32(DS.qbytes, true) + high, t.cred);
}

function stat(t: Task, id: number, command: number, addr: number): number {
  const { table } = t.ns.ipc.msg, { scratch } = t.kernel;
  const q = command === I.IPC_STAT ? table.find(id) : table.atIndex(id);
  if (q === null) return -EINVAL;
  const r = command === I.MSG_STAT_ANY ? 0 : q.permission(IPC_READ, t.cred);
  if (r < 0) return r;
  scratch.clear(I.Msqid64Ds.size);
  putPerm(t, q);
  scratch.setU53(DS.stime, q.stimeSec);
  scratch.setU53(DS.rtime, q.rtimeSec);
  scratch.setU53(DS.ctime, q.ctimeSec);
  scratch.setU53(DS.cbytes, q.bytes);
  scratch.setU53(DS.qnum, q.count);
  scratch.setU53(DS.qbytes, q.maxBytes);
  scratch.dv.setInt32(DS.lspid, shownPid(t, q.lastSender), true);
  scratch.dv.setInt32(DS.lrpid, shownPid(t, q.lastReceiver), true);
  return copyScratchOut(t, addr, I.Msqid64Ds.size, command === I.IPC_STAT ? 0 : q.id);
}

/** IPC_INFO: the limits; MSG_INFO: the present use, in three of the fields. */
function info(t: Task, command: number, addr: number): number {
  const { limits, msg } = t.ns.ipc, { scratch } = t.kernel;
  const { msgmax, msgmnb, msgmni } = limits;
  let count = 0, bytes = 0;
  for (const q of msg.table.all()) {
    count += q.count;
    bytes += q.bytes;
  }
  const used = command === I.MSG_INFO;
  scratch.clear(MSGINFO_SIZE);
  putInts(t, [
    used ? msg.table.count : msgmni * msgmnb / 1024,
    used ? count : msgmnb,
    msgmax,
    msgmnb,
    msgmni,
    MSGSSZ,
    used ? bytes : msgmnb,
  ]);
  scratch.dv.setUint16(28, MSGSEG, true);
  return copyScratchOut(t, addr, MSGINFO_SIZE, msg.table.maxIndex);
}
