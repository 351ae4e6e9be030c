/** mount(2), umount2(2), pivot_root(2). vfs/mount_operations.ts has the rules. */

import { EINVAL, ENAMETOOLONG, ENODEV } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from "../../../ffi/abi/mount.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import type { Path } from "../../vfs/dentry.ts";
import type { FsContext } from "../../vfs/fs_context.ts";
import {
  addMount,
  bindMount,
  changePropagation,
  mayChangePaths,
  moveMount,
  pivotRoot,
  remount,
  unmount,
} from "../../vfs/mount_operations.ts";
import { firstWalk, LOOKUP_DIRECTORY, LOOKUP_FOLLOW } from "../../vfs/walk.ts";
import { pathArg } from "./arguments.ts";
import { makeFileSystem, ownerOf } from "./new_file_system.ts";

/** Kernel-internal superblock flag that no caller may pass. */
const MS_NOUSER = 0x80000000;
const PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/**
 * Reads a string that may be absent: "" for a null pointer, -EINVAL when it is longer than a path.
 */
function readOptional(t: Task, addr: number): string | number {
  const text = addr === 0 ? "" : pathArg(t, addr);
  return text === -ENAMETOOLONG ? -EINVAL : text;
}

function findPath(t: Task, text: string, lookup: number): Path | number {
  const walk = firstWalk(t);
  const r = walk.run(t, AT_FDCWD, text, lookup);
  return r < 0 ? r : walk.path;
}

export function sysMount(t: Task, a: SyscallArgs): number {
  const type = readOptional(t, a.u64(2));
  if (typeof type === "number") return type;
  const source = readOptional(t, a.u64(0));
  if (typeof source === "number") return source;
  const options = readOptional(t, a.u64(4));
  if (typeof options === "number") return options;
  const target = pathArg(t, a.u64(1));
  if (typeof target === "number") return target;
  const at = findPath(t, target, LOOKUP_FOLLOW);
  if (typeof at === "number") return at;
  let flags = a.u32(3);
  if ((flags & MS_MGC_MSK) >>> 0 === MS_MGC_VAL) flags &= ~MS_MGC_MSK;
  if ((flags & MS_NOUSER) !== 0) return -EINVAL;
  const r = mayChangePaths(t);
  if (r < 0) return r;
  if ((flags & MS_REMOUNT) !== 0) return remount(t, at, flags, (flags & MS_BIND) !== 0, options);
  if ((flags & MS_BIND) !== 0) {
    const from = findMount(t, source);
    return typeof from === "number" ? from : bindMount(t, from, at, (flags & MS_REC) !== 0);
  }
  if ((flags & PROPAGATION) !== 0) return changePropagation(t, at, flags);
  if ((flags & MS_MOVE) !== 0) {
    const from = findMount(t, source);
    return typeof from === "number" ? from : moveMount(t, from, at);
  }
  return mountNew(t, at, type, source, options, flags);
}

function findMount(t: Task, source: string): Path | number {
  return source === "" ? -EINVAL : findPath(t, source, LOOKUP_FOLLOW);
}

function mountNew(
  t: Task,
  at: Path,
  typeName: string,
  source: string,
  options: string,
  flags: number,
): number {
  if (typeName === "") return -EINVAL;
  const type = t.kernel.fsTypes.find(typeName);
  if (type === null) return -ENODEV;
  const fs = makeFileSystem(t, type, ownerOf(t, type), source === "" ? "none" : source, options);
  if (typeof fs === "number") return fs;
  if ((flags & MS_RDONLY) !== 0) fs.readOnly = true;
  return addMount(t, fs, at, flags, fs.source);
}

export function sysUmount2(t: Task, a: SyscallArgs): number {
  const flags = a.i32(1);
  if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  const text = pathArg(t, a.u64(0));
  if (typeof text === "number") return text;
  const { mounts } = t.fs.namespace;
  // The walk uses the mount, as any access does, but must not end its expiry here.
  const expiring = (flags & MNT_EXPIRE) === 0 ? [] : [...mounts].filter((m) => m.isExpiring);
  const path = findPath(t, text, (flags & UMOUNT_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW);
  if (typeof path === "number") return path;
  for (const mount of expiring) if (mount === path.mount) mount.isExpiring = true;
  const r = mayChangePaths(t);
  return r < 0 ? r : unmount(t, path, flags);
}

export function sysPivotRoot(t: Task, a: SyscallArgs): number {
  const may = mayChangePaths(t);
  if (may < 0) return may;
  const newText = pathArg(t, a.u64(0));
  if (typeof newText === "number") return newText;
  const newRoot = findPath(t, newText, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof newRoot === "number") return newRoot;
  const putText = pathArg(t, a.u64(1));
  if (typeof putText === "number") return putText;
  const putOld = findPath(t, putText, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof putOld === "number") return putOld;
  return pivotRoot(t, newRoot, putOld, contextsOf(t));
}

/** Each fs context of the caller's mount namespace once. */
function contextsOf(t: Task): Set<FsContext> {
  const contexts = new Set<FsContext>();
  for (const task of t.kernel.pids.tasks.values()) {
    if (task.fs.namespace === t.fs.namespace) contexts.add(task.fs);
  }
  return contexts;
}
