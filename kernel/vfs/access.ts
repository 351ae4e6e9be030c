/**
 * Permission checks on inodes and mounts: owner and mode, ACL, read-only file systems and mounts,
 * sticky directories, and the set-ID rules of creation. The order of checks is Linux's
 * (fs/namei.c). All operations of this folder call it.
 *
 * Neighbours: cred/permission.ts (rules without inodes), walk.ts (search permission of a path).
 */

import { EACCES, EISDIR, ENOENT, ENOTDIR, EOVERFLOW, EPERM, EROFS } from "../../ffi/abi/errno.ts";
import { FS_APPEND_FL, FS_IMMUTABLE_FL } from "../../ffi/abi/fs.ts";
import { MS_NOEXEC, MS_RDONLY } from "../../ffi/abi/mount.ts";
import {
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISUID,
  S_ISVTX,
  S_IXGRP,
} from "../../ffi/abi/stat.ts";
import type { Credentials } from "../cred/credentials.ts";
import {
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  mayKeepSetgid,
  ownsOrCapable,
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
  if ((mask & MAY_WRITE) !== 0 && (inode.fileFlags & FS_IMMUTABLE_FL) !== 0) return -EPERM;
  const acl = inode.accessAcl;
  return acl === null ? inode.checkMode(mask, cred) : checkAcl(acl, inode, mask, cred);
}

/** An immutable or append-only file, whose names, owner, mode and attributes cannot be changed. */
export function isProtected(inode: Inode): boolean {
  return (inode.fileFlags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) !== 0;
}

/** mnt_want_write: 0 or -EROFS. */
export function wantWrite(mount: Mount): number {
  return (mount.flags & MS_RDONLY) !== 0 || mount.fs.readOnly ? -EROFS : 0;
}

export function isNoExec(mount: Mount): boolean {
  return (mount.flags & MS_NOEXEC) !== 0;
}

/**
 * may_create: whether a name may be added to `dir`. In a file system of a user namespace, the new
 * file's owner must have an id in that namespace.
 */
export function mayCreate(dir: Dentry, cred: Credentials): number {
  const inode = dir.inode;
  if (inode === null || dir.isUnlinked) return -ENOENT;
  const { owner } = inode.fs;
  if (!owner.isInitial && !(owner.hasUid(cred.fsuid) && owner.hasGid(cred.fsgid))) {
    return -EOVERFLOW;
  }
  return inodePermission(inode, MAY_WRITE | MAY_EXEC, cred);
}

/**
 * may_delete: whether `victim` (positive) may be removed from its directory, as a directory or as
 * another file.
 */
export function mayDelete(victim: Dentry, asDirectory: boolean, cred: Credentials): number {
  const dir = victim.parent.inode, inode = victim.inode;
  if (dir === null || inode === null) return -ENOENT;
  const r = inodePermission(dir, MAY_WRITE | MAY_EXEC, cred);
  if (r < 0) return r;
  if ((dir.fileFlags & FS_APPEND_FL) !== 0 || isProtected(inode)) return -EPERM;
  if (!stickyAllows(dir, inode, cred)) return -EPERM;
  if (asDirectory && !isDirectory(inode)) return -ENOTDIR;
  if (!asDirectory && isDirectory(inode)) return -EISDIR;
  return victim.parent.isUnlinked ? -ENOENT : 0;
}

/**
 * protected_hardlinks: 0 for owners, for CAP_FOWNER, and for a caller that may read and write a
 * regular file without set-ID bits; else -EPERM.
 */
export function mayLink(inode: Inode, cred: Credentials): number {
  if (ownsOrCapable(inode, cred)) return 0;
  const isSetgid = (inode.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  if (!isRegular(inode) || (inode.mode & S_ISUID) !== 0 || isSetgid) return -EPERM;
  return inodePermission(inode, MAY_READ | MAY_WRITE, cred) < 0 ? -EPERM : 0;
}

/**
 * protected_symlinks: a link as the last component, in a sticky world-writable directory, is
 * followed only for its owner: 0 or -EACCES.
 */
export function mayFollow(dir: Inode, link: Inode, cred: Credentials): number {
  if (link.uid === cred.fsuid || (dir.mode & 0o1002) !== 0o1002) return 0;
  return link.uid === dir.uid ? 0 : -EACCES;
}

/**
 * may_create_in_sticky: O_CREAT found `inode`, which another user owns, in a sticky directory that
 * others may write: 0 or -EACCES. `regular` and `fifos` are the protection levels of
 * proc_sys_fs(5); other types are always refused.
 */
export function mayReuse(
  dir: Inode,
  inode: Inode,
  regular: number,
  fifos: number,
  cred: Credentials,
): number {
  if ((dir.mode & S_ISVTX) === 0) return 0;
  const type = inode.mode & S_IFMT;
  const level = type === S_IFREG ? regular : type === S_IFIFO ? fifos : 1;
  if (level === 0 || inode.uid === dir.uid || inode.uid === cred.fsuid) return 0;
  if ((dir.mode & 0o002) !== 0) return -EACCES;
  return (dir.mode & 0o020) !== 0 && level >= 2 ? -EACCES : 0;
}

/** The group of a new file in `dir`: the directory's when that has S_ISGID. */
export function groupOfNew(dir: Inode, cred: Credentials): number {
  return (dir.mode & S_ISGID) !== 0 ? dir.gid : cred.fsgid;
}

/**
 * The mode of a new file in `dir`, without the bits that its creator may not set
 * (inode_init_owner).
 */
export function modeOfNew(dir: Inode, mode: number, cred: Credentials): number {
  if ((dir.mode & S_ISGID) === 0) return mode;
  if ((mode & S_IFMT) === S_IFDIR) return mode | S_ISGID;
  const both = S_ISGID | S_IXGRP;
  return (mode & both) === both && !mayKeepSetgid(dir, cred) ? mode & ~S_ISGID : mode;
}

/** -EACCES for an executable on a `noexec` mount, else 0. */
export function checkNoExec(mount: Mount): number {
  return isNoExec(mount) ? -EACCES : 0;
}
