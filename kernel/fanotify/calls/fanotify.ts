/** fanotify_init(2), fanotify_mark(2). The group: fanotify/. */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  EBADF,
  EINVAL,
  EISDIR,
  EMFILE,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import * as fan from "../../../ffi/abi/fanotify.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_DSYNC,
  O_LARGEFILE,
  O_NOATIME,
  O_NONBLOCK,
  O_SYNC,
} from "../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { FANOTIFY_GROUPS } from "../../core/quota.ts";
import { hasCap } from "../../cred/credentials.ts";
import { MAY_READ } from "../../cred/permission.ts";
import { FanotifyFile, FID_BITS } from "../group_file.ts";
import type { Task } from "../../task/task.ts";
import { inodePermission, isDirectory } from "../../vfs/access.ts";
import type { Path } from "../../vfs/dentry.ts";
import { ENTRY_EVENTS, type MarkTarget } from "../../vfs/marks.ts";
import { firstWalk, LOOKUP_DIRECTORY, LOOKUP_FOLLOW } from "../../vfs/walk.ts";
import { installNew } from "../../syscalls/io/install.ts";
import { EXPORTING } from "../../syscalls/fs/handles.ts";

const CLASSES = fan.FAN_CLASS_CONTENT | fan.FAN_CLASS_PRE_CONTENT;
const ADMIN_FLAGS = CLASSES | fan.FAN_REPORT_TID | fan.FAN_REPORT_PIDFD | fan.FAN_UNLIMITED_QUEUE |
  fan.FAN_UNLIMITED_MARKS;
const INIT_FLAGS = ADMIN_FLAGS | FID_BITS | fan.FAN_CLOEXEC | fan.FAN_NONBLOCK;
const EVENT_FD_FLAGS = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_CLOEXEC |
  O_LARGEFILE | O_NOATIME;

export function sysFanotifyInit(t: Task, a: SyscallArgs): number {
  const flags = a.u32(0), eventFlags = a.u32(1), mode = flags & FID_BITS;
  const isAdmin = hasCap(t.cred, CAP_SYS_ADMIN);
  if (!isAdmin && ((flags & ADMIN_FLAGS) !== 0 || mode === 0)) return -EPERM;
  if ((flags & ~INIT_FLAGS) !== 0) return -EINVAL;
  if ((flags & fan.FAN_REPORT_PIDFD) !== 0 && (flags & fan.FAN_REPORT_TID) !== 0) return -EINVAL;
  if ((eventFlags & ~EVENT_FD_FLAGS) !== 0) return -EINVAL;
  if ((eventFlags & O_ACCMODE) === O_ACCMODE) return -EINVAL;
  const kind = flags & CLASSES;
  if (mode !== 0 && kind !== fan.FAN_CLASS_NOTIF) return -EINVAL;
  const needsDir = (mode & fan.FAN_REPORT_NAME) !== 0;
  if (needsDir && (mode & fan.FAN_REPORT_DIR_FID) === 0) return -EINVAL;
  const named = fan.FAN_REPORT_NAME | fan.FAN_REPORT_FID;
  if ((mode & fan.FAN_REPORT_TARGET_FID) !== 0 && (mode & named) !== named) return -EINVAL;
  if (!FANOTIFY_GROUPS.hasRoom(1, t.account)) return -EMFILE;
  if (kind === CLASSES) return -EINVAL;
  const file = new FanotifyFile(
    t.account,
    t.kernel,
    flags,
    eventFlags | O_LARGEFILE,
    (flags & fan.FAN_NONBLOCK) !== 0 ? O_NONBLOCK : 0,
    !isAdmin,
    (flags & fan.FAN_UNLIMITED_QUEUE) !== 0,
  );
  return installNew(t, file, (flags & fan.FAN_CLOEXEC) !== 0);
}

