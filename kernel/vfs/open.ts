/**
 * open(2) and openat2(2): creation, truncation, unnamed files, O_PATH; and opening for execve(2).
 * The file system makes the description of a regular file or directory (`Inode.open`),
 * special_files.ts the others; open_flags.ts checks the flags. kernel/syscalls/fs/open.ts and the
 * loader call this.
 */

import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EPERM,
  ESTALE,
  ETXTBSY,
} from "../../ffi/abi/errno.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TRUNC,
} from "../../ffi/abi/fcntl.ts";
import { FAN_OPEN_EXEC_PERM, FAN_OPEN_PERM } from "../../ffi/abi/fanotify.ts";
import { FS_APPEND_FL } from "../../ffi/abi/fs.ts";
import { IN_CREATE, IN_MODIFY } from "../../ffi/abi/inotify.ts";
import {
  LANDLOCK_ACCESS_FS_MAKE_REG,
  LANDLOCK_ACCESS_FS_TRUNCATE,
} from "../../ffi/abi/landlock.ts";
import { MS_NODEV } from "../../ffi/abi/mount.ts";
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
import { BLOCK } from "../core/result.ts";
import { MAY_EXEC, MAY_WRITE, ownsOrCapable } from "../cred/permission.ts";
import {
  checkNoExec,
  groupOfNew,
  inodePermission,
  isDirectory,
  isRegular,
  mayCreate,
  mayReuse,
  wantWrite,
} from "./access.ts";
import { truncateInode } from "./attributes.ts";
import type { Caller } from "./caller.ts";
import { finishNew, newMode } from "./create.ts";
import { Dentry, Path } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { mayDo, mayOpenHere } from "../landlock/file_access.ts";
import { mayUseDevice } from "./device_policy.ts";
import { breakLeases } from "./leases.ts";
import { notify, notifyEntry, notifyOpen } from "./notify.ts";
import type { OpenFile } from "./open_file.ts";
import {
  accessOf,
  checkFlags,
  checkOpenHow,
  MODE_BITS,
  OPENING_FLAGS,
  PATH_FLAGS,
  TMPFILE_BIT,
  VALID_FLAGS,
} from "./open_flags.ts";
import { PathFile } from "./path_file.ts";
import { askPermission, createdBefore, rememberCreated } from "./permission_events.ts";
import {
  firstWalk,
  LAST_NORM,
  LOOKUP_DIRECTORY,
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  LOOKUP_OPEN,
  LOOKUP_PARENT,
  type Walk,
} from "./walk.ts";

/** Ways to open: plainly, as a program, or without events. */
const OPEN_PLAIN = 0, OPEN_PROGRAM = 1, OPEN_QUIET = 2;

/**
 * open(2), openat(2), creat(2): unknown flags are ignored, as in Linux. A new description with one
 * reference, or -errno, BLOCK.
 */
export function openAt(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
  mode: number,
): OpenFile | number {
  let f = flags & VALID_FLAGS;
  if ((f & O_PATH) !== 0) f &= PATH_FLAGS;
  const r = checkFlags(f);
  if (r < 0) return r;
  return open(caller, dirfd, text, f, mode & MODE_BITS, 0);
}

