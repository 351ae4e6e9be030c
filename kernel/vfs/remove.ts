/**
 * unlink(2) and rmdir(2): the checks in Linux's order, the file system's removal, then the dentry
 * cache and the events of inotify and fanotify. kernel/syscalls/fs/names.ts calls it.
 */

import { EBUSY, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } from "../../ffi/abi/errno.ts";
import { IN_ATTRIB, IN_DELETE } from "../../ffi/abi/inotify.ts";
import {
  LANDLOCK_ACCESS_FS_REMOVE_DIR,
  LANDLOCK_ACCESS_FS_REMOVE_FILE,
} from "../../ffi/abi/landlock.ts";
import { isDirectory, mayDelete, wantWrite } from "./access.ts";
import { type Caller, inTurns } from "./caller.ts";
import { mayDo } from "../landlock/file_access.ts";
import { notifyEntry, notifySelf } from "./notify.ts";
import type { Dentry } from "./dentry.ts";
import { firstWalk, LAST_DOT, LAST_DOTDOT, LAST_NORM, LOOKUP_PARENT, type Walk } from "./walk.ts";

export function unlinkAt(caller: Caller, dirfd: number, text: string): number {
  const walk = firstWalk(caller);
  let r = walk.run(caller, dirfd, text, LOOKUP_PARENT);
  if (r < 0) return r;
  if (walk.lastType !== LAST_NORM) return -EISDIR;
  r = wantWrite(walk.mount);
  if (r < 0) return r;
  const child = walk.lookupLast();
  if (typeof child === "number") return child;
  const victim = child.inode;
  if (victim === null) return -ENOENT;
  if (walk.hasTrailingSlash) return isDirectory(victim) ? -EISDIR : -ENOTDIR;
  r = mayRemove(caller, walk, child, false);
  if (r < 0) return r;
  r = walk.inode.unlink(child.name, victim);
  if (r < 0) return r;
  // Held until the end: IN_DELETE_SELF, which its last `drop` reports, comes after the other
  // events.
  victim.hold();
  forgetName(caller, child);
  notifySelf(victim, IN_ATTRIB, child);
  notifyEntry(child.parent, IN_DELETE, child.name, victim, child);
  victim.drop();
  return 0;
}

export function rmdirAt(caller: Caller, dirfd: number, text: string): number {
  const walk = firstWalk(caller);
  let r = walk.run(caller, dirfd, text, LOOKUP_PARENT);
  if (r < 0) return r;
  if (walk.lastType === LAST_DOTDOT) return -ENOTEMPTY;
  if (walk.lastType === LAST_DOT) return -EINVAL;
  if (walk.lastType !== LAST_NORM) return -EBUSY;
  r = wantWrite(walk.mount);
  if (r < 0) return r;
  const child = walk.lookupLast();
  if (typeof child === "number") return child;
  const victim = child.inode;
  if (victim === null) return -ENOENT;
  r = mayRemove(caller, walk, child, true);
  if (r < 0) return r;
  const { inode } = walk;
  r = inTurns(caller, () => inode.rmdir(child.name, victim));
  if (r < 0) return r;
  victim.hold();
  forgetName(caller, child);
  notifyEntry(child.parent, IN_DELETE, child.name, victim, child);
  victim.drop();
  return 0;
}

/** Checks landlock, permissions and mounts: 0 or -errno. */
function mayRemove(caller: Caller, walk: Walk, child: Dentry, isDir: boolean): number {
  const right = isDir ? LANDLOCK_ACCESS_FS_REMOVE_DIR : LANDLOCK_ACCESS_FS_REMOVE_FILE;
  let r = mayDo(caller.cred.domain, walk.mount, walk.dentry, right);
  if (r < 0) return r;
  r = mayDelete(child, isDir, caller.cred);
  if (r < 0) return r;
  return caller.fs.namespace.isMountpoint(child) ? -EBUSY : 0;
}

/** The file system has removed the name. */
function forgetName(caller: Caller, child: Dentry): void {
  const cache = caller.fs.namespace.vfs.dentries;
  cache.onUnlinked(child);
  cache.addNegative(child.parent, child.name);
}
