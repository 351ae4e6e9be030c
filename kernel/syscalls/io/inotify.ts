/** inotify_init(2), inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2). */

import { EBADF, EINVAL } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import {
  IN_ALL_EVENTS,
  IN_CLOEXEC,
  IN_DONT_FOLLOW,
  IN_EXCL_UNLINK,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_NONBLOCK,
  IN_ONESHOT,
  IN_ONLYDIR,
  IN_Q_OVERFLOW,
  IN_UNMOUNT,
} from "../../../ffi/abi/inotify.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { MAY_READ } from "../../cred/permission.ts";
import { InotifyFile } from "../../fs/anonfd/inotify.ts";
import type { Task } from "../../task/task.ts";
import { inodePermission } from "../../vfs/access.ts";
import { firstWalk, LOOKUP_DIRECTORY, LOOKUP_FOLLOW } from "../../vfs/walk.ts";
import { installNew } from "./install.ts";

/** Bits permitted in a mask (ALL_INOTIFY_BITS). */
const KNOWN = IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR |
  IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT;

export function sysInotifyInit(t: Task, _a: SyscallArgs): number {
  return installNew(t, newFile(t, 0), false);
}

export function sysInotifyInit1(t: Task, a: SyscallArgs): number {
  const flags = a.i32(0);
  if (flags & ~(IN_CLOEXEC | IN_NONBLOCK)) return -EINVAL;
  return installNew(t, newFile(t, flags & IN_NONBLOCK), (flags & IN_CLOEXEC) !== 0);
}

function newFile(t: Task, flags: number): InotifyFile {
  return new InotifyFile(t.account, t.kernel.anon, flags, t.fs.namespace.vfs.deferred);
}

export function sysInotifyAddWatch(t: Task, a: SyscallArgs): number {
  const mask = a.i32(2);
  if ((mask & KNOWN) === 0 || (mask & ~KNOWN) !== 0) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if ((mask & IN_MASK_ADD) !== 0 && (mask & IN_MASK_CREATE) !== 0) return -EINVAL;
  if (!(file instanceof InotifyFile)) return -EINVAL;
  const path = t.mm.cstring(a.u64(1), PATH_MAX);
  if (typeof path === "number") return path;
  const walk = firstWalk(t);
  const lookup = ((mask & IN_DONT_FOLLOW) === 0 ? LOOKUP_FOLLOW : 0) |
    ((mask & IN_ONLYDIR) !== 0 ? LOOKUP_DIRECTORY : 0);
  const r = walk.run(t, AT_FDCWD, path, lookup);
  if (r < 0) return r;
  const may = inodePermission(walk.inode, MAY_READ, t.cred);
  return may < 0 ? may : file.watch(walk.inode, mask);
}

export function sysInotifyRmWatch(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  return file instanceof InotifyFile ? file.unwatch(a.i32(1)) : -EINVAL;
}
