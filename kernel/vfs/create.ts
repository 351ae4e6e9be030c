/**
 * Creation of names: mkdir(2), mknod(2), symlink(2), link(2), and what every creation does (mode,
 * ACL, dentry, inotify). kernel/syscalls/fs/names.ts calls the functions `*At`. open(2) with
 * O_CREAT is in open.ts and uses `newMode` and `finishNew`.
 */

import { BPF_DEVCG_ACC_MKNOD } from "../../ffi/abi/bpf.ts";
import { CAP_DAC_READ_SEARCH, CAP_MKNOD } from "../../ffi/abi/capability.ts";
import { EEXIST, EINVAL, EMLINK, ENOENT, EPERM, EXDEV } from "../../ffi/abi/errno.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_FOLLOW } from "../../ffi/abi/fcntl.ts";
import { IN_ATTRIB, IN_CREATE } from "../../ffi/abi/inotify.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../ffi/abi/stat.ts";
import { type Credentials, hasCap, hasOwnCap } from "../cred/credentials.ts";
import {
  groupOfNew,
  isDirectory,
  isProtected,
  mayCreate,
  mayLink,
  modeOfNew,
  wantWrite,
} from "./access.ts";
import type { Caller } from "./caller.ts";
import { checkDevice } from "./device_policy.ts";
import { type Dentry, Path } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { mayDo, mayRefer, rightToMake } from "../landlock/file_access.ts";
import { notifyEntry, notifySelf } from "./notify.ts";
import { inheritAcl, isMinimal, modeOfAcl } from "./posix_acl.ts";
import {
  firstWalk,
  LAST_NORM,
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  secondWalk,
  type Walk,
} from "./walk.ts";

/** A link count that is too large for any file system. The names of a directory are not counted. */
const MAX_LINKS = 0x7fffffff;

/**
 * The final mode of a new file in `dir`: with the umask (or the default ACL) and the set-group-ID
 * rules applied.
 */
export function newMode(caller: Caller, dir: Inode, mode: number): number {
  const own = modeOfNew(dir, mode, caller.cred);
  const acl = dir.defaultAcl;
  if (acl === null) return own & ~(caller.fs.umask & 0o777);
  return own & (~0o777 | modeOfAcl(acl));
}

/** Gives a new inode its dentry and its ACLs. `asked` is the mode before the umask. */
export function finishNew(caller: Caller, dentry: Dentry, inode: Inode, asked: number): void {
  caller.fs.namespace.vfs.dentries.instantiate(dentry, inode);
  const acl = dentry.parent.inode?.defaultAcl ?? null;
  if (acl === null || (asked & S_IFMT) === S_IFLNK) return;
  const access = inheritAcl(acl, asked & 0o777);
  inode.inheritAcls(isMinimal(access) ? null : access, isDirectory(inode) ? acl : null);
}

/**
 * filename_create of Linux: the negative dentry for a new name, after a walk with LOOKUP_PARENT.
 * Only the name of a directory may end in a slash. -EEXIST, -ENOENT, -EROFS, or BLOCK.
 */
function newName(walk: Walk, isForDirectory: boolean): Dentry | number {
  if (walk.lastType !== LAST_NORM) return -EEXIST;
  const child = walk.lookupLast();
  if (typeof child === "number") return child;
  if (child.inode !== null) return -EEXIST;
  if (walk.hasTrailingSlash && !isForDirectory) return -ENOENT;
  const r = wantWrite(walk.mount);
  return r < 0 ? r : child;
}

/** Walks to a name that may be created, and returns its dentry. `walk` stands at the directory. */
function walkToNew(
  caller: Caller,
  walk: Walk,
  dirfd: number,
  text: string,
  isForDirectory: boolean,
): Dentry | number {
  const r = walk.run(caller, dirfd, text, LOOKUP_PARENT);
  return r < 0 ? r : newName(walk, isForDirectory);
}

/** Whether a file of this type may be created in the directory where `walk` stands: 0 or -errno. */
function mayMake(walk: Walk, cred: Credentials, type: number): number {
  const r = mayDo(cred.domain, walk.mount, walk.dentry, rightToMake(type));
  return r < 0 ? r : mayCreate(walk.dentry, cred);
}

export function mkdirAt(caller: Caller, dirfd: number, text: string, mode: number): number {
  const walk = firstWalk(caller), cred = caller.cred;
  const child = walkToNew(caller, walk, dirfd, text, true);
  if (typeof child === "number") return child;
  const r = mayMake(walk, cred, S_IFDIR);
  if (r < 0) return r;
  const dir = walk.inode;
  const asked = S_IFDIR | (mode & 0o1777);
  if (dir.nlink >= MAX_LINKS) return -EMLINK;
  const full = newMode(caller, dir, asked);
  const inode = dir.mkdir(child.name, full, cred.fsuid, groupOfNew(dir, cred), caller.account);
  if (typeof inode === "number") return inode;
  finishNew(caller, child, inode, asked);
  notifyEntry(child.parent, IN_CREATE, child.name, inode, child);
  return 0;
}

