/** getsockopt(2), setsockopt(2). */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { SO_PEERPIDFD, SOL_SOCKET } from "../../../ffi/abi/socket.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { OptionValue } from "../socket_options.ts";
import type { Socket } from "../socket.ts";
import type { Task } from "../../task/task.ts";
import { socketOf } from "./arguments.ts";
import { getPeerPidfd } from "./peer_pidfd.ts";

const value = new OptionValue();

/** LIMIT: longer values are cut; no option has a longer one. */
const MAX_BYTES = value.u8.length;

/** setsockopt(2). */
export function sysSetsockopt(t: Task, a: SyscallArgs): number {
  const level = a.i32(1), name = a.i32(2), length = a.i32(4);
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  if (length < 0) return -EINVAL;
  value.u8.fill(0, 0, 128);
  value.length = Math.min(length, MAX_BYTES);
  if (length > 0 && t.mm.copyIn(value.u8, 0, a.u64(3), value.length) < 0) return -EFAULT;
  value.asker = t;
  value.user = t.mm;
  return level === SOL_SOCKET
    ? socket.setSocketOption(t, name, value)
    : socket.setProtocolOption(level, name, value);
}

/** getsockopt(2). */
export function sysGetsockopt(t: Task, a: SyscallArgs): number {
  const lengthAddr = a.u64(4), socket = socketOf(t, a.i32(0));
  if (typeof socket === "number") return socket;
  const room = t.mm.load32(lengthAddr);
  if (room < 0) return -EFAULT;
  const level = a.i32(1), name = a.i32(2);
  const length = readOption(t, socket, level, name, a.u64(3), room | 0);
  if (length < 0) return length;
  return t.mm.store32(lengthAddr, length) < 0 ? failStore(t, level, name) : 0;
}

/** The caller learned no value: closes the pidfd that is one. */
function failStore(t: Task, level: number, name: number): number {
  if (level === SOL_SOCKET && name === SO_PEERPIDFD) t.files.close(value.int);
  return -EFAULT;
}

/**
 * Stores an option's value at `addr`, which has room for `room` bytes: the length to report, or
 * -errno.
 */
export function readOption(
  t: Task,
  socket: Socket,
  level: number,
  name: number,
  addr: number,
  room: number,
): number {
  if (room < 0 && level === SOL_SOCKET) return -EINVAL;
  value.length = Math.min(room, MAX_BYTES);
  value.unit = 1;
  value.asked = room >= 4 ? t.mm.load32(addr) | 0 : 0;
  value.askedAt = addr;
  value.asker = t;
  value.user = t.mm;
  const r = getOption(t, socket, level, name);
  if (r < 0) return r;
  // Some families take a negative length as unlimited.
  const n = room < 0 ? value.length : Math.min(room, value.length), bytes = n * value.unit;
  if (n > 0 && t.mm.copyOut(addr, value.u8, 0, bytes) < 0) return failStore(t, level, name);
  return value.unit === 1 ? n : value.length;
}

function getOption(t: Task, socket: Socket, level: number, name: number): number {
  if (level !== SOL_SOCKET) return socket.getProtocolOption(level, name, value);
  return name === SO_PEERPIDFD
    ? getPeerPidfd(t, socket, value)
    : socket.getSocketOption(name, value);
}
