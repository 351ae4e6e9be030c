/**
 * A copy of host mounts whose files have other ids than on disk (ID-mapped mounts of
 * mount_setattr(2)), for a Gofer to serve. The host translates the ids; not every file system
 * supports it.
 */

import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE } from "../../ffi/abi/fcntl.ts";
import {
  MOUNT_ATTR_IDMAP,
  MountAttr,
  MS_PRIVATE,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/abi/mount.ts";
import { SYS_mount_setattr, SYS_open_tree } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { IdMapping, MountIds } from "../spec/id_mappings.ts";
import { UserError } from "../user_error.ts";
import { makeUsers } from "./own_users.ts";
import type { HostTree } from "./tree_copy.ts";

interface MappedTree extends HostTree {
  readonly ids: MountIds;
  /** Names the mount in messages. */
  readonly jsonPath: string;
}

/**
 * @param attributes MOUNT_ATTR_*
 * @param users the container's user namespace, or -1
 * @returns a descriptor @throws UserError naming the mount
 */
export function copyMappedTree(tree: MappedTree, attributes: number, users: number): number {
  const { ids, path, isFlat } = tree;
  const own = ids.mappings === null ? -1 : usersWith(ids.mappings);
  let copy = -1;
  try {
    const depth = isFlat === true ? 0 : AT_RECURSIVE;
    const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth;
    copy = check(syscall(SYS_open_tree, AT_FDCWD, scratch.cstr(path), flags), "open_tree");
    setAttributes(copy, AT_RECURSIVE, attributes, 0, tree.follows ? MS_SLAVE : MS_PRIVATE);
    const below = ids.isRecursive ? AT_RECURSIVE : 0;
    setAttributes(copy, below, MOUNT_ATTR_IDMAP, own < 0 ? users : own);
    return copy;
  } catch (error) {
    if (copy >= 0) close(copy);
    const what = "this host does not translate the ids of its files";
    throw new UserError(`config.json: ${tree.jsonPath}: ${path}: ${what}`, undefined, error);
  } finally {
    if (own >= 0) close(own);
  }
}

function setAttributes(
  fd: number,
  flags: number,
  attributes: number,
  users: number,
  propagation = 0,
): void {
  const at = scratch.areaOffset(0), { dv } = scratch;
  dv.setBigUint64(at + MountAttr.at.attrSet, BigInt(attributes), true);
  dv.setBigUint64(at + MountAttr.at.attrClr, 0n, true);
  dv.setBigUint64(at + MountAttr.at.propagation, BigInt(propagation), true);
  dv.setBigUint64(at + MountAttr.at.usernsFd, BigInt(users), true);
  const empty = scratch.cstr(""), all = AT_EMPTY_PATH | flags;
  const r = syscall(SYS_mount_setattr, fd, empty, all, scratch.area(0), MountAttr.size);
  check(r, "mount_setattr");
}

function textOf(maps: readonly IdMapping[]): string {
  return maps.map((map) => `${map.containerId} ${map.hostId} ${map.size}\n`).join("");
}

/** A user namespace with these ids and without processes. */
function usersWith({ uidMappings, gidMappings }: NonNullable<MountIds["mappings"]>): number {
  return makeUsers({ users: textOf(uidMappings), groups: textOf(gidMappings) }).users;
}
