/**
 * Buffers at fixed host addresses that system calls read and write.
 *
 * The Gofer has one thread, and no call waits half-way, so one set of buffers is enough. Names in
 * messages have no final NUL; they get one here, after a check that they are a single component.
 */

import { NAME_MAX } from "../../ffi/abi/fs.ts";
import { EINVAL, ENAMETOOLONG, ENOENT, ERANGE } from "../../ffi/abi/errno.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { TARGET_MAX } from "../protocol/constants.ts";
import type { Str } from "../protocol/wire.ts";

/** Byte offsets in `mem`. */
export const STATX_AT = 0x000;
export const OPEN_HOW_AT = 0x100;
export const TIMES_AT = 0x140;
export const FLOCK_AT = 0x180;
export const STATFS_AT = 0x200;
const EMPTY_AT = 0x2f0;
const NUMBER_AT = 0x300;
const NAME_A_AT = 0x400;
const NAME_B_AT = 0x600;
const XATTR_NAME_AT = 0x800;
const PROC_PATH_AT = 0xa00;
export const TARGET_AT = 0x1000;
export const DIRENTS_AT = 0x4000;
/** Room for getdents64, and for one list of extended attributes. */
export const DIRENTS_BYTES = 0x10000;

export const mem = allocBuffer(DIRENTS_AT + DIRENTS_BYTES);
export const view = new DataView(mem.buffer);
/** Host address of `mem`. */
export const base = addressOf(mem);

/** Offset in `mem` of the name staged in slot 0, and its host address. */
export const NAME_AT = NAME_A_AT;
export const NAME_ADDRESS = base + NAME_A_AT;

/** Host address of an empty C string. */
export const EMPTY_PATH = base + EMPTY_AT;

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Stages one path component as a C string and returns its address, or -errno. An empty name, "."
 * and "..", and names with a slash or NUL are EINVAL, so a staged name never leads out of its
 * directory.
 */
export function stageName(name: Str, slot: 0 | 1 = 0): number {
  const len = name.len;
  if (len > NAME_MAX) return -ENAMETOOLONG;
  if (len === 0) return -ENOENT;
  if (name.at(0) === DOT && (len === 1 || (len === 2 && name.at(1) === DOT))) return -EINVAL;
  const at = slot === 0 ? NAME_A_AT : NAME_B_AT;
  for (let i = 0; i < len; i++) {
    const c = name.at(i);
    if (c === 0 || c === SLASH) return -EINVAL;
    mem[at + i] = c;
  }
  mem[at + len] = 0;
  return base + at;
}

/**
 * Stages a symlink's target as a C string: its address, or -errno for one that is empty, too long
 * or has a NUL.
 */
export function stageTarget(target: Str): number {
  if (target.len > TARGET_MAX) return -ENAMETOOLONG;
  if (target.len === 0) return -ENOENT;
  for (let i = 0; i < target.len; i++) {
    const c = target.at(i);
    if (c === 0) return -EINVAL;
    mem[TARGET_AT + i] = c;
  }
  mem[TARGET_AT + target.len] = 0;
  return base + TARGET_AT;
}

/**
 * Stages a path of several components, none of them empty, "." or "..", as a C string: its address
 * or -errno. It uses the buffer of `stageTarget`.
 */
export function stagePath(path: Str): number {
  const len = path.len;
  if (len > TARGET_MAX) return -ENAMETOOLONG;
  let start = 0;
  for (let i = 0; i <= len; i++) {
    const c = i === len ? SLASH : path.at(i);
    if (c === 0) return -EINVAL;
    if (c === SLASH) {
      const n = i - start;
      if (n === 0) return -EINVAL;
      if (n > NAME_MAX) return -ENAMETOOLONG;
      if (n <= 2 && path.at(start) === DOT && (n === 1 || path.at(start + 1) === DOT)) {
        return -EINVAL;
      }
      start = i + 1;
    }
    mem[TARGET_AT + i] = c;
  }
  mem[TARGET_AT + len] = 0;
  return base + TARGET_AT;
}

/** Stages the name of an extended attribute: its address, or -errno as setxattr(2). */
export function stageXattrName(name: Str): number {
  if (name.len === 0 || name.len > NAME_MAX) return -ERANGE;
  for (let i = 0; i < name.len; i++) {
    const c = name.at(i);
    if (c === 0) return -EINVAL;
    mem[XATTR_NAME_AT + i] = c;
  }
  mem[XATTR_NAME_AT + name.len] = 0;
  return base + XATTR_NAME_AT;
}

/** Writes `n` in decimal with a NUL behind it; returns the offset of the NUL. */
function putDecimal(at: number, n: number): number {
  let digits = 1;
  for (let p = 10; p <= n; p *= 10) digits++;
  for (let i = digits - 1, rest = n; i >= 0; i--) {
    const next = Math.floor(rest / 10);
    mem[at + i] = 0x30 + rest - next * 10;
    rest = next;
  }
  mem[at + digits] = 0;
  return at + digits;
}

/** Stages a descriptor's number, its name in /proc/self/fd. */
export function stageNumber(fd: number): number {
  putDecimal(NUMBER_AT, fd);
  return base + NUMBER_AT;
}

/**
 * Stages `prefix`, a descriptor's number and a name of `len` bytes at `nameAt` of `mem` that is in
 * that directory.
 */
export function stageProcName(prefix: string, fd: number, nameAt: number, len: number): number {
  for (let i = 0; i < prefix.length; i++) mem[PROC_PATH_AT + i] = prefix.charCodeAt(i);
  const slash = putDecimal(PROC_PATH_AT + prefix.length, fd);
  mem[slash] = SLASH;
  mem.copyWithin(slash + 1, nameAt, nameAt + len);
  mem[slash + 1 + len] = 0;
  return base + PROC_PATH_AT;
}

/**
 * Stages `prefix` and a descriptor's number: a path by which calls without a dirfd reach the file.
 */
export function stageProcPath(prefix: string, fd: number): number {
  for (let i = 0; i < prefix.length; i++) mem[PROC_PATH_AT + i] = prefix.charCodeAt(i);
  putDecimal(PROC_PATH_AT + prefix.length, fd);
  return base + PROC_PATH_AT;
}
