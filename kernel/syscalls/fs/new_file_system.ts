/**
 * Makes file systems for mount(2) and fsconfig(2): decides which callers may make one, and which
 * user namespace owns it.
 */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EPERM } from "../../../ffi/abi/errno.ts";
import { hasCap, hasCapIn } from "../../cred/credentials.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../../cred/user_namespace.ts";
import type { FsType } from "../../fs/fs_types.ts";
import type { Task } from "../../task/task.ts";
import type { FileSystem } from "../../vfs/inode.ts";

/**
 * Makes a file system of this type that belongs to `owner`, or -errno. An existing one that is
 * mounted again keeps its owner.
 */
export function makeFileSystem(
  t: Task,
  type: FsType,
  owner: UserNamespace,
  source: string,
  options: string,
): FileSystem | number {
  const may = type.isForUsers
    ? hasCapIn(t.cred, owner, CAP_SYS_ADMIN)
    : hasCap(t.cred, CAP_SYS_ADMIN);
  if (!may) return -EPERM;
  const fs = type.create(t, source, options);
  if (typeof fs === "number") return fs;
  if (fs.mounts === 0 && !fs.hasFixedOwner) fs.owner = owner;
  fs.source = source;
  return fs;
}

/**
 * The user namespace whose capabilities count for the file system: the owner of the namespace that
 * it shows.
 */
export function ownerOf(t: Task, type: FsType): UserNamespace {
  return shownOwner(t, type) ?? INITIAL_USER_NAMESPACE;
}

function shownOwner(t: Task, type: FsType): UserNamespace | null {
  switch (type.shows) {
    case "pid":
      return t.pids.owner;
    case "net":
      return t.ns.net.owner;
    case "ipc":
      return t.ns.ipc.owner;
    case "cgroup":
      return t.ns.cgroup.owner;
    default:
      return t.cred.userNs;
  }
}
