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
import type { Caller } from "./caller.ts";
import { mayDo } from "../landlock/file_access.ts";
import { notifyEntry, notifySelf } from "./notify.ts";
import { firstWalk, LAST_DOT, LAST_DOTDOT, LAST_NORM, LOOKUP_PARENT } from "./walk.ts";

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
  r = mayDo(caller.cred.domain, walk.mount, walk.dentry, LANDLOCK_ACCESS_FS_REMOVE_FILE);
  if (r < 0) return r;
  r = mayDelete(child, false, caller.cred);
  if (r < 0) return r;
  if (caller.fs.namespace.isMountpoint(child)) return -EBUSY;
  const dir = walk.inode;
  r = dir.unlink(child.name, victim);
  if (r < 0) return r;
  // Held until the end: IN_DELETE_SELF, which its last `drop` reports, comes after the other
  // events.
  victim.hold();
  const cache = caller.fs.namespace.vfs.dentries;
  cache.onUnlinked(child);
  cache.addNegative(child.parent, child.name);
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
  r = mayDo(caller.cred.domain, walk.mount, walk.dentry, LANDLOCK_ACCESS_FS_REMOVE_DIR);
  if (r < 0) return r;
  r = mayDelete(child, true, caller.cred);
  if (r < 0) return r;
  if (caller.fs.namespace.isMountpoint(child)) return -EBUSY;
  const dir = walk.inode;
  r = dir.rmdir(child.name, victim);
  if (r < 0) return r;
  victim.hold();
  const cache = caller.fs.namespace.vfs.dentries;
  cache.onUnlinked(child);
  cache.addNegative(child.parent, child.name);
  notifyEntry(child.parent, IN_DELETE, child.name, victim, child);
  victim.drop();
  return 0;
}