const KINDS = fan.FAN_MARK_MOUNT | fan.FAN_MARK_FILESYSTEM;
const COMMANDS = fan.FAN_MARK_ADD | fan.FAN_MARK_REMOVE | fan.FAN_MARK_FLUSH;
const IGNORES = fan.FAN_MARK_IGNORE | fan.FAN_MARK_IGNORED_MASK;
const MARK_FLAGS = COMMANDS | KINDS | IGNORES | fan.FAN_MARK_DONT_FOLLOW | fan.FAN_MARK_ONLYDIR |
  fan.FAN_MARK_IGNORED_SURV_MODIFY | fan.FAN_MARK_EVICTABLE;
const PERMISSION = fan.FAN_OPEN_PERM | fan.FAN_ACCESS_PERM | fan.FAN_OPEN_EXEC_PERM;
/** Events that carry a path. */
const PATH_EVENTS = fan.FAN_ACCESS | fan.FAN_MODIFY | fan.FAN_CLOSE_WRITE | fan.FAN_CLOSE_NOWRITE |
  fan.FAN_OPEN | fan.FAN_OPEN_EXEC | PERMISSION;
const INODE_EVENTS = ENTRY_EVENTS | fan.FAN_ATTRIB | fan.FAN_MOVE_SELF | fan.FAN_DELETE_SELF;
const EVENT_FLAGS = fan.FAN_ONDIR | fan.FAN_EVENT_ON_CHILD;
const VALID = PATH_EVENTS | INODE_EVENTS | fan.FAN_FS_ERROR | EVENT_FLAGS;
const DIRECTORY_ONLY = ENTRY_EVENTS | EVENT_FLAGS;
/**
 * File systems without permission events: their files may be opened in the middle of kernel work.
 */
const NEVER_ASKED: readonly string[] = ["proc"];

/** fanotify_mark(2): checks in Linux's order. */
export function sysFanotifyMark(t: Task, a: SyscallArgs): number {
  const flags = a.u32(1), given = a.u64(2);
  if (given > 0xffffffff) return -EINVAL;
  let mask = given | 0;
  if ((flags & ~MARK_FLAGS) !== 0) return -EINVAL;
  const kind = flags & KINDS, command = flags & COMMANDS, ignore = flags & IGNORES;
  if (kind === KINDS) return -EINVAL;
  if (command === fan.FAN_MARK_FLUSH) {
    if ((flags & ~(KINDS | fan.FAN_MARK_FLUSH)) !== 0) return -EINVAL;
  } else if (command !== fan.FAN_MARK_ADD && command !== fan.FAN_MARK_REMOVE) return -EINVAL;
  else if (mask === 0) return -EINVAL;
  if ((mask & ~VALID) !== 0 || ignore === IGNORES) return -EINVAL;
  let kept = 0;
  if (ignore === fan.FAN_MARK_IGNORED_MASK) {
    mask &= ~EVENT_FLAGS;
    kept = EVENT_FLAGS;
  }
  const group = t.files.get(a.i32(0));
  if (group === null) return -EBADF;
  if (!(group instanceof FanotifyFile)) return -EINVAL;
  const isWide = kind !== fan.FAN_MARK_INODE;
  if (isWide && (group.isUnprivileged || !hasCap(t.cred, CAP_SYS_ADMIN))) return -EPERM;
  const wrong = checkMask(group, mask, flags, kind);
  if (wrong < 0) return wrong;
  if (command === fan.FAN_MARK_FLUSH) {
    group.marks.flush(!isWide ? "inode" : kind === fan.FAN_MARK_MOUNT ? "mount" : "fs");
    return 0;
  }
  const path = findPath(t, a.i32(3), a.u64(4), flags);
  if (typeof path === "number") return path;
  const inode = path.dentry.inode!;
  const r = checkPlace(group, path, mask, flags, kind);
  if (r < 0) return r;
  if (isWide || !isDirectory(inode)) {
    mask &= ~fan.FAN_EVENT_ON_CHILD;
    kept = fan.FAN_EVENT_ON_CHILD;
    const names = (group.fidMode & fan.FAN_REPORT_DIR_FID) !== 0;
    if (names && command === fan.FAN_MARK_ADD && ignore === 0) mask |= fan.FAN_EVENT_ON_CHILD;
  }
  const target = targetOf(path, kind);
  if (command === fan.FAN_MARK_REMOVE) return group.marks.remove(target, mask, flags, kept);
  // A file with a writer would lose the mask at once.
  const isLost = !isWide && ignore === fan.FAN_MARK_IGNORED_MASK && inode.writeCount > 0 &&
    (flags & fan.FAN_MARK_IGNORED_SURV_MODIFY) === 0;
  return isLost ? 0 : group.marks.add(target, mask, flags);
}

