/**
 * A directory tree separated from the rest of the host: a private clone of its mounts that is
 * attached nowhere.
 *
 * ".." stops at the top of the clone as it does at the host's root, so even wrong code in this
 * process could not leave it. Device nodes, set-id bits and symlinks in it have no effect. A clone
 * needs CAP_SYS_ADMIN and Linux 5.12; without them there is a plain O_PATH descriptor, and only the
 * checks in the Gofer's own code confine.
 */

import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CLOEXEC, O_PATH } from "../../ffi/abi/fcntl.ts";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MountAttr,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_PRIVATE,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/abi/mount.ts";
import {
  SYS_close,
  SYS_mount_setattr,
  SYS_move_mount,
  SYS_open_tree,
  SYS_openat,
} from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { EMPTY_PATH } from "./scratch.ts";

/** An O_PATH descriptor of a tree, and whether the tree is a clone. */
interface ConfinedTree {
  readonly fd: number;
  readonly isClone: boolean;
}

function setAttributes(fd: number, attributes: number, propagation: number): number {
  const at = scratch.areaOffset(0);
  const { dv } = scratch;
  dv.setBigUint64(at + MountAttr.at.attrSet, BigInt(attributes), true);
  dv.setBigUint64(at + MountAttr.at.attrClr, 0n, true);
  dv.setBigUint64(at + MountAttr.at.propagation, BigInt(propagation), true);
  dv.setBigUint64(at + MountAttr.at.usernsFd, 0n, true);
  const flags = AT_EMPTY_PATH | AT_RECURSIVE;
  const empty = scratch.cstr("");
  return syscall(SYS_mount_setattr, fd, empty, flags, scratch.area(0), MountAttr.size);
}

/**
 * Clones the mounts at and, unless `isFlat`, below `path`. A negative errno if the host forbids or
 * lacks it.
 */
function cloneTree(
  path: string,
  attributes: number,
  isFlat: boolean = false,
  propagation: number = MS_PRIVATE,
): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (isFlat ? 0 : AT_RECURSIVE);
  const fd = syscall(SYS_open_tree, AT_FDCWD, scratch.cstr(path), flags);
  if (fd < 0 || attributes === 0) return fd;
  const r = setAttributes(fd, attributes, propagation);
  if (r >= 0) return fd;
  syscall(SYS_close, fd);
  return r;
}

interface TreeOptions {
  readonly isReadOnly: boolean;
  /** Leaves out what the host has mounted below, where the host permits a clone. */
  readonly isFlat: boolean;
  /** Shows what the host will mount below later: `attachTree` must be called. */
  readonly follows: boolean;
}

/**
 * Opens a tree or a single file to be served. Symlinks in `path` itself are followed. Returns a
 * descriptor, or a negative errno in `fd` when there is no such file.
 */
export function openConfined(path: string, options: TreeOptions): ConfinedTree {
  const { isReadOnly, isFlat, follows } = options;
  const attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOSYMFOLLOW |
    (isReadOnly ? MOUNT_ATTR_RDONLY : 0);
  const clone = cloneTree(path, attributes, isFlat, follows ? MS_SLAVE : MS_PRIVATE);
  if (clone >= 0) return { fd: clone, isClone: true };
  const fd = syscall(SYS_openat, AT_FDCWD, scratch.cstr(path), O_PATH | O_CLOEXEC, 0);
  return { fd, isClone: false };
}

/**
 * Mounts a clone over its own place in this process's mount namespace, because only an attached
 * mount receives the host's later mounts. Names below that place lead into the clone from then on.
 * 0 or -errno.
 */
export function attachTree(fd: number, path: string): number {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
  return syscall(SYS_move_mount, fd, EMPTY_PATH, AT_FDCWD, scratch.cstr(path), flags);
}

/**
 * The same for a directory of /proc, whose links must keep working: no mount attributes are set.
 */
export function openConfinedProc(path: string): ConfinedTree {
  const clone = cloneTree(path, 0);
  if (clone >= 0) return { fd: clone, isClone: true };
  const fd = syscall(SYS_openat, AT_FDCWD, scratch.cstr(path), O_PATH | O_CLOEXEC, 0);
  return { fd, isClone: false };
}
