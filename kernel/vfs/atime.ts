/**
 * When a read changes the access time: mount(2) MS_NOATIME, MS_RELATIME; open(2) O_NOATIME. File
 * systems and status.ts call this after a read.
 */

import { O_NOATIME } from "../../ffi/abi/fcntl.ts";
import { FS_NOATIME_FL } from "../../ffi/abi/fs.ts";
import { MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_RELATIME } from "../../ffi/abi/mount.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import type { Mount } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import type { OpenFile } from "./open_file.ts";

/** Updates the access time of `inode`, which was read through `mount`. HOT */
export function touchAtime(mount: Mount, inode: Inode, noAtime: boolean): void {
  const flags = mount.flags;
  if (noAtime || (flags & (MS_NOATIME | MS_RDONLY)) !== 0 || mount.fs.readOnly) return;
  if ((inode.fileFlags & FS_NOATIME_FL) !== 0) return;
  if ((flags & MS_NODIRATIME) !== 0 && (inode.mode & S_IFMT) === S_IFDIR) return;
  inode.touchAtime((flags & MS_RELATIME) !== 0);
}

/** Updates the access time of an open file that was read. HOT */
export function touchFileAtime(file: OpenFile): void {
  if (file.path === null) return;
  touchAtime(file.path.mount, file.inode, (file.flags & O_NOATIME) !== 0);
}
