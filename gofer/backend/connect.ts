/** Connects to a UNIX socket that an O_PATH descriptor holds. */

import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { SockaddrUn } from "../../ffi/abi/socket.ts";
import { SYS_connect, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { closeFd, type ProcFd } from "./host_calls.ts";

/**
 * Returns a connected, non-blocking stream socket; -EPROTOTYPE for a socket of another type,
 * -ECONNREFUSED, or another error of the host.
 */
export function connectHeld(fd: number, proc: ProcFd): number {
  const socket = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return socket;
  const at = scratch.areaOffset(0), path = `${proc.prefix}${fd}`;
  scratch.dv.setUint16(at + SockaddrUn.at.family, AF_UNIX, true);
  for (let i = 0; i <= path.length; i++) {
    scratch.dv.setUint8(at + SockaddrUn.at.path + i, i < path.length ? path.charCodeAt(i) : 0);
  }
  const length = SockaddrUn.at.path + path.length + 1;
  const r = syscall(SYS_connect, socket, scratch.area(0), length);
  if (r >= 0) return socket;
  closeFd(socket);
  return r;
}
