/**
 * A copy of mounts of the host whose files have other ids than on disk (ID-mapped mounts of mount_setattr(2)), for a Gofer
 * to serve. The host translates; not every file system of it can.
 */

import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import {
  MOUNT_ATTR_IDMAP,
  MountAttr,
  MS_PRIVATE,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/abi/mount.ts";
import { CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import { SYS_mount_setattr, SYS_open_tree } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, pipe } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { packetPair } from "../sandbox/control.ts";
import type { IdMapping, MountIds } from "../spec/id_mappings.ts";
import { UserError } from "../user_error.ts";
import { endProxy, openNamespace, startProxy } from "./proxy.ts";
import type { HostTree } from "./tree_copy.ts";

export interface MappedTree extends HostTree {
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
  const own = ids.mappings === null ? -1 : namespaceWith(ids.mappings);
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

/** A user namespace with these ids, in which nobody is. */
function namespaceWith({ uidMappings, gidMappings }: NonNullable<MountIds["mappings"]>): number {
  const [control, ours] = packetPair();
  const leash = pipe(O_CLOEXEC);
  if (typeof leash === "number") throw new UserError("no pipe");
  const proxy = startProxy({
    argv: ["dvisor-ids"],
    control,
    leash: leash[0],
    terminal: -1,
    newNamespaces: CLONE_NEWUSER,
    entered: [],
    timeOffsets: null,
    hostname: null,
  });
  try {
    Deno.writeTextFileSync(`/proc/${proxy.pid}/uid_map`, textOf(uidMappings));
    Deno.writeTextFileSync(`/proc/${proxy.pid}/gid_map`, textOf(gidMappings));
    return openNamespace(`/proc/${proxy.pid}/ns/user`);
  } finally {
    endProxy(proxy);
    for (const fd of [control, ours, ...leash]) close(fd);
  }
}

function textOf(maps: readonly IdMapping[]): string {
  return maps.map((map) => `${map.containerId} ${map.hostId} ${map.size}\n`).join("");
}
