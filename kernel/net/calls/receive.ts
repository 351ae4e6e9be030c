/** recvfrom(2), recvmsg(2), recvmmsg(2). */

import { EAGAIN, EFAULT, EMSGSIZE } from "../../../ffi/abi/errno.ts";
import {
  AF_NETLINK,
  AF_UNIX,
  Mmsghdr,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  MSG_PEEK,
  MSG_WAITALL,
  MSG_WAITFORONE,
  Msghdr,
  SOCK_STREAM,
  UIO_MAXIOV,
} from "../../../ffi/abi/socket.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { Message } from "../message.ts";
import type { Socket } from "../socket.ts";
import type { Task } from "../../task/task.ts";
import { readSpan, storeSpan } from "../../syscalls/timespec.ts";
import { endTurn, READABLE } from "../../syscalls/io/transfer.ts";
import { SLICE_BYTES } from "../../vfs/open_file.ts";
import { addressOut, readHeader, socketOf } from "./arguments.ts";
import { controlOut } from "./control.ts";
import { waitForSocket } from "./socket_wait.ts";

const message = new Message();

/** recvfrom(2). */
export function sysRecvfrom(t: Task, a: SyscallArgs): number {
  const r = t.io.set(a.u64(1), a.u64(2));
  if (r < 0) return r;
  const n = receivePrepared(t, a.i32(0), a.i32(3));
  if (n < 0 || a.u64(4) === 0) return n;
  const failed = addressOut(t, a.u64(4), a.u64(5), message.name);
  return failed < 0 ? failed : n;
}

/** Receives into the task's cursor, which is set up already. */
export function receivePrepared(t: Task, fd: number, flags: number): number {
  const socket = socketOf(t, fd);
  if (typeof socket === "number") return socket;
  start(t, flags);
  const n = collect(t, socket);
  message.dropRights();
  return n;
}

/**
 * User addresses and sizes of the buffers for a message's address and control messages; the results
 * are the bytes stored and the flags.
 */
export interface MessageRoom {
  readonly name: number;
  readonly nameRoom: number;
  readonly control: number;
  readonly controlRoom: number;
  nameBytes: number;
  controlBytes: number;
  flags: number;
}

/** Receives a message with its address and control messages into the task's cursor. */
export function receiveMessage(t: Task, fd: number, flags: number, room: MessageRoom): number {
  const socket = socketOf(t, fd);
  if (typeof socket === "number") return socket;
  start(t, flags);
  const n = collect(t, socket);
  if (n < 0) return n;
  const used = controlOut(t, socket, message, room.control, room.controlRoom);
  message.dropRights();
  if (used < 0) return used;
  const { name } = message, kept = Math.min(name.length, room.nameRoom);
  if (kept > 0 && t.mm.copyOut(room.name, name.u8, 0, kept) < 0) return -EFAULT;
  room.nameBytes = name.length;
  room.controlBytes = used;
  room.flags = message.outFlags;
  return n;
}

/** recvmsg(2). */
export function sysRecvmsg(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  return typeof socket === "number" ? socket : receiveOne(t, socket, a.u64(1), a.i32(2));
}

/**
 * recvmmsg(2). As on Linux the timeout is checked between messages only, so it does not bound the
 * wait for the first. The time left is written back.
 */
export function sysRecvmmsg(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const addr = a.u64(1), count = Math.min(a.u32(2), UIO_MAXIOV), timeout = a.u64(4);
  const p = t.progress;
  if (timeout !== 0 && p.value === 0) {
    const spanNs = readSpan(t, timeout);
    if (spanNs < 0) return spanNs;
    p.value = t.kernel.now() + spanNs;
  }
  let flags = a.i32(3);
  while (p.step < count) {
    if (p.step > 0 && (flags & MSG_WAITFORONE) !== 0) flags |= MSG_DONTWAIT;
    const at = addr + p.step * Mmsghdr.size;
    const n = receiveOne(t, socket, at, flags & ~MSG_WAITFORONE);
    if (n === BLOCK) return BLOCK;
    if (n < 0 || t.mm.store32(at + Mmsghdr.at.len, n) < 0) {
      if (p.step === 0) return n < 0 ? n : -EFAULT;
      break;
    }
    p.step++;
    p.done = 0;
    if (timeout !== 0 && t.kernel.now() >= p.value) break;
  }
  if (timeout !== 0) {
    const left = Math.max(0, p.value - t.kernel.now());
    if (left !== Infinity && storeSpan(t, timeout, left) < 0) return -EFAULT;
  }
  return p.step;
}

