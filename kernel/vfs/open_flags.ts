/**
 * The flags of open(2) and openat2(2): which exist, which combinations are refused, and the access
 * that they need. open.ts calls this.
 */

import { EAGAIN, EINVAL } from "../../ffi/abi/errno.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_SYNC,
  O_TMPFILE,
  O_TRUNC,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../ffi/abi/fcntl.ts";
import { MAY_READ, MAY_WRITE } from "../cred/permission.ts";

/** The bit of O_TMPFILE besides O_DIRECTORY. */
export const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
export const VALID_FLAGS = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
  O_NONBLOCK | O_DSYNC | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW |
  O_NOATIME | O_CLOEXEC | O_PATH | TMPFILE_BIT;
/** The flags that count with O_PATH. */
export const PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
/** Flags that only matter while opening: F_GETFL does not show them. */
export const OPENING_FLAGS = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;
export const MODE_BITS = 0o7777;
const RESOLVE_FLAGS = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
  RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;

/**
 * Checks the arguments of openat2(2): -EINVAL for unknown flags, for a mode that is not used, and
 * for unknown RESOLVE_* bits; -EAGAIN for RESOLVE_CACHED with a change.
 */
export function checkOpenHow(flags: number, mode: number, resolve: number): number {
  if (flags > 0x7fffffff || (flags & ~VALID_FLAGS) !== 0) return -EINVAL;
  if (resolve > RESOLVE_FLAGS || (resolve & ~RESOLVE_FLAGS) !== 0) return -EINVAL;
  if ((resolve & RESOLVE_BENEATH) !== 0 && (resolve & RESOLVE_IN_ROOT) !== 0) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~PATH_FLAGS) !== 0) return -EINVAL;
  const takesMode = (flags & (O_CREAT | TMPFILE_BIT)) !== 0;
  if (takesMode ? mode > MODE_BITS : mode !== 0) return -EINVAL;
  const r = checkFlags(flags);
  if (r < 0) return r;
  const changes = (flags & (O_TRUNC | O_CREAT | TMPFILE_BIT)) !== 0;
  return (resolve & RESOLVE_CACHED) !== 0 && changes ? -EAGAIN : 0;
}

/** Checks known flags: -EINVAL when they exclude each other. */
export function checkFlags(flags: number): number {
  if ((flags & (O_DIRECTORY | O_CREAT)) === (O_DIRECTORY | O_CREAT)) return -EINVAL;
  if ((flags & TMPFILE_BIT) === 0) return 0;
  if ((flags & O_TMPFILE) !== O_TMPFILE) return -EINVAL;
  return (accessOf(flags) & MAY_WRITE) === 0 ? -EINVAL : 0;
}

/** The MAY_* bits that the flags need. */
export function accessOf(flags: number): number {
  const mode = flags & O_ACCMODE;
  let may = mode === O_RDONLY ? MAY_READ : mode === 1 ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if ((flags & O_TRUNC) !== 0) may |= MAY_WRITE;
  return may;
}
