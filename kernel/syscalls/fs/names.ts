/**
 * Calls that make, remove and rename names: mkdir(2), mknod(2), symlink(2), link(2), unlink(2),
 * rmdir(2), rename(2) and their *at forms. This file decodes arguments; the VFS does the work.
 */

import { EINVAL } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Task } from "../../task/task.ts";
import { linkAt, mkdirAt, mknodAt, symlinkAt } from "../../vfs/create.ts";
import { rmdirAt, unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { AT_EMPTY_PATH } from "../../../ffi/abi/fcntl.ts";
import { pathArg, pathOrEmpty } from "./arguments.ts";

export function sysMkdir(t: Task, a: SyscallArgs): number {
  return mkdir(t, AT_FDCWD, a.u64(0), a.u32(1));
}
export function sysMkdirat(t: Task, a: SyscallArgs): number {
  return mkdir(t, a.i32(0), a.u64(1), a.u32(2));
}
function mkdir(t: Task, dirfd: number, pathAddr: number, mode: number): number {
  const path = pathArg(t, pathAddr);
  return typeof path === "number" ? path : mkdirAt(t, dirfd, path, mode);
}

export function sysMknod(t: Task, a: SyscallArgs): number {
  return mknod(t, AT_FDCWD, a.u64(0), a.u32(1), a.u32(2));
}
export function sysMknodat(t: Task, a: SyscallArgs): number {
  return mknod(t, a.i32(0), a.u64(1), a.u32(2), a.u32(3));
}
function mknod(t: Task, dirfd: number, pathAddr: number, mode: number, dev: number): number {
  const path = pathArg(t, pathAddr);
  return typeof path === "number" ? path : mknodAt(t, dirfd, path, mode, dev);
}

export function sysSymlink(t: Task, a: SyscallArgs): number {
  return symlink(t, a.u64(0), AT_FDCWD, a.u64(1));
}
export function sysSymlinkat(t: Task, a: SyscallArgs): number {
  return symlink(t, a.u64(0), a.i32(1), a.u64(2));
}
function symlink(t: Task, targetAddr: number, dirfd: number, pathAddr: number): number {
  const target = pathArg(t, targetAddr);
  if (typeof target === "number") return target;
  const path = pathArg(t, pathAddr);
  return typeof path === "number" ? path : symlinkAt(t, target, dirfd, path);
}

export function sysLink(t: Task, a: SyscallArgs): number {
  return link(t, AT_FDCWD, a.u64(0), AT_FDCWD, a.u64(1), 0);
}
export function sysLinkat(t: Task, a: SyscallArgs): number {
  return link(t, a.i32(0), a.u64(1), a.i32(2), a.u64(3), a.i32(4));
}
function link(
  t: Task,
  oldDirfd: number,
  oldAddr: number,
  newDirfd: number,
  newAddr: number,
  flags: number,
): number {
  const from = (flags & AT_EMPTY_PATH) !== 0 ? pathOrEmpty(t, oldAddr) : pathArg(t, oldAddr);
  if (typeof from === "number") return from;
  const to = pathArg(t, newAddr);
  return typeof to === "number" ? to : linkAt(t, oldDirfd, from, newDirfd, to, flags);
}

/** HOT */
export function sysUnlink(t: Task, a: SyscallArgs): number {
  const path = pathArg(t, a.u64(0));
  return typeof path === "number" ? path : unlinkAt(t, AT_FDCWD, path);
}
export function sysRmdir(t: Task, a: SyscallArgs): number {
  const path = pathArg(t, a.u64(0));
  return typeof path === "number" ? path : rmdirAt(t, AT_FDCWD, path);
}
export function sysUnlinkat(t: Task, a: SyscallArgs): number {
  const flags = a.i32(2);
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  const path = pathArg(t, a.u64(1));
  if (typeof path === "number") return path;
  return flags !== 0 ? rmdirAt(t, a.i32(0), path) : unlinkAt(t, a.i32(0), path);
}

export function sysRename(t: Task, a: SyscallArgs): number {
  return rename(t, AT_FDCWD, a.u64(0), AT_FDCWD, a.u64(1), 0);
}
export function sysRenameat(t: Task, a: SyscallArgs): number {
  return rename(t, a.i32(0), a.u64(1), a.i32(2), a.u64(3), 0);
}
export function sysRenameat2(t: Task, a: SyscallArgs): number {
  return rename(t, a.i32(0), a.u64(1), a.i32(2), a.u64(3), a.i32(4));
}
function rename(
  t: Task,
  oldDirfd: number,
  oldAddr: number,
  newDirfd: number,
  newAddr: number,
  flags: number,
): number {
  const from = pathArg(t, oldAddr);
  if (typeof from === "number") return from;
  const to = pathArg(t, newAddr);
  return typeof to === "number" ? to : renameAt(t, oldDirfd, from, newDirfd, to, flags);
}