/** openat2(2); its errors besides those of open(2) are in `checkOpenHow`. */
export function openAt2(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | number {
  const r = checkOpenHow(flags, mode, resolve);
  return r < 0 ? r : open(caller, dirfd, text, flags, mode, resolve);
}

/**
 * Opens a file. When its name has a new file by now (-ESTALE of a remote file system), it is looked
 * up once more.
 */
function open(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | number {
  const file = openOnce(caller, dirfd, text, flags, mode, resolve);
  if (file !== -ESTALE) return file;
  firstWalk(caller).mount.fs.expire();
  return openOnce(caller, dirfd, text, flags, mode, resolve);
}

function openOnce(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | number {
  if ((flags & TMPFILE_BIT) !== 0) return openUnnamed(caller, dirfd, text, flags, mode, resolve);
  if ((flags & O_CREAT) !== 0) return openOrCreate(caller, dirfd, text, flags, mode, resolve);
  const walk = firstWalk(caller);
  let lookup = (flags & O_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW;
  if ((flags & O_DIRECTORY) !== 0) lookup |= LOOKUP_DIRECTORY;
  else if ((flags & (O_ACCMODE | O_PATH | O_TRUNC)) === O_RDONLY) lookup |= LOOKUP_OPEN;
  const r = walk.run(caller, dirfd, text, lookup, resolve);
  if (r < 0) return r;
  const path = walk.path;
  if ((flags & O_PATH) !== 0) return makePathFile(caller, path, flags);
  return openFound(caller, path, walk.inode, flags, accessOf(flags));
}

/**
 * O_CREAT: walks to the directory, looks the name up, follows links, and creates the file when it
 * is missing.
 */
function openOrCreate(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | number {
  const walk = firstWalk(caller);
  let r = walk.run(caller, dirfd, text, LOOKUP_PARENT, resolve);
  let dir = walk.inode;
  for (;;) {
    if (r < 0) return r;
    if (walk.lastType !== LAST_NORM) {
      if (walk.stepDots() < 0) return -ENOENT;
      return (flags & O_EXCL) !== 0 ? -EEXIST : -EISDIR;
    }
    if (walk.hasTrailingSlash) return -EISDIR;
    const child = walk.lookupLast();
    if (typeof child === "number") return child;
    if (child.inode === null) return createAndOpen(caller, walk, child, flags, mode);
    if (createdBefore(caller) === child) {
      return openCreated(caller, walk, child, child.inode, flags);
    }
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    dir = walk.inode;
    r = walk.stepLast(child, (flags & O_NOFOLLOW) === 0);
    if (r > 0) break;
  }
  if (isDirectory(walk.inode)) return -EISDIR;
  const { protectedRegular, protectedFifos } = caller.fs.namespace.vfs;
  r = mayReuse(dir, walk.inode, protectedRegular, protectedFifos, caller.cred);
  if (r < 0) return r;
  return openFound(caller, walk.path, walk.inode, flags, accessOf(flags));
}

function createAndOpen(
  caller: Caller,
  walk: Walk,
  child: Dentry,
  flags: number,
  mode: number,
): OpenFile | number {
  const dir = walk.dentry, parent = walk.inode, cred = caller.cred;
  if (dir.isUnlinked) return -ENOENT;
  let r = wantWrite(walk.mount);
  if (r < 0) return r;
  r = mayDo(cred.domain, walk.mount, dir, LANDLOCK_ACCESS_FS_MAKE_REG);
  if (r < 0) return r;
  r = mayCreate(dir, cred);
  if (r < 0) return r;
  const full = newMode(caller, parent, S_IFREG | mode);
  const gid = groupOfNew(parent, cred);
  const inode = parent.create(child.name, full, cred.fsuid, gid, caller.account);
  if (typeof inode === "number") return inode;
  finishNew(caller, child, inode, S_IFREG | mode);
  notifyEntry(dir, IN_CREATE, child.name, inode, child);
  rememberCreated(caller, child);
  return openCreated(caller, walk, child, inode, flags);
}

/**
 * Opens the file that this call has created: no permission is checked, and the description is
 * marked as created.
 */
function openCreated(
  caller: Caller,
  walk: Walk,
  child: Dentry,
  inode: Inode,
  flags: number,
): OpenFile | number {
  const file = openFound(caller, new Path(walk.mount, child), inode, flags & ~O_TRUNC, 0);
  if (typeof file !== "number") file.isCreated = true;
  return file;
}

/** O_TMPFILE. */
function openUnnamed(
  caller: Caller,
  dirfd: number,
  text: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | number {
  const walk = firstWalk(caller), cred = caller.cred;
  let r = walk.run(caller, dirfd, text, LOOKUP_DIRECTORY | LOOKUP_FOLLOW, resolve);
  if (r < 0) return r;
  r = wantWrite(walk.mount);
  if (r < 0) return r;
  const dir = walk.inode, mount = walk.mount, dentry = walk.dentry;
  r = inodePermission(dir, MAY_WRITE | MAY_EXEC, cred);
  if (r < 0) return r;
  const before = createdBefore(caller);
  const unnamed = before ?? newUnnamed(caller, dentry, dir, flags, mode);
  if (typeof unnamed === "number") return unnamed;
  const path = new Path(mount, unnamed);
  const file = openFound(caller, path, unnamed.inode!, flags & ~O_TRUNC, 0);
  if (file === BLOCK) rememberCreated(caller, unnamed);
  else if (typeof file === "number") unnamed.releaseInode();
  return file;
}

function newUnnamed(
  caller: Caller,
  dentry: Dentry,
  dir: Inode,
  flags: number,
  mode: number,
): Dentry | number {
  const cred = caller.cred, full = newMode(caller, dir, S_IFREG | mode);
  const linkable = (flags & O_EXCL) === 0;
  const inode = dir.tmpfile(full, cred.fsuid, groupOfNew(dir, cred), linkable, caller.account);
  if (typeof inode === "number") return inode;
  const unnamed = new Dentry(dentry.fs, dentry, `#${inode.ino}`, inode);
  unnamed.isUnlinked = true;
  return unnamed;
}

function makePathFile(caller: Caller, path: Path, flags: number): OpenFile {
  const file = new PathFile(caller.account, flags & ~O_CLOEXEC, path.dentry.inode!);
  file.attach(path, caller.cred);
  return file;
}

/**
 * may_open, vfs_open and O_TRUNC: do_open of fs/namei.c after its O_CREAT and O_DIRECTORY checks.
 */
function openFound(
  caller: Caller,
  path: Path,
  inode: Inode,
  flags: number,
  access: number,
): OpenFile | number {
  const truncates = (flags & O_TRUNC) !== 0 && isRegular(inode);
  if (truncates) {
    const r = wantWrite(path.mount);
    if (r < 0) return r;
  }
  const r = mayOpen(caller, path, inode, flags, access);
  if (r < 0) return r;
  const file = openInode(caller, path, inode, flags);
  if (typeof file === "number" || !truncates) return file;
  const isDenied = (file.deniedLater & LANDLOCK_ACCESS_FS_TRUNCATE) !== 0;
  let t = -EACCES;
  try {
    if (!isDenied) t = truncateInode(caller, inode, 0);
  } finally {
    if (t < 0) file.drop();
  }
  if (t < 0) return t;
  notify(null, path.dentry, IN_MODIFY);
  return file;
}

function mayOpen(
  caller: Caller,
  path: Path,
  inode: Inode,
  flags: number,
  access: number,
): number {
  switch (inode.mode & S_IFMT) {
    case S_IFLNK:
      return -ELOOP;
    case S_IFDIR:
      if ((access & MAY_WRITE) !== 0) return -EISDIR;
      if ((access & MAY_EXEC) !== 0) return -EACCES;
      break;
    case S_IFBLK:
    case S_IFCHR:
      if (
        (path.mount.flags & MS_NODEV) !== 0 || (access & MAY_EXEC) !== 0 ||
        !(path.mount.fs.owner.isInitial || path.mount.fs.hasOwnDevices)
      ) return -EACCES;
      break;
    case S_IFIFO:
    case S_IFSOCK:
      if ((access & MAY_EXEC) !== 0) return -EACCES;
      break;
    default:
      if ((access & MAY_EXEC) !== 0 && checkNoExec(path.mount) < 0) return -EACCES;
  }
  if (access !== 0) {
    const r = inodePermission(inode, access, caller.cred);
    if (r < 0) return r;
    const denied = mayUseDevice(caller, inode, access);
    if (denied < 0) return denied;
  }
  if ((inode.fileFlags & FS_APPEND_FL) !== 0) {
    const writes = (flags & O_ACCMODE) !== O_RDONLY;
    if ((writes && (flags & O_APPEND) === 0) || (flags & O_TRUNC) !== 0) return -EPERM;
  }
  return (flags & O_NOATIME) !== 0 && !ownsOrCapable(inode, caller.cred) ? -EPERM : 0;
}

/**
 * Makes the description after all permission checks. Also for /proc/PID/fd of a file that is open
 * already.
 */
function openInode(
  caller: Caller,
  path: Path,
  inode: Inode,
  flags: number,
  how: number = OPEN_PLAIN,
): OpenFile | number {
  const type = inode.mode & S_IFMT;
  const isPlain = type === S_IFREG || type === S_IFDIR;
  const writes = (flags & O_ACCMODE) !== 0 && type === S_IFREG;
  if (type === S_IFSOCK) return -ENXIO;
  if (writes) {
    if (inode.writeCount < 0) return -ETXTBSY;
    const r = wantWrite(path.mount);
    if (r < 0) return r;
  }
  const denied = mayOpenHere(caller.cred.domain, path, inode, flags, how === OPEN_PROGRAM);
  if (denied < 0) return denied;
  if (inode.leases !== null) {
    const r = breakLeases(caller, inode, flags);
    if (r < 0) return r;
  }
  if (isPlain && how !== OPEN_QUIET) {
    const r = askOpenPermission(caller, path, how);
    if (r < 0) return r;
  }
  const file = isPlain
    ? inode.open(path.dentry, flags, caller.cred, caller.account)
    : caller.fs.namespace.vfs.special.open(caller, path, inode, flags);
  if (typeof file === "number") return file;
  if ((flags & O_DIRECT) !== 0 && !file.canDirect) {
    file.drop();
    return -EINVAL;
  }
  file.flags = (flags & ~OPENING_FLAGS) | O_LARGEFILE;
  if (file.path === null) file.attach(path, caller.cred);
  if (writes) file.countWriter();
  file.deniedLater = denied;
  file.isQuiet = how === OPEN_QUIET;
  notifyOpen(file, how === OPEN_PROGRAM);
  return file;
}

/** Asks the groups of fanotify(7) for permission to open. */
function askOpenPermission(caller: Caller, path: Path, how: number): number {
  const r = how === OPEN_PROGRAM ? askPermission(caller, path, FAN_OPEN_EXEC_PERM) : 0;
  return r < 0 ? r : askPermission(caller, path, FAN_OPEN_PERM);
}

/**
 * Opens a program for execve(2) or execveat(2): a regular file with execute permission on a mount
 * that allows it. No other open for writing succeeds while the result lives. -EACCES, -ELOOP,
 * -ETXTBSY, and the errors of a walk.
 */
export function openExec(
  caller: Caller,
  dirfd: number,
  text: string,
  follow: boolean,
  mayBeEmpty: boolean,
): OpenFile | number {
  const walk = firstWalk(caller);
  const lookup = (follow ? LOOKUP_FOLLOW : 0) | (mayBeEmpty ? LOOKUP_EMPTY : 0);
  const r = walk.run(caller, dirfd, text, lookup | LOOKUP_OPEN);
  if (r < 0) return r;
  const path = walk.path, inode = walk.inode;
  if (!isRegular(inode)) return (inode.mode & S_IFMT) === S_IFLNK ? -ELOOP : -EACCES;
  const may = mayOpen(caller, path, inode, 0, MAY_EXEC);
  if (may < 0) return may;
  if (inode.writeCount > 0) return -ETXTBSY;
  const file = openInode(caller, path, inode, O_RDONLY, OPEN_PROGRAM);
  if (typeof file === "number") return file;
  if (file.denyWriters()) return file;
  file.drop();
  return -ETXTBSY;
}

/**
 * Opens a file at a path that was found before, without permission checks (TIOCGPTPEER and the
 * like).
 */
export function openPathDirectly(caller: Caller, path: Path, flags: number): OpenFile | number {
  const inode = path.dentry.inode;
  const file = inode === null ? -ENOENT : openInode(caller, path, inode, flags);
  if (typeof file !== "number") file.flags &= ~O_LARGEFILE;
  return file;
}

/** Opens the file of a fanotify event, without permission checks; its use makes no events. */
export function openQuietly(caller: Caller, path: Path, flags: number): OpenFile | number {
  const inode = path.dentry.inode;
  return inode === null ? -ENOENT : openInode(caller, path, inode, flags & VALID_FLAGS, OPEN_QUIET);
}

/** Opens a file that was found by a handle, with the permission checks of an open by name. */
export function openByHandle(caller: Caller, path: Path, flags: number): OpenFile | number {
  const known = flags & VALID_FLAGS & ~(O_CREAT | O_EXCL | O_NOCTTY | TMPFILE_BIT),
    { inode } = path.dentry;
  if (inode === null) return -ESTALE;
  if ((known & O_PATH) !== 0) return makePathFile(caller, path, known & PATH_FLAGS);
  if ((known & O_DIRECTORY) !== 0 && !isDirectory(inode)) return -ENOTDIR;
  return openFound(caller, path, inode, known, accessOf(known));
}
