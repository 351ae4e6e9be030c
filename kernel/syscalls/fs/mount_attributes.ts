/**
 * mount_setattr(2), and the attributes of it and of fsmount(2): MOUNT_ATTR_* as MS_* of a mount.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { E2BIG, EBUSY, EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW,
} from "../../../ffi/abi/fcntl.ts";
import * as M from "../../../ffi/abi/mount.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import type { Mount } from "../../vfs/dentry.ts";
import { changePropagation, mayChangeFlags, mayMount } from "../../vfs/mount_operations.ts";
import { treeOf } from "../../vfs/mount_trees.ts";
import { findAt } from "./arguments.ts";
import { isNowhere } from "./mount_file.ts";

const PLAIN: readonly (readonly [number, number])[] = [
  [M.MOUNT_ATTR_RDONLY, M.MS_RDONLY],
  [M.MOUNT_ATTR_NOSUID, M.MS_NOSUID],
  [M.MOUNT_ATTR_NODEV, M.MS_NODEV],
  [M.MOUNT_ATTR_NOEXEC, M.MS_NOEXEC],
  [M.MOUNT_ATTR_NODIRATIME, M.MS_NODIRATIME],
  [M.MOUNT_ATTR_NOSYMFOLLOW, M.MS_NOSYMFOLLOW],
];
const KNOWN = M.MOUNT_ATTR_RDONLY | M.MOUNT_ATTR_NOSUID | M.MOUNT_ATTR_NODEV |
  M.MOUNT_ATTR_NOEXEC | M.MOUNT_ATTR_NODIRATIME | M.MOUNT_ATTR_NOSYMFOLLOW |
  M.MOUNT_ATTR__ATIME;
const ATIMES = M.MS_RELATIME | M.MS_NOATIME;
const PROPAGATIONS: readonly number[] = [M.MS_SHARED, M.MS_PRIVATE, M.MS_SLAVE, M.MS_UNBINDABLE];

/** The MS_* flags of a mount with these attributes, or -EINVAL. */
export function flagsOfAttributes(attributes: number): number {
  if ((attributes & ~KNOWN) !== 0) return -EINVAL;
  const atime = attributes & M.MOUNT_ATTR__ATIME;
  const r = atimeFlags(atime);
  return r < 0 ? r : plainFlags(attributes) | r;
}

function plainFlags(attributes: number): number {
  let flags = 0;
  for (const [attribute, ms] of PLAIN) if ((attributes & attribute) !== 0) flags |= ms;
  return flags;
}

function atimeFlags(atime: number): number {
  if (atime === M.MOUNT_ATTR_RELATIME) return M.MS_RELATIME;
  if (atime === M.MOUNT_ATTR_NOATIME) return M.MS_NOATIME;
  return atime === M.MOUNT_ATTR_STRICTATIME ? 0 : -EINVAL;
}

/** The attributes of a mount with these MS_* flags. */
export function attributesOfFlags(flags: number): number {
  let attributes = 0;
  for (const [attribute, ms] of PLAIN) if ((flags & ms) !== 0) attributes |= attribute;
  if ((flags & M.MS_NOATIME) !== 0) return attributes | M.MOUNT_ATTR_NOATIME;
  return (flags & M.MS_RELATIME) !== 0 ? attributes : attributes | M.MOUNT_ATTR_STRICTATIME;
}

const KNOWN_AT = AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

export function sysMountSetattr(t: Task, a: SyscallArgs): number {
  const flags = a.u32(2), size = a.u64(4), { u8, dv } = t.kernel.scratch;
  if ((flags & ~KNOWN_AT) !== 0) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < M.MountAttr.size) return -EINVAL;
  const may = mayMount(t);
  if (may < 0) return may;
  if (t.mm.copyIn(u8, 0, a.u64(3), size) < 0) return -EFAULT;
  for (let i = M.MountAttr.size; i < size; i++) if (u8[i] !== 0) return -E2BIG;
  const word = (at: number): number =>
    dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
  const { at } = M.MountAttr;
  const set = word(at.attrSet), clear = word(at.attrClr), propagation = word(at.propagation);
  if (set + clear + propagation === 0) return 0;
  const r = checkAttributes(set, clear, propagation);
  if (r < 0) return r;
  const path = findAt(t, a.i32(0), a.u64(1), {
    follows: (flags & AT_SYMLINK_NOFOLLOW) === 0,
    mayBeEmpty: (flags & AT_EMPTY_PATH) !== 0,
  });
  if (typeof path === "number") return path;
  if (path.dentry !== path.mount.root) return -EINVAL;
  const isRecursive = (flags & AT_RECURSIVE) !== 0;
  if (!t.fs.namespace.owns(path.mount) && !isNowhere(path.mount)) return -EINVAL;
  const changed = changeTree(path.mount, set, clear, isRecursive);
  if (changed < 0) return changed;
  t.fs.namespace.changed();
  if (propagation === 0) return 0;
  return changePropagation(t, path, propagation | (isRecursive ? M.MS_REC : 0));
}

/** Checks the combination of attributes (mount_setattr(2)). */
function checkAttributes(set: number, clear: number, propagation: number): number {
  if (set > 0xffffffff || clear > 0xffffffff || ((set | clear) & ~KNOWN) !== 0) return -EINVAL;
  if (propagation !== 0 && !PROPAGATIONS.includes(propagation)) return -EINVAL;
  // The modes of access times exclude each other: a change clears all and sets one.
  const cleared = clear & M.MOUNT_ATTR__ATIME, atime = set & M.MOUNT_ATTR__ATIME;
  if (cleared === 0) return atime === 0 ? 0 : -EINVAL;
  return cleared !== M.MOUNT_ATTR__ATIME || atimeFlags(atime) < 0 ? -EINVAL : 0;
}

/** Changes all mounts of the tree or none. */
function changeTree(top: Mount, set: number, clear: number, isRecursive: boolean): number {
  const mounts = isRecursive ? treeOf(top) : [top];
  for (const mount of mounts) {
    const flags = changedFlags(mount, set, clear);
    if (!mayChangeFlags(mount, flags)) return -EPERM;
    const becomesReadOnly = (flags & ~mount.flags & M.MS_RDONLY) !== 0;
    if (becomesReadOnly && mount.writers > 0) return -EBUSY;
  }
  for (const mount of mounts) mount.flags = changedFlags(mount, set, clear);
  return 0;
}

function changedFlags(mount: Mount, set: number, clear: number): number {
  const hasAtime = (clear & M.MOUNT_ATTR__ATIME) !== 0;
  const atime = hasAtime ? atimeFlags(set & M.MOUNT_ATTR__ATIME) : mount.flags & ATIMES;
  return (mount.flags & ~ATIMES & ~plainFlags(clear)) | plainFlags(set) | atime;
}
