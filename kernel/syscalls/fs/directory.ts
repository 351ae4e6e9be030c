/** getdents64(2), getdents(2), chdir(2), fchdir(2), chroot(2), getcwd(2), umask(2), readlink(2). */

import { EAGAIN, EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR, ERANGE } from "../../../ffi/abi/errno.ts";
import { LinuxDirent, LinuxDirent64 } from "../../../ffi/abi/dirent.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { FAN_ACCESS_PERM } from "../../../ffi/abi/fanotify.ts";
import { IN_ACCESS } from "../../../ffi/abi/inotify.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { MAY_EXEC } from "../../cred/permission.ts";
import type { Task } from "../../task/task.ts";
import { inodePermission, isDirectory } from "../../vfs/access.ts";
import { changeRoot } from "../../vfs/mount_operations.ts";
import { cwdText } from "../../vfs/pathname.ts";
import { notifyFile } from "../../vfs/notify.ts";
import { askReadPermission } from "../../vfs/permission_events.ts";
import { readlinkAt } from "../../vfs/status.ts";
import { firstWalk, LOOKUP_DIRECTORY, LOOKUP_FOLLOW } from "../../vfs/walk.ts";
import { bytesOut, pathArg } from "./arguments.ts";

const TWO32 = 0x100000000;
const NAME_AT_64 = LinuxDirent64.at.name, NAME_AT_OLD = LinuxDirent.at.name;

/** Writes directory entries into a buffer of its own. All calls share one writer. */
class EntryWriter {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(65536);
  private readonly dv: DataView = new DataView(this.u8.buffer);
  /** Offset of the next entry, and the end of the buffer. */
  at: number = 0;
  private limit: number = 0;
  private isOld: boolean = false;
  /** An entry did not fit. */
  isFull: boolean = false;
  /** d_off of the last entry that fitted. */
  lastOffset: number = 0;

  start(limit: number, isOld: boolean): void {
    this.at = 0;
    this.limit = limit;
    this.isOld = isOld;
    this.isFull = false;
  }

  /** A DirSink. HOT */
  readonly sink = (name: string, ino: number, type: number, offset: number): boolean => {
    const nameAt = this.isOld ? NAME_AT_OLD : NAME_AT_64;
    // The NUL, and in the old form the type behind it.
    const len = (nameAt + name.length + (this.isOld ? 2 : 1) + 7) & ~7;
    const at = this.at, end = at + len;
    if (end > this.limit) {
      this.isFull = true;
      return false;
    }
    const dv = this.dv, u8 = this.u8;
    // The padding comes first; the fields overwrite it.
    dv.setUint32(end - 8, 0, true);
    dv.setUint32(end - 4, 0, true);
    dv.setUint32(at, ino, true);
    dv.setUint32(at + 4, Math.floor(ino / TWO32), true);
    dv.setUint32(at + 8, offset, true);
    dv.setInt32(at + 12, Math.floor(offset / TWO32), true);
    dv.setUint16(at + 16, len, true);
    if (this.isOld) u8[end - 1] = type;
    else u8[at + 18] = type;
    for (let i = 0; i < name.length; i++) u8[at + nameAt + i] = name.charCodeAt(i);
    this.at = end;
    this.lastOffset = offset;
    return true;
  };
}

const entries = new EntryWriter();

/** HOT */
export function sysGetdents64(t: Task, a: SyscallArgs): number {
  return getdents(t, a.i32(0), a.u64(1), a.u32(2), false);
}
export function sysGetdents(t: Task, a: SyscallArgs): number {
  return getdents(t, a.i32(0), a.u64(1), a.u32(2), true);
}

function getdents(t: Task, fd: number, addr: number, count: number, isOld: boolean): number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  if (!isDirectory(file.inode)) return -ENOTDIR;
  if (file.path !== null && file.path.dentry.isUnlinked) return -ENOENT;
  const { progress } = t;
  if (progress.step === 0) {
    const may = askReadPermission(t, file, FAN_ACCESS_PERM);
    if (may < 0) return may;
  }
  entries.start(Math.min(count, entries.u8.length), isOld);
  const before = file.pos;
  const r = file.readdir(entries.sink);
  if (r === -EAGAIN && file.needsTurn) {
    progress.step = 1;
    return t.yieldTurn();
  }
  if (r < 0 && entries.at === 0) return r;
  notifyFile(file, IN_ACCESS);
  const len = entries.at;
  if (len === 0) return entries.isFull ? -EINVAL : 0;
  if (t.mm.copyOut(addr, entries.u8, 0, len) < 0) {
    file.pos = before;
    return -EFAULT;
  }
  file.pos = entries.lastOffset;
  return len;
}

export function sysChdir(t: Task, a: SyscallArgs): number {
  const path = pathArg(t, a.u64(0));
  if (typeof path === "number") return path;
  const walk = firstWalk(t);
  let r = walk.run(t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (r < 0) return r;
  r = inodePermission(walk.inode, MAY_EXEC, t.cred);
  if (r < 0) return r;
  t.fs.setCwd(walk.path);
  return 0;
}

export function sysFchdir(t: Task, a: SyscallArgs): number {
  const file = t.files.getAny(a.i32(0));
  if (file === null) return -EBADF;
  if (file.path === null || !isDirectory(file.inode)) return -ENOTDIR;
  const r = inodePermission(file.inode, MAY_EXEC, t.cred);
  if (r < 0) return r;
  t.fs.setCwd(file.path);
  return 0;
}

export function sysChroot(t: Task, a: SyscallArgs): number {
  const path = pathArg(t, a.u64(0));
  if (typeof path === "number") return path;
  const walk = firstWalk(t);
  const r = walk.run(t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  return r < 0 ? r : changeRoot(t, walk.path);
}

/** getcwd(2): the length with the NUL. */
export function sysGetcwd(t: Task, a: SyscallArgs): number {
  const text = cwdText(t.fs);
  if (typeof text === "number") return text;
  if (text.length + 1 > a.u64(1)) return -ERANGE;
  return bytesOut(t, a.u64(0), text + "\0", text.length + 1);
}

export function sysUmask(t: Task, a: SyscallArgs): number {
  const old = t.fs.umask;
  t.fs.umask = a.u32(0) & 0o777;
  return old;
}

export function sysReadlink(t: Task, a: SyscallArgs): number {
  return readlink(t, AT_FDCWD, a.u64(0), a.u64(1), a.i32(2));
}
export function sysReadlinkat(t: Task, a: SyscallArgs): number {
  return readlink(t, a.i32(0), a.u64(1), a.u64(2), a.i32(3));
}

function readlink(t: Task, dirfd: number, pathAddr: number, addr: number, size: number): number {
  if (size <= 0) return -EINVAL;
  const path = pathArg(t, pathAddr);
  if (typeof path === "number") return path;
  const target = readlinkAt(t, dirfd, path);
  return typeof target === "number" ? target : bytesOut(t, addr, target, size);
}
