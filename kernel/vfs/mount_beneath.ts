/**
 * Two flags of move_mount(2): MOVE_MOUNT_BENEATH puts a mount below another one, which can then be
 * unmounted; MOVE_MOUNT_SET_GROUP copies the propagation of a mount to another. The checks come in
 * Linux's order (fs/namespace.c). kernel/syscalls/fs/mount_tree.ts calls both.
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL, ELOOP, EPERM } from "../../ffi/abi/errno.ts";
import { hasCapIn } from "../cred/credentials.ts";
import { isDirectory } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { Dentry, Mount, Path } from "./dentry.ts";
import { hasLockedChild } from "./mount_operations.ts";
import { hasUnbindable } from "./mount_trees.ts";
import { listenersOf, setMaster } from "./propagation.ts";

/**
 * MOVE_MOUNT_BENEATH. `from` is an attached mount, or the root of a tree that is not attached yet.
 * The mounts on top of `to` stay on top.
 */
export function moveBeneath(caller: Caller, from: Path, to: Path): number {
  const { namespace } = caller.fs, { mount } = from, isAttached = mount.parent !== null;
  const at = namespace.topOf(to), top = at.mount;
  if (!namespace.owns(top) || (isAttached && !namespace.owns(mount))) return -EINVAL;
  if (mount.isLocked || from.dentry !== mount.root) return -EINVAL;
  if (isDir(at.dentry) !== isDir(from.dentry)) return -EINVAL;
  if (mount.parent !== null && mount.parent.peers !== null) return -EINVAL;
  const { parent, mountpoint } = top;
  if (parent === null || mountpoint === null || at.dentry !== top.root) return -EINVAL;
  if (top.isLocked || top === caller.fs.root.mount || isAbove(top, mount)) return -EINVAL;
  // Propagation would put a copy on top of one of the two mounts.
  if (propagatesOnto(parent, top, mountpoint)) return -EINVAL;
  if (isAttached && propagatesOnto(parent, mount, mountpoint)) return -EINVAL;
  if (parent.peers !== null && hasUnbindable(mount)) return -EINVAL;
  return isAbove(mount, parent) ? -ELOOP : namespace.insertBeneath(mount, top, caller.account);
}

/**
 * MOVE_MOUNT_SET_GROUP: `to`, which is private, becomes a peer of `from`'s peers and a slave of its
 * master.
 */
export function setPropagationGroup(caller: Caller, from: Path, to: Path): number {
  const mount = to.mount, model = from.mount;
  if (isUnmounted(model) || isUnmounted(mount)) return -EINVAL;
  if (!mayChange(caller, model) || !mayChange(caller, mount)) return -EPERM;
  if (from.dentry !== model.root || to.dentry !== mount.root) return -EINVAL;
  if (model.fs !== mount.fs || !model.root.isAncestorOf(mount.root)) return -EINVAL;
  if (hasLockedChild(model, mount.root)) return -EINVAL;
  if (mount.peers !== null || mount.master !== null) return -EINVAL;
  if (model.peers === null && model.master === null) return -EINVAL;
  setMaster(mount, model.master);
  if (model.peers !== null) {
    mount.isUnbindable = false;
    mount.peers = model.peers;
    model.peers.members.add(mount);
  }
  mount.namespace?.changed();
  return 0;
}

/** The mount was unmounted, and only its users keep it. */
function isUnmounted(mount: Mount): boolean {
  return mount.namespace === null && mount.isDetached;
}

/** A mount that is not attached yet belongs to the holder of its descriptor. */
function mayChange(caller: Caller, { namespace }: Mount): boolean {
  if (namespace === null) return true;
  return namespace.owner !== null && hasCapIn(caller.cred, namespace.owner, CAP_SYS_ADMIN);
}

/** Whether `mount` is `below` or one of its ancestors. */
function isAbove(mount: Mount, below: Mount): boolean {
  for (let m: Mount | null = below; m !== null; m = m.parent) if (m === mount) return true;
  return false;
}

/** Whether a mount on (parent, at) is propagated to the top of `mount`. */
function propagatesOnto(parent: Mount, mount: Mount, at: Dentry): boolean {
  return mount.root === at && listenersOf(parent, at).some((l) => l.mount === mount);
}

function isDir(dentry: Dentry): boolean {
  return dentry.inode !== null && isDirectory(dentry.inode);
}
