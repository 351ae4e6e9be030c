/**
 * A step of launch scripts: a detached copy of host mounts. Unless the copy follows the host, later
 * mounts do not spread to it. The process that makes it needs CAP_SYS_ADMIN over its mount
 * namespace; a process with its descriptor may use it in any namespace. See open_tree(2),
 * mount_setattr(2).
 */

import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from "../../ffi/abi/fcntl.ts";
import {
  MountAttr,
  MS_PRIVATE,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/abi/mount.ts";
import { SYS_mount_setattr, SYS_open_tree } from "../../ffi/abi/syscall_numbers.ts";
import { PREV, type PrevResult, type SpawnScript } from "../../ffi/sys/spawn.ts";

/** A part of the host's files. */
export interface HostTree {
  readonly path: string;
  /** Without mounts of the host below it. */
  readonly isFlat?: boolean;
  /** Later mounts below it spread to the copy. */
  readonly follows?: boolean;
}

/** @param attributes MOUNT_ATTR_* */
export function copyTree(script: SpawnScript, tree: HostTree, attributes: number): PrevResult {
  const depth = tree.isFlat === true ? 0 : AT_RECURSIVE;
  script.call(SYS_open_tree, AT_FDCWD, tree.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth);
  const copy = PREV(script.length - 1);
  setAttributes(script, copy, attributes, tree.follows === true ? MS_SLAVE : MS_PRIVATE);
  return copy;
}

/** Sets attributes of a detached mount and of all mounts below it. */
export function setAttributes(
  script: SpawnScript,
  tree: PrevResult,
  attributes: number,
  propagation: number = MS_PRIVATE,
): void {
  const wanted = new Uint8Array(MountAttr.size), view = new DataView(wanted.buffer);
  view.setUint32(MountAttr.at.attrSet, attributes, true);
  view.setUint32(MountAttr.at.propagation, propagation, true);
  script.call(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, wanted, wanted.length);
}