function checkMask(group: FanotifyFile, mask: number, flags: number, kind: number): number {
  if ((mask & PERMISSION) !== 0 && !group.asks) return -EINVAL;
  if ((mask & fan.FAN_FS_ERROR) !== 0 && kind !== fan.FAN_MARK_FILESYSTEM) return -EINVAL;
  if ((flags & fan.FAN_MARK_EVICTABLE) !== 0 && kind !== fan.FAN_MARK_INODE) return -EINVAL;
  const mode = group.fidMode, needsFid = (mask & ~(PATH_EVENTS | EVENT_FLAGS)) !== 0;
  if (needsFid && (mode === 0 || kind === fan.FAN_MARK_MOUNT)) return -EINVAL;
  return (mask & fan.FAN_RENAME) !== 0 && (mode & fan.FAN_REPORT_NAME) === 0 ? -EINVAL : 0;
}

/** fanotify_find_path of Linux: a null path means the file of `dirfd` itself. */
function findPath(t: Task, dirfd: number, addr: number, flags: number): Path | number {
  const onlyDir = (flags & fan.FAN_MARK_ONLYDIR) !== 0;
  let path: Path | null;
  if (addr === 0) {
    const file = t.files.get(dirfd);
    if (file === null) return -EBADF;
    if (onlyDir && !isDirectory(file.inode)) return -ENOTDIR;
    path = file.path;
    // Pipes and sockets have no path.
    if (path === null) return -EINVAL;
  } else {
    const text = t.mm.cstring(addr, PATH_MAX);
    if (typeof text === "number") return text;
    const walk = firstWalk(t);
    const lookup = ((flags & fan.FAN_MARK_DONT_FOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) |
      (onlyDir ? LOOKUP_DIRECTORY : 0);
    const r = walk.run(t, dirfd, text, lookup);
    if (r < 0) return r;
    path = walk.path;
  }
  const r = inodePermission(path.dentry.inode!, MAY_READ, t.cred);
  return r < 0 ? r : path;
}

/** fanotify_events_supported of Linux, and whether handles can name files of this file system. */
function checkPlace(
  group: FanotifyFile,
  path: Path,
  mask: number,
  flags: number,
  kind: number,
): number {
  const { fs } = path.mount, isDir = isDirectory(path.dentry.inode!);
  const isWide = kind !== fan.FAN_MARK_INODE, adds = (flags & fan.FAN_MARK_ADD) !== 0;
  if (adds) {
    if ((mask & PERMISSION) !== 0 && NEVER_ASKED.includes(fs.type)) return -EINVAL;
    const isStrict = (group.fidMode & fan.FAN_REPORT_TARGET_FID) !== 0 ||
      (mask & fan.FAN_RENAME) !== 0 || (flags & fan.FAN_MARK_IGNORE) !== 0;
    if (isStrict && !isWide && !isDir && (mask & DIRECTORY_ONLY) !== 0) return -ENOTDIR;
  }
  if (group.fidMode !== 0 && isWide && !EXPORTING.includes(fs.type)) return -EOPNOTSUPP;
  const isIgnore = adds && (flags & fan.FAN_MARK_IGNORE) !== 0 &&
    (flags & fan.FAN_MARK_IGNORED_SURV_MODIFY) === 0;
  if (isIgnore && (isWide || isDir)) return isWide ? -EINVAL : -EISDIR;
  return 0;
}

function targetOf(path: Path, kind: number): MarkTarget {
  if (kind === fan.FAN_MARK_MOUNT) return { kind: "mount", mount: path.mount };
  if (kind === fan.FAN_MARK_FILESYSTEM) return { kind: "fs", fs: path.mount.fs };
  return { kind: "inode", inode: path.dentry.inode! };
}
