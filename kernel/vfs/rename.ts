/**
 * rename(2), renameat2(2): the checks in Linux's order (fs/namei.c), the file system's rename, then
 * the dentry cache and the events of inotify and fanotify. kernel/syscalls/fs/names.ts calls it.
 */

import { CAP_MKNOD } from "../../ffi/abi/capability.ts";
import {
  EBUSY,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
} from "../../ffi/abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../../ffi/abi/fcntl.ts";
import { IN_ATTRIB, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO } from "../../ffi/abi/inotify.ts";
import { hasCap } from "../cred/credentials.ts";
import { MAY_WRITE } from "../cred/permission.ts";
import { inodePermission, isDirectory, mayCreate, mayDelete, wantWrite } from "./access.ts";
import { type Caller, inTurns } from "./caller.ts";
import type { Dentry } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { mayRefer } from "../landlock/file_access.ts";
import { notifyEntry, notifyRename, notifySelf } from "./notify.ts";
import { firstWalk, LAST_NORM, LOOKUP_PARENT, secondWalk, type Walk } from "./walk.ts";

export function renameAt(
  caller: Caller,
  oldDirfd: number,
  oldText: string,
  newDirfd: number,
  newText: string,
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  if (exchange && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_WHITEOUT) !== 0 && !hasCap(caller.cred, CAP_MKNOD)) return -EPERM;
  const from = firstWalk(caller), to = secondWalk(caller);
  let r = from.run(caller, oldDirfd, oldText, LOOKUP_PARENT);
  if (r < 0) return r;
  r = to.run(caller, newDirfd, newText, LOOKUP_PARENT);
  if (r < 0) return r;
  if (from.mount !== to.mount) return -EXDEV;
  if (from.lastType !== LAST_NORM) return -EBUSY;
  const noReplace = (flags & RENAME_NOREPLACE) !== 0;
  if (to.lastType !== LAST_NORM) return noReplace ? -EEXIST : -EBUSY;
  r = wantWrite(from.mount);
  if (r < 0) return r;
  const source = from.lookupLast();
  if (typeof source === "number") return source;
  if (source.inode === null) return -ENOENT;
  const target = to.lookupLast();
  if (typeof target === "number") return target;
  if (noReplace && target.inode !== null) return -EEXIST;
  if (exchange && target.inode === null) return -ENOENT;
  r = checkShape(from, to, source, source.inode, target, exchange);
  if (r < 0) return r;
  r = mayRefer(caller.cred.domain, {
    mount: to.mount,
    from: source,
    dir: to.dentry,
    to: target,
    removes: true,
    exchanges: exchange,
  });
  if (r < 0) return r;
  return vfsRename(caller, source, source.inode, target, flags);
}

/** Checks trailing slashes, and that neither place is above the other. */
function checkShape(
  from: Walk,
  to: Walk,
  source: Dentry,
  sourceInode: Inode,
  target: Dentry,
  exchange: boolean,
): number {
  if (exchange && target.inode !== null && !isDirectory(target.inode) && to.hasTrailingSlash) {
    return -ENOTDIR;
  }
  if (!isDirectory(sourceInode)) {
    if (from.hasTrailingSlash || (!exchange && to.hasTrailingSlash)) return -ENOTDIR;
  }
  if (source.isAncestorOf(to.dentry)) return -EINVAL;
  if (target.inode !== null && target.isAncestorOf(from.dentry)) {
    return exchange ? -EINVAL : -ENOTEMPTY;
  }
  return 0;
}

function checkPermission(
  caller: Caller,
  source: Dentry,
  sourceInode: Inode,
  target: Dentry,
  flags: number,
): number {
  const cred = caller.cred, victim = target.inode;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const isDir = isDirectory(sourceInode);
  let r = mayDelete(source, isDir, cred);
  if (r < 0) return r;
  if (victim === null) r = mayCreate(target.parent, cred);
  else r = mayDelete(target, exchange ? isDirectory(victim) : isDir, cred);
  if (r < 0) return r;
  // The ".." of a directory that changes its parent is written.
  if (source.parent !== target.parent) {
    if (isDir) r = inodePermission(sourceInode, MAY_WRITE, cred);
    if (r === 0 && exchange && victim !== null && isDirectory(victim)) {
      r = inodePermission(victim, MAY_WRITE, cred);
    }
    if (r < 0) return r;
  }
  const namespace = caller.fs.namespace;
  return namespace.isMountpoint(source) || namespace.isMountpoint(target) ? -EBUSY : 0;
}

/** vfs_rename of fs/namei.c. */
function vfsRename(
  caller: Caller,
  source: Dentry,
  inode: Inode,
  target: Dentry,
  flags: number,
): number {
  const victim = target.inode;
  if (inode === victim) return 0;
  let r = checkPermission(caller, source, inode, target, flags);
  if (r < 0) return r;
  const oldDir = source.parent.inode, newDir = target.parent.inode;
  if (oldDir === null || newDir === null) return -ENOENT;
  const oldName = source.name, newName = target.name;
  const passed = flags & (RENAME_EXCHANGE | RENAME_WHITEOUT);
  const { account } = caller;
  r = inTurns(
    caller,
    () => oldDir.rename(oldName, inode, newDir, newName, victim, passed, account),
  );
  if (r < 0) return r;
  const vfs = caller.fs.namespace.vfs;
  const oldParent = source.parent, newParent = target.parent;
  if (victim !== null) victim.hold();
  if ((flags & RENAME_EXCHANGE) !== 0) {
    vfs.dentries.onExchanged(source, target);
  } else {
    if (victim !== null) vfs.dentries.onUnlinked(target);
    vfs.dentries.onRenamed(source, newParent, newName);
    if ((flags & RENAME_WHITEOUT) === 0) vfs.dentries.addNegative(oldParent, oldName);
  }
  const left = { dir: oldParent, name: oldName }, found = { dir: newParent, name: newName };
  notifyMove(caller, source, inode, left, found);
  if (victim !== null && (flags & RENAME_EXCHANGE) !== 0) {
    notifyMove(caller, target, victim, found, left);
  } else if (victim !== null && !isDirectory(victim)) notifySelf(victim, IN_ATTRIB, target);
  if (victim !== null) victim.drop();
  return 0;
}

interface Place {
  readonly dir: Dentry;
  readonly name: string;
}

function notifyMove(caller: Caller, dentry: Dentry, inode: Inode, from: Place, to: Place): void {
  const vfs = caller.fs.namespace.vfs;
  const isWatched = from.dir.inode?.watches !== null || to.dir.inode?.watches !== null;
  const cookie = isWatched ? vfs.nextRenameCookie() : 0;
  notifyRename(inode, dentry, from.dir, from.name, to.dir, to.name);
  notifyEntry(from.dir, IN_MOVED_FROM, from.name, inode, dentry, cookie);
  notifyEntry(to.dir, IN_MOVED_TO, to.name, inode, dentry, cookie);
  notifySelf(inode, IN_MOVE_SELF, dentry);
}
