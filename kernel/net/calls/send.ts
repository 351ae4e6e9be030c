/** sendto(2), sendmsg(2), sendmmsg(2). */

import { EFAULT, EMSGSIZE, ENOBUFS } from "../../../ffi/abi/errno.ts";
import { LANDLOCK_ACCESS_NET_CONNECT_TCP } from "../../../ffi/abi/landlock.ts";
import {
  Mmsghdr,
  MSG_DONTWAIT,
  MSG_FASTOPEN,
  MSG_ZEROCOPY,
  SOCK_STREAM,
  SOCKADDR_STORAGE_SIZE,
  UIO_MAXIOV,
} from "../../../ffi/abi/socket.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { Message } from "../message.ts";
import type { Socket } from "../socket.ts";
import type { Task } from "../../task/task.ts";
import { writeStream } from "../../syscalls/io/transfer.ts";
import { addressIn, readHeader, socketOf } from "./arguments.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { controlIn } from "./control.ts";
import { mayUsePort } from "../../landlock/calls/net_access.ts";

const message = new Message();

/** sendto(2). */
export function sysSendto(t: Task, a: SyscallArgs): number {
  const r = t.io.set(a.u64(1), a.u64(2));
  return r < 0 ? r : sendPrepared(t, a.i32(0), a.i32(3), a.u64(4), a.i32(5));
}

/** Sends what the task's cursor has to the peer, or to the address at `name` if that is not 0. */
export function sendPrepared(
  t: Task,
  fd: number,
  flags: number,
  name: number,
  nameBytes: number,
): number {
  const socket = socketOf(t, fd);
  if (typeof socket === "number") return socket;
  start(t, flags);
  if (name !== 0) {
    const failed = addressIn(t, name, nameBytes, message.name);
    if (failed < 0) return failed;
  }
  return sendAll(t, socket);
}

/** sendmsg(2). */
export function sysSendmsg(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  return typeof socket === "number" ? socket : sendOne(t, socket, a.u64(1), a.i32(2));
}

/** sendmmsg(2): the number of messages sent; an error is returned only for the first message. */
export function sysSendmmsg(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const addr = a.u64(1), count = Math.min(a.u32(2), UIO_MAXIOV), p = t.progress;
  while (p.step < count) {
    const at = addr + p.step * Mmsghdr.size;
    const n = sendOne(t, socket, at, a.i32(3));
    if (n === BLOCK) return BLOCK;
    if (n < 0 || t.mm.store32(at + Mmsghdr.at.len, n) < 0) {
      if (p.step > 0) break;
      return n < 0 ? n : -EFAULT;
    }
    p.step++;
    p.done = 0;
  }
  return p.step;
}

function start(t: Task, flags: number): void {
  message.reset(flags);
  message.caller = t;
}

function sendOne(t: Task, socket: Socket, addr: number, flags: number): number {
  start(t, flags);
  const header = readHeader(t, addr);
  if (typeof header === "number") return header;
  const { name, nameBytes, iov, iovCount, control, controlBytes } = header;
  if (name !== 0 && nameBytes > 0) {
    const length = Math.min(nameBytes, SOCKADDR_STORAGE_SIZE);
    const r = addressIn(t, name, length, message.name);
    if (r < 0) return r;
  }
  if (iovCount > UIO_MAXIOV) return -EMSGSIZE;
  let r = t.io.setIov(iov, iovCount);
  if (r < 0) return r;
  if (controlBytes > 0x7fffffff) return -ENOBUFS;
  // The first part of a stream's message took its control messages.
  if (controlBytes > 0 && control !== 0 && t.progress.done === 0) {
    r = controlIn(t, socket, message, control, controlBytes);
    if (r < 0) return r;
  }
  return message.rights === null ? sendAll(t, socket) : transmitRights(t, socket, message.rights);
}

/** Sends a message with descriptors, and closes those that no queue took, after a fault too. */
function transmitRights(t: Task, socket: Socket, rights: readonly OpenFile[]): number {
  try {
    return sendAll(t, socket);
  } finally {
    if (socket.net.shared.rights.areUnderWay(rights)) message.rights = null;
    message.dropRights();
  }
}

/** Sends all that the cursor has; a stream waits for room until all is sent. */
function sendAll(t: Task, socket: Socket): number {
  const { io, progress } = t, length = io.remaining;
  const isFast = (message.flags & MSG_FASTOPEN) !== 0 && message.name.length > 0;
  if (isFast && progress.done === 0) {
    const right = LANDLOCK_ACCESS_NET_CONNECT_TCP;
    const may = mayUsePort(t.cred.domain, socket, message.name, right);
    if (may < 0) return may;
  }
  // The first part made the connection.
  if (progress.done > 0) message.flags &= ~MSG_FASTOPEN;
  const nonblocking = socket.isNonblocking || (message.flags & MSG_DONTWAIT) !== 0;
  const r = writeStream(t, socket, io, nonblocking, message);
  const reportsCopy = (message.flags & MSG_ZEROCOPY) !== 0 && socket.options.zerocopy;
  if (r < 0 || !reportsCopy) return r;
  if (length > 0 || socket.type !== SOCK_STREAM) socket.reportZerocopy();
  return r;
}
