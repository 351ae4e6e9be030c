/** Arguments of many file calls: paths in, and small structs out. */

import { EBADF, EFAULT } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import { stringToBytes } from "../../core/bytes.ts";
import type { Task } from "../../task/task.ts";
import type { Path } from "../../vfs/dentry.ts";
import { firstWalk, LOOKUP_FOLLOW } from "../../vfs/walk.ts";

/**
 * Reads a path from user memory: a byte string, -EFAULT or -ENAMETOOLONG. The walk handles empty
 * paths. HOT
 */
export function pathArg(t: Task, addr: number): string | number {
  return t.mm.cstring(addr, PATH_MAX);
}

/** As pathArg, for calls with AT_EMPTY_PATH: a null pointer is the empty path (Linux 6.11). HOT */
export function pathOrEmpty(t: Task, addr: number): string | number {
  if (addr === 0) return "";
  return t.mm.cstring(addr, PATH_MAX);
}

/** Copies the first `len` bytes of `kernel.scratch` to `addr`: 0 or -EFAULT. HOT */
export function scratchOut(t: Task, addr: number, len: number): number {
  return t.mm.copyOut(addr, t.kernel.scratch.u8, 0, len) < 0 ? -EFAULT : 0;
}

/**
 * Copies a byte string to user memory, cut to `max` bytes, without a NUL: bytes written or -EFAULT.
 */
export function bytesOut(t: Task, addr: number, text: string, max: number): number {
  const len = Math.min(text.length, max), u8 = t.kernel.scratch.u8;
  if (len > u8.length) {
    return t.mm.copyOut(addr, stringToBytes(text), 0, len) < 0 ? -EFAULT : len;
  }
  for (let i = 0; i < len; i++) u8[i] = text.charCodeAt(i);
  return t.mm.copyOut(addr, u8, 0, len) < 0 ? -EFAULT : len;
}

/** Finds a path relative to a descriptor. */
export function findAt(
  t: Task,
  dirfd: number,
  addr: number,
  how: { readonly follows: boolean; readonly mayBeEmpty: boolean },
): Path | number {
  const text = pathArg(t, addr);
  if (typeof text === "number") return text;
  if (text === "" && how.mayBeEmpty) {
    if (dirfd === AT_FDCWD) return t.fs.cwd;
    return t.files.getAny(dirfd)?.path ?? -EBADF;
  }
  const walk = firstWalk(t);
  const r = walk.run(t, dirfd, text, how.follows ? LOOKUP_FOLLOW : 0);
  return r < 0 ? r : walk.path;
}
