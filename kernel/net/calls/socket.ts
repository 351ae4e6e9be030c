/**
 * socket(2), socketpair(2), bind(2), listen(2), accept(2), connect(2), shutdown(2), getsockname(2),
 * getpeername(2).
 */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { EAGAIN, EFAULT, EINPROGRESS, EINVAL, EMFILE, ENFILE } from "../../../ffi/abi/errno.ts";
import {
  LANDLOCK_ACCESS_NET_BIND_TCP,
  LANDLOCK_ACCESS_NET_CONNECT_TCP,
} from "../../../ffi/abi/landlock.ts";
import { SHUT_RDWR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOMAXCONN } from "../../../ffi/abi/socket.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { OPEN_FILES } from "../../core/quota.ts";
import type { Task } from "../../task/task.ts";
import { installNew } from "../../syscalls/io/install.ts";
import { installPair } from "../../syscalls/io/pipe.ts";
import { READABLE, WRITABLE } from "../../syscalls/io/transfer.ts";
import { addressIn, addressOut, socketOf } from "./arguments.ts";
import { mayUsePort } from "../../landlock/calls/net_access.ts";
import { SocketAddress } from "../message.ts";
import { waitForSocket } from "./socket_wait.ts";

const TYPE_MASK = 15;
const TYPE_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK;

/** The address of the running call. */
const address = new SocketAddress();

/** socket(2). */
export function sysSocket(t: Task, a: SyscallArgs): number {
  const flags = a.i32(1) & ~TYPE_MASK, type = a.i32(1) & TYPE_MASK;
  if (flags & ~TYPE_FLAGS) return -EINVAL;
  const family = t.ns.net.familyOf(a.i32(0), type);
  if (typeof family === "number") return family;
  const socket = family.create(t, type, a.i32(2));
  if (typeof socket === "number") return socket;
  socket.flags |= flags & SOCK_NONBLOCK;
  socket.cred = t.cred;
  return installNew(t, socket, (flags & SOCK_CLOEXEC) !== 0);
}

/** socketpair(2). */
export function sysSocketpair(t: Task, a: SyscallArgs): number {
  const flags = a.i32(1) & ~TYPE_MASK, type = a.i32(1) & TYPE_MASK;
  if (flags & ~TYPE_FLAGS) return -EINVAL;
  // Linux stores the descriptors first, so a bad pointer fails before all else.
  const addr = a.u64(3);
  if (t.mm.store32(addr, 0) < 0 || t.mm.store32(addr + 4, 0) < 0) return -EFAULT;
  const family = t.ns.net.familyOf(a.i32(0), type);
  if (typeof family === "number") return family;
  const pair = family.createPair(t, type, a.i32(2));
  if (typeof pair === "number") return pair;
  pair[0].flags |= flags & SOCK_NONBLOCK;
  pair[1].flags |= flags & SOCK_NONBLOCK;
  pair[0].cred = pair[1].cred = t.cred;
  return installPair(t, addr, pair[0], pair[1], (flags & SOCK_CLOEXEC) !== 0);
}

/** bind(2). */
export function sysBind(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const r = addressIn(t, a.u64(1), a.i32(2), address);
  if (r < 0) return r;
  const may = mayUsePort(t.cred.domain, socket, address, LANDLOCK_ACCESS_NET_BIND_TCP);
  return may < 0 ? may : socket.bind(t, address);
}

/** listen(2) */
export function sysListen(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0)), backlog = a.i32(1);
  if (typeof socket === "number") return socket;
  const most = socket.net.number("net/core/somaxconn", SOMAXCONN);
  return socket.listen(t, backlog < 0 ? most : Math.min(backlog, most));
}

/** accept(2). */
export function sysAccept(t: Task, a: SyscallArgs): number {
  return accept(t, a, 0);
}

/** accept4(2). */
export function sysAccept4(t: Task, a: SyscallArgs): number {
  const flags = a.i32(3);
  return flags & ~TYPE_FLAGS ? -EINVAL : accept(t, a, flags);
}

function accept(t: Task, a: SyscallArgs, flags: number): number {
  const listener = socketOf(t, a.i32(0));
  if (typeof listener === "number") return listener;
  if (!t.files.hasRoom(t.group.limits.get(RLIMIT_NOFILE))) return -EMFILE;
  // A connection for which there is no room stays in the backlog: `install` asks for one more.
  if (!OPEN_FILES.hasRoom(2, t.account)) return -ENFILE;
  const socket = listener.accept(t.account);
  if (typeof socket === "number") {
    if (socket !== -EAGAIN || listener.isNonblocking) return socket;
    return waitForSocket(t, listener, READABLE, listener.options.receiveTimeoutNs);
  }
  socket.flags |= flags & SOCK_NONBLOCK;
  socket.cred = t.cred;
  if (a.u64(1) !== 0) {
    // Linux shows a peer that is gone as unnamed.
    if (socket.peerName(address) < 0) address.start(socket.family, 2);
    const r = addressOut(t, a.u64(1), a.u64(2), address);
    if (r < 0) {
      socket.drop();
      return r;
    }
  }
  return installNew(t, socket, (flags & SOCK_CLOEXEC) !== 0);
}

/** connect(2). When a signal interrupts the wait, a TCP socket goes on connecting. */
export function sysConnect(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const r = addressIn(t, a.u64(1), a.i32(2), address);
  if (r < 0) return r;
  const may = mayUsePort(t.cred.domain, socket, address, LANDLOCK_ACCESS_NET_CONNECT_TCP);
  if (may < 0) return may;
  const nonblocking = socket.isNonblocking;
  const n = socket.connect(t, address, nonblocking);
  if (n !== -EAGAIN || nonblocking) return n;
  const waited = waitForSocket(t, socket, WRITABLE, socket.options.sendTimeoutNs);
  return waited === -EAGAIN && socket.blockedOn === socket.queue ? -EINPROGRESS : waited;
}

/** shutdown(2). */
export function sysShutdown(t: Task, a: SyscallArgs): number {
  const how = a.i32(1);
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  return how < 0 || how > SHUT_RDWR ? -EINVAL : socket.shutdown(how);
}

/** getsockname(2). */
export function sysGetsockname(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const r = socket.localName(address);
  return r < 0 ? r : addressOut(t, a.u64(1), a.u64(2), address);
}

/** getpeername(2). */
export function sysGetpeername(t: Task, a: SyscallArgs): number {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const r = socket.peerName(address);
  return r < 0 ? r : addressOut(t, a.u64(1), a.u64(2), address);
}