/** mknod(2). `mode` without a type means a regular file; `rdev` as in stat. */
export function mknodAt(
  caller: Caller,
  dirfd: number,
  text: string,
  mode: number,
  rdev: number,
): number {
  const path = createNode(caller, dirfd, text, mode, rdev);
  return typeof path === "number" ? path : 0;
}

/**
 * mknod(2), returning the path: bind(2) of UNIX sockets puts its socket at the new inode.
 * `listens`: the inode may be a socket that programs of the host can connect to.
 */
export function createNode(
  caller: Caller,
  dirfd: number,
  text: string,
  mode: number,
  rdev: number,
  listens = false,
): Path | number {
  const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT;
  if (type === S_IFDIR) return -EPERM;
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  if (!isDevice && type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK) return -EINVAL;
  const walk = firstWalk(caller), cred = caller.cred;
  const child = walkToNew(caller, walk, dirfd, text, false);
  if (typeof child === "number") return child;
  const r = mayMake(walk, cred, type);
  if (r < 0) return r;
  const isWhiteout = type === S_IFCHR && rdev === 0;
  if (isDevice && !isWhiteout) {
    if (!hasCap(cred, CAP_MKNOD)) return -EPERM;
    const denied = checkDevice(caller, mode, rdev, BPF_DEVCG_ACC_MKNOD);
    if (denied < 0) return denied;
  }
  const dir = walk.inode, mount = walk.mount;
  const asked = type | (mode & 0o7777);
  const full = newMode(caller, dir, asked);
  const gid = groupOfNew(dir, cred);
  const inode = type === S_IFREG
    ? dir.create(child.name, full, cred.fsuid, gid, caller.account)
    : listens
    ? dir.bindListener(child.name, full, cred.fsuid, gid, caller.account)
    : dir.mknod(child.name, full, isDevice ? rdev : 0, cred.fsuid, gid, caller.account);
  if (typeof inode === "number") return inode;
  finishNew(caller, child, inode, asked);
  notifyEntry(child.parent, IN_CREATE, child.name, inode, child);
  return new Path(mount, child);
}

export function symlinkAt(caller: Caller, target: string, dirfd: number, text: string): number {
  if (target.length === 0) return -ENOENT;
  const walk = firstWalk(caller), cred = caller.cred;
  const child = walkToNew(caller, walk, dirfd, text, false);
  if (typeof child === "number") return child;
  const r = mayMake(walk, cred, S_IFLNK);
  if (r < 0) return r;
  const dir = walk.inode;
  const inode = dir.symlink(child.name, target, cred.fsuid, groupOfNew(dir, cred), caller.account);
  if (typeof inode === "number") return inode;
  finishNew(caller, child, inode, S_IFLNK | 0o777);
  notifyEntry(child.parent, IN_CREATE, child.name, inode, child);
  return 0;
}

/** linkat(2). */
export function linkAt(
  caller: Caller,
  oldDirfd: number,
  oldText: string,
  newDirfd: number,
  newText: string,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const cred = caller.cred;
  let lookup = (flags & AT_SYMLINK_FOLLOW) !== 0 ? LOOKUP_FOLLOW : 0;
  if ((flags & AT_EMPTY_PATH) !== 0) {
    lookup |= LOOKUP_EMPTY;
    if (oldText === "" && !mayLinkDescription(caller, oldDirfd)) return -ENOENT;
  }
  const from = secondWalk(caller), to = firstWalk(caller);
  let r = from.run(caller, oldDirfd, oldText, lookup);
  if (r < 0) return r;
  const child = walkToNew(caller, to, newDirfd, newText, false);
  if (typeof child === "number") return child;
  if (from.mount !== to.mount) return -EXDEV;
  const source = from.inode, dir = to.inode;
  if (caller.fs.namespace.vfs.protectedHardlinks) {
    r = mayLink(source, cred);
    if (r < 0) return r;
  }
  r = mayRefer(cred.domain, {
    mount: to.mount,
    from: from.dentry,
    dir: to.dentry,
    to: child,
    removes: false,
    exchanges: false,
  });
  if (r < 0) return r;
  r = mayCreate(to.dentry, cred);
  if (r < 0) return r;
  if (source.fs !== dir.fs) return -EXDEV;
  if (isProtected(source) || isDirectory(source)) return -EPERM;
  if (source.nlink === 0 && !source.isLinkable) return -ENOENT;
  if (source.nlink >= MAX_LINKS) return -EMLINK;
  r = dir.link(child.name, source);
  if (r < 0) return r;
  caller.fs.namespace.vfs.dentries.instantiate(child, source);
  notifySelf(source, IN_ATTRIB, child);
  notifyEntry(child.parent, IN_CREATE, child.name, source, child);
  return 0;
}

/**
 * AT_EMPTY_PATH of linkat(2) needs CAP_DAC_READ_SEARCH, or a descriptor that was opened with the
 * caller's present credentials.
 */
function mayLinkDescription(caller: Caller, fd: number): boolean {
  if (hasOwnCap(caller.cred, CAP_DAC_READ_SEARCH)) return true;
  const file = caller.files.getAny(fd);
  return file === null || file.cred === caller.cred;
}
