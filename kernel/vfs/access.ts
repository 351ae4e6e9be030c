/**
 * May these credentials do this with this inode: ownership and mode, ACL, read-only file systems and mounts, set-ID
 * rules at creation. The order of checks is Linux's (fs/namei.c).
 *
 * Neighbours: cred/permission.ts (pure rules), walk.ts (search permission on the way).
 */

import { EACCES, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS } from "../../ffi/abi/errno.ts";
import { MS_NOEXEC, MS_RDONLY } from "../../ffi/abi/mount.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_IXGRP } from "../../ffi/abi/stat.ts";
import type { Credentials } from "../cred/credentials.ts";
import {
  checkAccess,
  MAY_EXEC,
  MAY_WRITE,
  mayKeepSetgid,
  stickyAllows,
} from "../cred/permission.ts";
import type { Dentry, Mount } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { checkAcl } from "./posix_acl.ts";

export function isDirectory(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}
export function isRegular(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFREG;
}
export function isSymlink(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFLNK;
}

/** Search permission, for every directory of a walk: 0 or -EACCES. HOT */
export function maySearch(inode: Inode, cred: Credentials): number {
  if ((inode.mode & 0o111) === 0o111 && inode.accessAcl === null) return 0;
  return inodePermission(inode, MAY_EXEC, cred);
}

/** inode_permission: 0, -EROFS (writing to a read-only file system), -EACCES. */
export function inodePermission(inode: Inode, mask: number, cred: Credentials): number {
  if ((mask & MAY_WRITE) !== 0 && inode.fs.readOnly) {
    const type = inode.mode & S_IFMT;
    if (type === S_IFREG || type === S_IFDIR || type === S_IFLNK) return -EROFS;
  }
  const acl = inode.accessAcl;
  return acl === null ? checkAccess(inode, mask, cred) : checkAcl(acl, inode, mask, cred);
}

/** mnt_want_write: 0 or -EROFS. */
export function wantWrite(mount: Mount): number {
  return (mount.flags & MS_RDONLY) !== 0 || mount.fs.readOnly ? -EROFS : 0;
}

export function isNoExec(mount: Mount): boolean {
  return (mount.flags & MS_NOEXEC) !== 0;
}

/** may_create: may a name be added to `dir`? */
export function mayCreate(dir: Dentry, cred: Credentials): number {
  const inode = dir.inode;
  if (inode === null || dir.isUnlinked) return -ENOENT;
  return inodePermission(inode, MAY_WRITE | MAY_EXEC, cred);
}

/** may_delete: may `victim` (positive) be taken out of its directory, as a directory or as something else? */
export function mayDelete(victim: Dentry, asDirectory: boolean, cred: Credentials): number {
  const dir = victim.parent.inode, inode = victim.inode;
  if (dir === null || inode === null) return -ENOENT;
  const r = inodePermission(dir, MAY_WRITE | MAY_EXEC, cred);
  if (r < 0) return r;
  if (!stickyAllows(dir, inode, cred)) return -EPERM;
  if (asDirectory && !isDirectory(inode)) return -ENOTDIR;
  if (!asDirectory && isDirectory(inode)) return -EISDIR;
  return victim.parent.isUnlinked ? -ENOENT : 0;
}

/** Group of something new in `dir`: the directory's when that has S_ISGID. */
export function groupOfNew(dir: Inode, cred: Credentials): number {
  return (dir.mode & S_ISGID) !== 0 ? dir.gid : cred.fsgid;
}

/** Mode of something new in `dir` without what its creator may not set (inode_init_owner). */
export function modeOfNew(dir: Inode, mode: number, cred: Credentials): number {
  if ((dir.mode & S_ISGID) === 0) return mode;
  if ((mode & S_IFMT) === S_IFDIR) return mode | S_ISGID;
  const both = S_ISGID | S_IXGRP;
  return (mode & both) === both && !mayKeepSetgid(dir.gid, cred) ? mode & ~S_ISGID : mode;
}

/** -EACCES for an executable on a `noexec` mount, else 0. */
export function checkNoExec(mount: Mount): number {
  return isNoExec(mount) ? -EACCES : 0;
}
