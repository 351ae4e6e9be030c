/**
 * The calls that only look at files: stat(2), access(2), readlink(2), and the lookup of the *at
 * calls (`findAt`). They change nothing but access times.
 */

import { EACCES, EINVAL, ENOENT, EROFS } from "../../ffi/abi/errno.ts";
import { AT_EACCESS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, W_OK, X_OK } from "../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../ffi/abi/stat.ts";
import { realCredentials } from "../cred/permission.ts";
import { checkNoExec, inodePermission, isRegular, isSymlink, wantWrite } from "./access.ts";
import { touchAtime } from "./atime.ts";
import type { Caller } from "./caller.ts";
import type { Path } from "./dentry.ts";
import { mayUseDevice } from "./device_policy.ts";
import type { Inode } from "./inode.ts";
import { firstWalk, LOOKUP_EMPTY, LOOKUP_FOLLOW } from "./walk.ts";

const ACCESS_FLAGS = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

function lookupFlags(flags: number): number {
  return ((flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) |
    ((flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0);
}

/**
 * The path that (dirfd, text) names. Of `flags` (AT_*) only AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH
 * count; the caller has refused unknown ones. A Path (not pinned), -errno, or BLOCK.
 */
export function findAt(caller: Caller, dirfd: number, text: string, flags: number): Path | number {
  const walk = firstWalk(caller);
  const r = walk.run(caller, dirfd, text, lookupFlags(flags));
  return r < 0 ? r : walk.path;
}

/** stat, lstat, fstatat(2): the inode with its fields up to date. HOT */
export function statAt(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
): Inode | number {
  const walk = firstWalk(caller);
  let r = walk.run(caller, dirfd, text, lookupFlags(flags));
  if (r < 0) return r;
  const inode = walk.inode;
  r = inode.refresh();
  return r < 0 ? r : inode;
}

/** access(2), faccessat2(2): by the real ids, or with AT_EACCESS by the effective ones. */
export function accessAt(
  caller: Caller,
  dirfd: number,
  text: string,
  mode: number,
  flags: number,
): number {
  if ((mode & ~7) !== 0 || (flags & ~ACCESS_FLAGS) !== 0) return -EINVAL;
  const cred = (flags & AT_EACCESS) !== 0 ? caller.cred : realCredentials(caller.cred);
  const walk = firstWalk(caller);
  let r = walk.run(caller, dirfd, text, lookupFlags(flags), 0, cred);
  if (r < 0) return r;
  const inode = walk.inode, mount = walk.mount;
  if (mode === 0) return 0;
  if ((mode & X_OK) !== 0 && isRegular(inode) && checkNoExec(mount) < 0) return -EACCES;
  r = inodePermission(inode, mode, cred);
  if (r === 0) r = mayUseDevice(caller, inode, mode);
  if (r < 0 || (mode & W_OK) === 0) return r;
  const type = inode.mode & S_IFMT;
  const isPlain = type === S_IFREG || type === S_IFDIR || type === S_IFLNK;
  return isPlain && wantWrite(mount) < 0 ? -EROFS : 0;
}

/**
 * readlinkat(2): the text of a symbolic link; -EINVAL for anything else (-ENOENT with an empty
 * path).
 */
export function readlinkAt(caller: Caller, dirfd: number, text: string): string | number {
  const walk = firstWalk(caller);
  const r = walk.run(caller, dirfd, text, LOOKUP_EMPTY);
  if (r < 0) return r;
  const inode = walk.inode;
  if (!isSymlink(inode)) return text === "" ? -ENOENT : -EINVAL;
  touchAtime(walk.mount, inode, false);
  return inode.readlink();
}
