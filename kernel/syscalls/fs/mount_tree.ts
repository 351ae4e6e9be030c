/** Attaching mounts by descriptors: open_tree(2), move_mount(2). */

import { EINVAL, ELOOP, ENOTDIR } from "../../../ffi/abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_PATH,
} from "../../../ffi/abi/fcntl.ts";
import * as M from "../../../ffi/abi/mount.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import type { Mount } from "../../vfs/dentry.ts";
import { moveBeneath, setPropagationGroup } from "../../vfs/mount_beneath.ts";
import {
  cloneDetached,
  mayChangePaths,
  mayMount,
  moveMount,
  showsFileOfOlder,
} from "../../vfs/mount_operations.ts";
import { PathFile } from "../../vfs/path_file.ts";
import { installNew } from "../io/install.ts";
import { findAt } from "./arguments.ts";
import { isNowhere, MountFile } from "./mount_file.ts";

const TREE_FLAGS = M.OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_NO_AUTOMOUNT |
  AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
const MOVE_FLAGS = M.MOVE_MOUNT_F_SYMLINKS | M.MOVE_MOUNT_F_AUTOMOUNTS |
  M.MOVE_MOUNT_F_EMPTY_PATH | M.MOVE_MOUNT_T_SYMLINKS | M.MOVE_MOUNT_T_AUTOMOUNTS |
  M.MOVE_MOUNT_T_EMPTY_PATH | M.MOVE_MOUNT_SET_GROUP | M.MOVE_MOUNT_BENEATH;

export function sysOpenTree(t: Task, a: SyscallArgs): number {
  const flags = a.u32(2), isClone = (flags & M.OPEN_TREE_CLONE) !== 0;
  const isRecursive = (flags & AT_RECURSIVE) !== 0;
  if ((flags & ~TREE_FLAGS) !== 0 || (isRecursive && !isClone)) return -EINVAL;
  const may = isClone ? mayMount(t) : 0;
  if (may < 0) return may;
  const path = findAt(t, a.i32(0), a.u64(1), {
    follows: (flags & AT_SYMLINK_NOFOLLOW) === 0,
    mayBeEmpty: (flags & AT_EMPTY_PATH) !== 0,
  });
  if (typeof path === "number") return path;
  const isCloexec = (flags & O_CLOEXEC) !== 0;
  if (isClone) {
    const mount = cloneDetached(t, path, isRecursive);
    if (typeof mount === "number") return mount;
    return installNew(t, MountFile.open(t, mount, O_PATH, t.fs.namespace), isCloexec);
  }
  const { inode } = path.dentry;
  if (inode === null) return -EINVAL;
  const file = new PathFile(t.account, O_PATH, inode);
  file.attach(path, t.cred);
  return installNew(t, file, isCloexec);
}

/** move_mount(2). */
export function sysMoveMount(t: Task, a: SyscallArgs): number {
  const may = mayChangePaths(t), flags = a.u32(4);
  if (may < 0) return may;
  const setsGroup = (flags & M.MOVE_MOUNT_SET_GROUP) !== 0;
  const isBeneath = (flags & M.MOVE_MOUNT_BENEATH) !== 0;
  if ((flags & ~MOVE_FLAGS) !== 0 || (setsGroup && isBeneath)) return -EINVAL;
  const from = findAt(t, a.i32(0), a.u64(1), {
    follows: (flags & M.MOVE_MOUNT_F_SYMLINKS) !== 0,
    mayBeEmpty: (flags & M.MOVE_MOUNT_F_EMPTY_PATH) !== 0,
  });
  if (typeof from === "number") return from;
  const to = findAt(t, a.i32(2), a.u64(3), {
    follows: (flags & M.MOVE_MOUNT_T_SYMLINKS) !== 0,
    mayBeEmpty: (flags & M.MOVE_MOUNT_T_EMPTY_PATH) !== 0,
  });
  if (typeof to === "number") return to;
  if (setsGroup) return setPropagationGroup(t, from, to);
  if (isBeneath) {
    const isMovable = from.mount.parent !== null || isNowhere(from.mount);
    return isMovable ? moveBeneath(t, from, to) : -EINVAL;
  }
  if (!isNowhere(from.mount)) return moveMount(t, from, to);
  if (from.dentry !== from.mount.root || !t.fs.namespace.owns(to.mount)) return -EINVAL;
  for (let m: Mount | null = to.mount; m !== null; m = m.parent) {
    if (m === from.mount) return -ELOOP;
  }
  if (showsFileOfOlder(from.mount, t.fs.namespace)) return -ELOOP;
  const r = t.fs.namespace.attach(from.mount, to, t.account);
  return r === -ENOTDIR ? -EINVAL : r;
}