function start(t: Task, flags: number): void {
  message.reset(flags);
  message.caller = t;
}

function receiveOne(t: Task, socket: Socket, addr: number, flags: number): number {
  start(t, flags);
  const header = readHeader(t, addr);
  if (typeof header === "number") return header;
  const { name, iov, iovCount, control, controlBytes } = header;
  if (iovCount > UIO_MAXIOV) return -EMSGSIZE;
  const r = t.io.setIov(iov, iovCount);
  if (r < 0) return r;
  const n = collect(t, socket);
  if (n < 0) return n;
  const used = controlOut(t, socket, message, control, controlBytes);
  message.dropRights();
  if (used < 0) return used;
  if (name !== 0) {
    const failed = addressOut(t, name, addr + Msghdr.at.namelen, message.name);
    if (failed < 0) return failed;
  }
  const out = message.outFlags | (flags & MSG_CMSG_CLOEXEC);
  const failed = t.mm.store32(addr + Msghdr.at.flags, out) < 0 ||
    t.mm.store64(addr + Msghdr.at.controllen, used) < 0;
  return failed ? -EFAULT : n;
}

/**
 * Receives into the cursor. A stream goes on until it has what MSG_WAITALL or SO_RCVLOWAT ask for;
 * while it waits, `progress.done` has the bytes so far (0 for MSG_PEEK, which starts again).
 */
function collect(t: Task, socket: Socket): number {
  const { io, progress } = t, { flags } = message;
  // Families without an error queue ignore the flag.
  const hasErrors = socket.family !== AF_UNIX && socket.family !== AF_NETLINK;
  if ((flags & MSG_ERRQUEUE) !== 0 && hasErrors) return socket.receiveError(io, message);
  const isPeek = (flags & MSG_PEEK) !== 0, isStream = socket.type === SOCK_STREAM;
  // The offset at which MSG_PEEK begins (SO_PEEK_OFF).
  const from = isPeek ? Math.max(0, socket.options.peekOffset) : 0;
  let total = progress.done;
  if (total > 0) io.advance(total);
  const wanted = total + io.remaining;
  // MSG_PEEK of a UNIX socket does not wait for more bytes, of TCP it does.
  const waitsForAll = (flags & MSG_WAITALL) !== 0 && !(isPeek && socket.family === AF_UNIX);
  const target = waitsForAll ? wanted : Math.min(socket.options.receiveLowWater, wanted);
  const nonblocking = socket.isNonblocking || (flags & MSG_DONTWAIT) !== 0;
  const enough = total + SLICE_BYTES;
  let n: number;
  do {
    message.skipped = isPeek ? from + total : 0;
    n = socket.receive(io, message);
    if (n > 0) {
      total += n;
      if (!isPeek) socket.movePeekOffset(false, n);
    }
    if (total >= enough && total < target && !isPeek) {
      progress.done = total;
      return endTurn(t, nonblocking);
    }
  } while (isStream && n > 0 && total < target && !message.isWhole);
  if (n >= 0) {
    if (isPeek) socket.movePeekOffset(true, total);
    return total;
  }
  if (n === -EAGAIN && socket.needsTurn) return t.yieldTurn();
  if (n === -EAGAIN && !nonblocking) {
    if (!isPeek) progress.done = total;
    n = waitForSocket(t, socket, READABLE, socket.options.receiveTimeoutNs);
    if (n === BLOCK) return n;
  } else if (total > 0 && n !== -EAGAIN && n !== -EFAULT) {
    // The next call returns the error.
    socket.error = -n;
  }
  if (isPeek && total > 0) socket.movePeekOffset(true, total);
  return total > 0 ? total : n;
}
