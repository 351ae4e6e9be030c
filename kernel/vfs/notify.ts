/**
 * Where the VFS tells that something happened to a file, for inotify(7). While nobody watches, a call costs two
 * loads. Who watches is the affair of watch_list.ts: it puts an InodeWatches on the inode.
 *
 * Events of reads and writes are told by the syscall layer (`notifyFile`), all others by operations here.
 */

import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_ISDIR, IN_OPEN } from "../../ffi/abi/inotify.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import type { Dentry } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import type { OpenFile } from "./open_file.ts";

const O_PATH = 0o10000000;

/** The watches of one inode. */
export abstract class InodeWatches {
  /**
   * `mask` is one IN_* event, with IN_ISDIR when it is about a directory. `name`: the entry of this directory that
   * it is about, or null for the inode itself. `cookie` pairs the two halves of a rename. `isUnlinked`: the entry's
   * name is gone already (IN_EXCL_UNLINK).
   */
  abstract notify(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void;

  /** `file` was closed at an fd of the table `owner`. */
  onFdClose(_file: OpenFile, _owner: object): void {}
}

/** An event of a directory's entry `name` (created, deleted, moved): only the directory's watches. */
export function notifyEntry(
  dir: Inode,
  mask: number,
  name: string,
  isDirectory: boolean,
  cookie: number = 0,
): void {
  if (dir.watches === null) return;
  dir.watches.notify(isDirectory ? mask | IN_ISDIR : mask, cookie, name, false);
}

/** An event of the inode itself (moved, a name less): only its own watches, and without IN_ISDIR. */
export function notifySelf(inode: Inode, mask: number): void {
  if (inode.watches !== null) inode.watches.notify(mask, 0, null, false);
}

/** An event of a file at a path: its own watches and those of the directory that names it. HOT */
export function notify(dentry: Dentry, mask: number): void {
  const inode = dentry.inode;
  if (inode === null) return;
  const above = dentry.parent.inode;
  if (inode.watches === null && (above === null || above.watches === null)) return;
  const full = isDir(inode) ? mask | IN_ISDIR : mask;
  if (above !== null && above.watches !== null && dentry.parent !== dentry) {
    above.watches.notify(full, 0, dentry.name, dentry.isUnlinked);
  }
  if (inode.watches !== null) inode.watches.notify(full, 0, null, dentry.isUnlinked);
}

/** An event of an open file (IN_ACCESS, IN_MODIFY, IN_OPEN). HOT */
export function notifyFile(file: OpenFile, mask: number): void {
  if (file.path !== null) notify(file.path.dentry, mask);
}

export function notifyOpen(file: OpenFile): void {
  if ((file.flags & O_PATH) === 0) notifyFile(file, IN_OPEN);
}

/** The last reference of a description goes. */
export function notifyClose(file: OpenFile): void {
  if (file.path === null || file.isInner || (file.flags & O_PATH) !== 0) return;
  notify(file.path.dentry, file.canWrite ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
}

function isDir(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}
