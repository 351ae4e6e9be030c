/**
 * A UNIX socket with a name in a directory that is held open: what a guest's bind(2) makes with
 * --host-uds=create.
 */

import { EADDRINUSE, EEXIST, ENAMETOOLONG } from "../../ffi/abi/errno.ts";
import {
  AF_UNIX,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SockaddrUn,
  UNIX_PATH_MAX,
} from "../../ffi/abi/socket.ts";
import { S_IFSOCK } from "../../ffi/abi/stat.ts";
import { SYS_bind, SYS_listen, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { type Maker, settle } from "./create.ts";
import { closeFd, openPath, unlinkAt } from "./host_calls.ts";
import { mem, NAME_ADDRESS, NAME_AT } from "./scratch.ts";

/** LIMIT: host programs that connected and were not accepted yet. */
const BACKLOG = 128;

/**
 * Makes a stream socket with the name that is staged in slot 0, which must be free, and listens.
 * Returns its descriptor, non-blocking, with the attributes of its file in the statx buffer; -errno
 * as mknod(2). The client that gets the descriptor accepts connections; until then they wait.
 */
export function bindListener(
  dirFd: number,
  mode: number,
  uid: number,
  gid: number,
  maker: Maker,
): number {
  const flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const socket = syscall(SYS_socket, AF_UNIX, flags, 0);
  if (socket < 0) return socket;
  let r = bindIn(socket, dirFd, maker);
  if (r < 0) {
    closeFd(socket);
    return r === -EADDRINUSE ? -EEXIST : r;
  }
  const fd = openPath(dirFd, NAME_ADDRESS);
  r = fd < 0 ? fd : settle(fd, S_IFSOCK | (mode & 0o7777), uid, gid, maker);
  if (r >= 0) r = syscall(SYS_listen, socket, BACKLOG);
  if (fd >= 0) closeFd(fd);
  if (r >= 0) return socket;
  closeFd(socket);
  unlinkAt(dirFd, NAME_ADDRESS, 0);
  return r;
}

/**
 * Binds by a path through /proc/self/fd, since bind(2) takes no directory. An existing link with
 * that name is not followed.
 */
function bindIn(socket: number, dirFd: number, maker: Maker): number {
  const end = mem.indexOf(0, NAME_AT), prefix = `${maker.proc.prefix}${dirFd}/`;
  const bytes = prefix.length + end - NAME_AT;
  if (bytes >= UNIX_PATH_MAX) return -ENAMETOOLONG;
  const at = scratch.areaOffset(0), path = at + SockaddrUn.at.path;
  scratch.dv.setUint16(at + SockaddrUn.at.family, AF_UNIX, true);
  for (let i = 0; i < prefix.length; i++) scratch.u8[path + i] = prefix.charCodeAt(i);
  scratch.u8.set(mem.subarray(NAME_AT, end + 1), path + prefix.length);
  return syscall(SYS_bind, socket, scratch.area(0), SockaddrUn.at.path + bytes + 1);
}
