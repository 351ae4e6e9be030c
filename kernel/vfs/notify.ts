/**
 * Where the VFS tells that something happened to a file, for inotify(7) and fanotify(7). While
 * nobody watches, a call costs some loads. The watchers are kept by watch_list.ts and marks.ts: the
 * former puts an InodeWatches on the inode.
 *
 * Events of reads and writes are told by the syscall layer (`notifyFile`), all others by operations
 * here.
 */

import { FAN_OPEN_EXEC, FAN_RENAME } from "../../ffi/abi/fanotify.ts";
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_ISDIR, IN_OPEN } from "../../ffi/abi/inotify.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import type { Dentry, Mount } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { FileEvent, hasWideMarks, type Mark, tellMarks } from "./marks.ts";
import type { OpenFile } from "./open_file.ts";

const O_PATH = 0o10000000;

/** The watches of one inode. */
export abstract class InodeWatches {
  /** Of fanotify. */
  readonly marks: Mark[] = [];

  /**
   * `mask` is one IN_* event, with IN_ISDIR when it is about a directory. `name`: the entry of this
   * directory that it is about, or null for the inode itself. `cookie` pairs the two halves of a
   * rename. `isUnlinked`: the entry's name is gone already (IN_EXCL_UNLINK).
   */
  abstract notify(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void;

  /** `file` was closed at an fd of the table `owner`. */
  onFdClose(_file: OpenFile, _owner: object): void {}
}

/**
 * An event of the entry `name` of a directory (created, deleted, moved), of which `child` is the
 * file.
 */
export function notifyEntry(
  dir: Dentry,
  mask: number,
  name: string,
  child: Inode,
  dentry: Dentry,
  cookie: number = 0,
): void {
  const inode = dir.inode;
  if (inode === null || (inode.watches === null && !hasWideMarks(null, child.fs))) return;
  const full = isDir(child) ? mask | IN_ISDIR : mask;
  if (inode.watches !== null) inode.watches.notify(full, cookie, name, false);
  tellMarks(new FileEvent(full, null, child, dentry, dir, name));
}

/** An entry moved: FAN_RENAME, which tells of both places at once. */
export function notifyRename(
  child: Inode,
  dentry: Dentry,
  dir: Dentry,
  name: string,
  newDir: Dentry,
  newName: string,
): void {
  const isWatched = hasWideMarks(null, child.fs) ||
    (dir.inode !== null && dir.inode.watches !== null) ||
    (newDir.inode !== null && newDir.inode.watches !== null);
  if (!isWatched) return;
  const mask = isDir(child) ? FAN_RENAME | IN_ISDIR : FAN_RENAME;
  tellMarks(new FileEvent(mask, null, child, dentry, dir, name, newDir, newName));
}

/** A file that changes by itself, of a directory that is known by its inode alone. */
export function notifyInodes(dir: Inode | null, file: Inode | null, name: string, mask: number) {
  if (dir !== null && dir.watches !== null) dir.watches.notify(mask, 0, name, false);
  if (file !== null) notifySelf(file, mask, null);
}

/**
 * An event of the inode itself (moved, a name less): only its own watches; for inotify without
 * IN_ISDIR.
 */
export function notifySelf(inode: Inode, mask: number, dentry: Dentry | null): void {
  if (inode.watches === null && !hasWideMarks(null, inode.fs)) return;
  tellMarks(new FileEvent(isDir(inode) ? mask | IN_ISDIR : mask, null, inode, dentry, null, ""));
  if (inode.watches !== null) inode.watches.notify(mask, 0, null, false);
}

/**
 * An event of a file at a path: its own watches and those of the directory that names it. `mount`:
 * null for changes that are made by name. HOT
 */
export function notify(mount: Mount | null, dentry: Dentry, mask: number): void {
  const inode = dentry.inode;
  if (inode === null) return;
  const above = dentry.parent.inode;
  if (
    inode.watches === null && (above === null || above.watches === null) &&
    !hasWideMarks(mount, inode.fs)
  ) return;
  tell(mount, dentry, inode, isDir(inode) ? mask | IN_ISDIR : mask);
}

function tell(mount: Mount | null, dentry: Dentry, inode: Inode, mask: number): void {
  const dir = dentry.isRoot ? null : dentry.parent, above = dir === null ? null : dir.inode;
  if (above !== null && above.watches !== null) {
    above.watches.notify(mask, 0, dentry.name, dentry.isUnlinked);
  }
  if (inode.watches !== null) inode.watches.notify(mask, 0, null, dentry.isUnlinked);
  tellMarks(new FileEvent(mask, mount, inode, dentry, dir, dentry.name));
}

/** An event of an open file (IN_ACCESS, IN_MODIFY, IN_OPEN). HOT */
export function notifyFile(file: OpenFile, mask: number): void {
  if (file.path !== null && !file.isQuiet) notify(file.path.mount, file.path.dentry, mask);
}

/** `isProgram`: it was opened to be executed. */
export function notifyOpen(file: OpenFile, isProgram: boolean = false): void {
  if ((file.flags & O_PATH) !== 0) return;
  notifyFile(file, isProgram ? IN_OPEN | FAN_OPEN_EXEC : IN_OPEN);
}

/** The last reference of a description goes. */
export function notifyClose(file: OpenFile): void {
  if ((file.flags & O_PATH) !== 0) return;
  notifyFile(file, file.canWrite ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
}

function isDir(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}
