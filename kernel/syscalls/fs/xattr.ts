/**
 * setxattr(2), getxattr(2), listxattr(2), removexattr(2), each by path, by symbolic link and by
 * descriptor.
 */

import { EBADF, EFAULT, ERANGE } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { XATTR_LIST_MAX, XATTR_NAME_MAX } from "../../../ffi/abi/fs.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { AnonInode } from "../../fs/anonfd/anon_inode.ts";
import { XATTR_SOCKPROTONAME } from "../../net/protocol_name.ts";
import type { Task } from "../../task/task.ts";
import type { Path } from "../../vfs/dentry.ts";
import { Inode } from "../../vfs/inode.ts";
import { findAt } from "../../vfs/status.ts";
import {
  checkXattrName,
  checkXattrSize,
  getXattr,
  listXattr,
  removeInodeXattr,
  removeXattr,
  setInodeXattr,
  setXattr,
} from "../../vfs/xattr.ts";
import { bytesOut, pathArg } from "./arguments.ts";

const FOLLOW = 0, NO_FOLLOW = AT_SYMLINK_NOFOLLOW;
/** By descriptor rather than by path. */
const BY_FD = -1;

/** The file of argument 0, by path. */
function findTarget(t: Task, a: SyscallArgs, how: number): Path | number {
  const path = pathArg(t, a.u64(0));
  return typeof path === "number" ? path : findAt(t, AT_FDCWD, path, how);
}

/** The file of argument 0 for a change. A file without a path is an Inode. */
function targetOfChange(t: Task, a: SyscallArgs, how: number): Path | Inode | number {
  if (how !== BY_FD) return findTarget(t, a, how);
  const file = t.files.get(a.i32(0));
  return file === null ? -EBADF : file.path ?? file.inode;
}

/** Reads an attribute's name: byte string, -EFAULT, -ERANGE (empty or too long). */
function nameArg(t: Task, addr: number): string | number {
  const name = t.mm.cstring(addr, XATTR_NAME_MAX + 1);
  if (typeof name === "number") return name === -EFAULT ? name : -ERANGE;
  const r = checkXattrName(name);
  return r < 0 ? r : name;
}

function set(t: Task, a: SyscallArgs, how: number): number {
  const size = a.u64(3), flags = a.i32(4);
  const r = checkXattrSize(size, flags);
  if (r < 0) return r;
  const name = nameArg(t, a.u64(1));
  if (typeof name === "number") return name;
  const value = new Uint8Array(size);
  if (size > 0 && t.mm.copyIn(value, 0, a.u64(2), size) < 0) return -EFAULT;
  const at = targetOfChange(t, a, how);
  if (typeof at === "number") return at;
  return at instanceof Inode
    ? setInodeXattr(t, at, name, value, flags)
    : setXattr(t, at, name, value, flags);
}

export function sysSetxattr(t: Task, a: SyscallArgs): number {
  return set(t, a, FOLLOW);
}
export function sysLsetxattr(t: Task, a: SyscallArgs): number {
  return set(t, a, NO_FOLLOW);
}
export function sysFsetxattr(t: Task, a: SyscallArgs): number {
  return set(t, a, BY_FD);
}

/** Name of a socket's protocol with the NUL behind it; "" for other files. */
function socketText(inode: Inode): string {
  const name = inode instanceof AnonInode ? inode.protocolName : "";
  return name === "" ? "" : name + "\0";
}

/** The inode to read from; files without a path are permitted. */
function inodeOf(t: Task, a: SyscallArgs, how: number): Inode | number {
  if (how === BY_FD) {
    const file = t.files.get(a.i32(0));
    return file === null ? -EBADF : file.inode;
  }
  const path = findTarget(t, a, how);
  return typeof path === "number" ? path : path.dentry.inode!;
}

function get(t: Task, a: SyscallArgs, how: number): number {
  const inode = inodeOf(t, a, how);
  if (typeof inode === "number") return inode;
  const name = nameArg(t, a.u64(1));
  if (typeof name === "number") return name;
  const text = name === XATTR_SOCKPROTONAME ? socketText(inode) : "";
  const value = text === "" ? getXattr(t, inode, name) : stringToBytes(text);
  if (typeof value === "number") return value;
  const size = a.u64(3);
  if (size === 0) return value.length;
  if (value.length > size) return -ERANGE;
  return t.mm.copyOut(a.u64(2), value, 0, value.length) < 0 ? -EFAULT : value.length;
}

export function sysGetxattr(t: Task, a: SyscallArgs): number {
  return get(t, a, FOLLOW);
}
export function sysLgetxattr(t: Task, a: SyscallArgs): number {
  return get(t, a, NO_FOLLOW);
}
export function sysFgetxattr(t: Task, a: SyscallArgs): number {
  return get(t, a, BY_FD);
}

function list(t: Task, a: SyscallArgs, how: number): number {
  const inode = inodeOf(t, a, how);
  if (typeof inode === "number") return inode;
  const names = listXattr(t, inode);
  if (typeof names === "number") return names;
  let text = socketText(inode) === "" ? "" : XATTR_SOCKPROTONAME + "\0";
  for (const name of names) text += name + "\0";
  const size = Math.min(a.u64(2), XATTR_LIST_MAX);
  if (size === 0) return text.length;
  if (text.length > size) return -ERANGE;
  return bytesOut(t, a.u64(1), text, text.length);
}

export function sysListxattr(t: Task, a: SyscallArgs): number {
  return list(t, a, FOLLOW);
}
export function sysLlistxattr(t: Task, a: SyscallArgs): number {
  return list(t, a, NO_FOLLOW);
}
export function sysFlistxattr(t: Task, a: SyscallArgs): number {
  return list(t, a, BY_FD);
}

function remove(t: Task, a: SyscallArgs, how: number): number {
  const name = nameArg(t, a.u64(1));
  const at = targetOfChange(t, a, how);
  if (typeof at === "number") return at;
  if (typeof name === "number") return name;
  return at instanceof Inode ? removeInodeXattr(t, at, name) : removeXattr(t, at, name);
}

export function sysRemovexattr(t: Task, a: SyscallArgs): number {
  return remove(t, a, FOLLOW);
}
export function sysLremovexattr(t: Task, a: SyscallArgs): number {
  return remove(t, a, NO_FOLLOW);
}
export function sysFremovexattr(t: Task, a: SyscallArgs): number {
  return remove(t, a, BY_FD);
}
