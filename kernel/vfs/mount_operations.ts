/**
 * mount(2), umount2(2), pivot_root(2) and chroot(2): the checks in Linux's order (fs/namespace.c);
 * mounts.ts then changes the tree. The callers (kernel/syscalls/fs) have made the file system and
 * resolved the paths.
 */

import { CAP_SYS_ADMIN, CAP_SYS_CHROOT } from "../../ffi/abi/capability.ts";
import {
  EACCES,
  EAGAIN,
  EBUSY,
  EINVAL,
  ELOOP,
  ENOENT,
  ENOSPC,
  ENOTDIR,
  EPERM,
} from "../../ffi/abi/errno.ts";
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from "../../ffi/abi/mount.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../ffi/abi/stat.ts";
import { MOUNTS } from "../core/quota.ts";
import { hasCapIn, hasOwnCap } from "../cred/credentials.ts";
import { MAY_EXEC } from "../cred/permission.ts";
import { inodePermission } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { Dentry, Mount, Path } from "./dentry.ts";
import { rootDentryOf } from "./dentry_cache.ts";
import type { FileSystem } from "./inode.ts";
import { newMount } from "./mount_links.ts";
import { hasUnbindable, treeOf } from "./mount_trees.ts";
import { MountNamespace } from "./mounts.ts";
import { makePrivate, makeShared, makeSlave } from "./propagation.ts";
import { locksOfNewMount } from "./revealing.ts";
import { isBusyElsewhere } from "./umount_propagation.ts";

const ATIME_FLAGS = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;
const MOUNT_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME |
  MS_RELATIME | MS_NOSYMFOLLOW;

/**
 * 0 when the caller has CAP_SYS_ADMIN in the mount namespace, which all of these calls need; else
 * -EPERM.
 */
