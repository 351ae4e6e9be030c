/** Finds the UNIX socket that has a name. */

import { ECONNREFUSED } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET } from "../../../ffi/abi/landlock.ts";
import { S_IFMT, S_IFSOCK } from "../../../ffi/abi/stat.ts";
import { isScoped } from "../../landlock/domain.ts";
import { MAY_WRITE } from "../../cred/permission.ts";
import { inodePermission } from "../../vfs/access.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { Inode } from "../../vfs/inode.ts";
import { firstWalk, LOOKUP_FOLLOW } from "../../vfs/walk.ts";
import { type AbstractNames, isAbstract } from "./unix_names.ts";
import { UnixSocket } from "./unix_socket.ts";

/**
 * The socket of the sandbox that has the name, or an inode that may have a socket of the host.
 * -ECONNREFUSED: none; -EACCES; -errno of the walk.
 */
export function findSocket(
  caller: Caller,
  names: AbstractNames,
  name: string,
): UnixSocket | Inode | number {
  if (isAbstract(name)) return names.get(name) ?? -ECONNREFUSED;
  const walk = firstWalk(caller);
  const r = walk.run(caller, AT_FDCWD, name, LOOKUP_FOLLOW);
  if (r < 0) return r;
  const inode = walk.inode;
  const may = inodePermission(inode, MAY_WRITE, caller.cred);
  if (may < 0) return may;
  if ((inode.mode & S_IFMT) !== S_IFSOCK) return -ECONNREFUSED;
  if (inode.special instanceof UnixSocket) return inode.special;
  const { hostIdentity } = inode;
  if (hostIdentity === "") return inode;
  const other = caller.fs.namespace.vfs.hostSockets.get(hostIdentity);
  return other instanceof UnixSocket ? other : inode;
}

/**
 * Whether landlock(7) forbids the caller to connect to an abstract name of a socket outside its
 * domain.
 */
export function isOutOfScope(caller: Caller, other: UnixSocket): boolean {
  const server = other.cred === null ? null : other.cred.domain;
  return isAbstract(other.name) &&
    isScoped(caller.cred.domain, server, LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET);
}