export function mayMount(caller: Caller): number {
  const { owner } = caller.fs.namespace;
  return owner !== null && hasCapIn(caller.cred, owner, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

/**
 * `mayMount` for the calls that a landlock(7) domain forbids: those that change what paths lead to.
 */
export function mayChangePaths(caller: Caller): number {
  const { domain } = caller.cred;
  return domain !== null && domain.all.fs !== 0 ? -EPERM : mayMount(caller);
}

/** The flags of mount(2) that belong to the mount; relatime is the default. */
export function mountFlags(flags: number): number {
  let f = flags & MOUNT_FLAGS;
  if ((flags & (MS_NOATIME | MS_STRICTATIME)) === 0) f |= MS_RELATIME;
  else f &= ~MS_RELATIME;
  return f;
}

/** mount(2) of a new file system at `at`. A failure destroys the file system. */
export function addMount(
  caller: Caller,
  fs: FileSystem,
  at: Path,
  flags: number,
  source: string,
): number {
  const namespace = caller.fs.namespace;
  const root = rootDentryOf(fs), ownFlags = mountFlags(flags);
  const locks = locksOfNewMount(namespace, fs, ownFlags);
  const mount = newMount(caller.account, namespace.vfs, fs, root, ownFlags, source);
  const top = namespace.topOf(at);
  let r = 0;
  if (typeof locks === "number") r = locks;
  else if (!MOUNTS.hasRoom(0, caller.account)) r = -ENOSPC;
  else if (top.mount.fs === fs && top.dentry === top.mount.root) r = -EBUSY;
  else if (root.inode !== null && (root.inode.mode & S_IFMT) === S_IFLNK) r = -EINVAL;
  else {
    mount.lockFlags(locks.flags, locks.hasAtime);
    r = namespace.attach(mount, at);
  }
  if (r < 0) discard(mount);
  return r;
}

/** MS_BIND: shows `from` at `at` too; with MS_REC also the mounts below it. */
export function bindMount(caller: Caller, from: Path, at: Path, recursive: boolean): number {
  const namespace = caller.fs.namespace;
  if (!namespace.owns(at.mount) || isFileOfOlder(from.dentry, namespace)) return -EINVAL;
  const tree = cloneDetached(caller, from, recursive);
  if (typeof tree === "number") return tree;
  const r = namespace.attach(tree, at);
  if (r < 0) namespace.detach(tree);
  return r;
}

/** A copy of the mount at `from` that is not attached; or -EINVAL, -ENOSPC. */
export function cloneDetached(caller: Caller, from: Path, recursive: boolean): Mount | number {
  const namespace = caller.fs.namespace;
  if (from.mount.isUnbindable) return -EINVAL;
  // Files of nsfs are in no mount namespace, and can still be bound.
  const isNamespaceFile = from.mount.namespace === null && from.mount.fs.type === "nsfs";
  if (!isNamespaceFile && !namespace.owns(from.mount)) return -EINVAL;
  if (!recursive && hasLockedChild(from.mount, from.dentry)) return -EINVAL;
  return namespace.cloneTree(from.mount, from.dentry, recursive, caller.account);
}

/**
 * MS_REMOUNT: changes the file system's options and the mount's flags; with `onlyMount` (MS_BIND)
 * only the latter.
 */
export function remount(
  caller: Caller,
  path: Path,
  flags: number,
  onlyMount: boolean,
  options: string,
): number {
  const mount = path.mount;
  if (!caller.fs.namespace.owns(mount) || path.dentry !== mount.root) return -EINVAL;
  const keepsAtime = (flags & ATIME_FLAGS) === 0;
  const changed = keepsAtime
    ? (flags & MOUNT_FLAGS & ~ATIME_FLAGS) | (mount.flags & ATIME_FLAGS)
    : mountFlags(flags);
  if (!mayChangeFlags(mount, changed)) return -EPERM;
  if (!onlyMount) {
    if (!hasCapIn(caller.cred, mount.fs.owner, CAP_SYS_ADMIN)) return -EPERM;
    const r = mount.fs.remount(options);
    if (r < 0) return r;
    const readOnly = (flags & MS_RDONLY) !== 0;
    if (readOnly && !mount.fs.readOnly && mount.fs.writers > 0) return -EBUSY;
    mount.fs.readOnly = readOnly;
  } else if ((flags & MS_RDONLY) !== 0 && (mount.flags & MS_RDONLY) === 0 && mount.writers > 0) {
    return -EBUSY;
  }
  mount.flags = changed;
  caller.fs.namespace.changed();
  return 0;
}

/** MS_MOVE. */
export function moveMount(caller: Caller, from: Path, to: Path): number {
  const namespace = caller.fs.namespace;
  if (!namespace.owns(from.mount) || !namespace.owns(to.mount)) return -EINVAL;
  if (from.dentry !== from.mount.root || from.mount.parent === null) return -EINVAL;
  if (from.mount.isLocked || from.mount.parent.peers !== null) return -EINVAL;
  if (to.mount.peers !== null && hasUnbindable(from.mount)) return -EINVAL;
  return showsFileOfOlder(from.mount, namespace)
    ? -ELOOP
    : namespace.move(from.mount, to, caller.account);
}

/**
 * Whether it is the file of this mount namespace or an older one. Such a file may keep this
 * namespace alive, so it cannot be mounted here.
 */
function isFileOfOlder({ inode }: Dentry, namespace: MountNamespace): boolean {
  const shown = inode?.standsFor ?? null;
  return shown instanceof MountNamespace && shown.id <= namespace.id;
}

/** Whether a tree has such a file somewhere. */
export function showsFileOfOlder(tree: Mount, namespace: MountNamespace): boolean {
  return treeOf(tree).some((mount) => isFileOfOlder(mount.root, namespace));
}

/** Whether a mount may get these flags: the flags of a more privileged namespace are locked. */
export function mayChangeFlags(mount: Mount, flags: number): boolean {
  if ((mount.lockedFlags & ~flags) !== 0) return false;
  return !mount.hasLockedAtime || ((flags ^ mount.flags) & ATIME_FLAGS) === 0;
}

export function hasLockedChild(mount: Mount, within: Dentry): boolean {
  for (const [at, child] of mount.children) {
    if (child.isLocked && within.isAncestorOf(at)) return true;
  }
  return false;
}

/** MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE, each with or without MS_REC: 0 or -EINVAL. */
export function changePropagation(caller: Caller, path: Path, flags: number): number {
  const type = flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE);
  if (type === 0 || (type & (type - 1)) !== 0) return -EINVAL;
  if ((flags & 0xffff & ~(MS_REC | MS_SILENT)) !== 0) return -EINVAL;
  const { mount } = path, isNowhere = mount.namespace === null && !mount.isDetached;
  if (path.dentry !== mount.root) return -EINVAL;
  if (!caller.fs.namespace.owns(mount) && !isNowhere) return -EINVAL;
  setPropagation(caller, path.mount, type, (flags & MS_REC) !== 0);
  caller.fs.namespace.changed();
  return 0;
}

function setPropagation(caller: Caller, mount: Mount, type: number, recursive: boolean): void {
  const mounts = recursive ? treeOf(mount) : [mount];
  if (type === MS_SHARED) { for (const m of mounts) makeShared(m, caller.fs.namespace.vfs); }
  else if (type === MS_SLAVE) makeSlave(mounts);
  else makePrivate(mounts, type === MS_UNBINDABLE);
}

/** umount2(2): the topmost mount on `at` (a mount may cover a working directory). */
export function unmount(caller: Caller, at: Path, flags: number): number {
  if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  const namespace = caller.fs.namespace, path = namespace.topOf(at), mount = path.mount;
  if (path.dentry !== mount.root || !namespace.owns(mount) || mount.isLocked) return -EINVAL;
  const forces = (flags & MNT_FORCE) !== 0;
  if (forces && !hasCapIn(caller.cred, mount.fs.owner, CAP_SYS_ADMIN)) return -EPERM;
  if ((flags & MNT_EXPIRE) !== 0) {
    if (mount === caller.fs.root.mount || (flags & (MNT_FORCE | MNT_DETACH)) !== 0) return -EINVAL;
    if (mount.pins > 0 || mount.children.size > 0) return -EBUSY;
    if (!mount.isExpiring) {
      mount.isExpiring = true;
      return -EAGAIN;
    }
  }
  if (mount === namespace.root) return mount.parent === null ? -EINVAL : -EBUSY;
  if ((flags & MNT_DETACH) === 0) {
    if (mount.pins > 0 || mount.children.size > 0) return -EBUSY;
    if (isBusyElsewhere(mount)) return -EBUSY;
  }
  namespace.unmountTree(mount);
  return 0;
}

/**
 * pivot_root(2). `contexts` are all FsContexts of the namespace: those at the old root move to the
 * new one.
 */
export function pivotRoot(
  caller: Caller,
  newRoot: Path,
  putOld: Path,
  contexts: Iterable<Caller["fs"]>,
): number {
  const namespace = caller.fs.namespace, root = caller.fs.root;
  if (!isDirectory(newRoot) || !isDirectory(putOld)) return -ENOTDIR;
  // The change must not propagate.
  const shared = [putOld.mount, newRoot.mount.parent, root.mount.parent];
  if (shared.some((m) => m !== null && m.peers !== null)) return -EINVAL;
  if (!namespace.owns(newRoot.mount) || !namespace.owns(root.mount)) return -EINVAL;
  if (newRoot.mount.isLocked) return -EINVAL;
  if (newRoot.dentry.isUnlinked) return -ENOENT;
  if (newRoot.mount === root.mount || putOld.mount === root.mount) return -EBUSY;
  if (root.dentry !== root.mount.root || newRoot.dentry !== newRoot.mount.root) return -EINVAL;
  if (newRoot.mount.parent === null) return -EINVAL;
  if (!putOld.isBelow(newRoot) || !newRoot.isBelow(root)) return -EINVAL;
  if (root.mount.isLocked) {
    newRoot.mount.isLocked = true;
    root.mount.isLocked = false;
  }
  namespace.swapRoot(root.mount, newRoot.mount, putOld);
  for (const fs of contexts) {
    const cwd = fs.cwd;
    if (fs.root.isSame(root)) fs.setRoot(newRoot);
    if (cwd.isSame(root)) fs.setCwd(newRoot);
  }
  return 0;
}

/** chroot(2): `path` must be a directory that the caller may search. */
export function changeRoot(caller: Caller, path: Path): number {
  const inode = path.dentry.inode;
  if (inode === null) return -ENOENT;
  const r = inodePermission(inode, MAY_EXEC, caller.cred);
  if (r < 0) return -EACCES;
  if (!hasOwnCap(caller.cred, CAP_SYS_CHROOT)) return -EPERM;
  caller.fs.setRoot(path);
  return 0;
}

function isDirectory(path: Path): boolean {
  return path.dentry.inode !== null && (path.dentry.inode.mode & S_IFMT) === S_IFDIR;
}

function discard(mount: Mount): void {
  mount.isDetached = true;
  mount.retireIfUnused();
}
