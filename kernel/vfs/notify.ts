/**
 * Reports events of files to inotify(7), dnotify and fanotify(7). A file without watches costs a
 * call a few loads. watch_list.ts puts an InodeWatches on an inode and keeps its watches; marks.ts
 * keeps the marks of fanotify.
 *
 * The system call layer reports reads and writes (`notifyFile`); the operations of this folder
 * report all other events.
 */

import { FAN_OPEN_EXEC, FAN_RENAME } from "../../ffi/abi/fanotify.ts";
import { O_PATH } from "../../ffi/abi/fcntl.ts";
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_ISDIR, IN_OPEN } from "../../ffi/abi/inotify.ts";
import { isDirectory } from "./access.ts";
import type { Dentry, Mount } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { FileEvent, hasWideMarks, type Mark, notifyMarks } from "./marks.ts";
import type { OpenFile } from "./open_file.ts";

/** The watches of one inode. */
export abstract class InodeWatches {
  /** Marks of fanotify on the inode. */
  readonly marks: Mark[] = [];

  /**
   * Reports an event. `mask` is one IN_* event, with IN_ISDIR when the event is about a directory.
   * `name` is the entry of this directory that the event is about, or null for the inode itself.
   * `cookie` pairs the two halves of a rename. `isUnlinked`: the entry's name was removed before
   * (IN_EXCL_UNLINK).
   */
  abstract notify(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void;

  /** `file` was closed at an fd of the table `owner`. */
  onFdClose(_file: OpenFile, _owner: object): void {}
}

/**
 * Reports an event of the entry `name` of a directory (created, deleted, moved); `child` is the
 * entry's file.
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
  const full = isDirectory(child) ? mask | IN_ISDIR : mask;
  if (inode.watches !== null) inode.watches.notify(full, cookie, name, false);
  notifyMarks(new FileEvent(full, null, child, dentry, dir, name));
}

/** Reports FAN_RENAME: an entry moved. The event has both places. */
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
  const mask = isDirectory(child) ? FAN_RENAME | IN_ISDIR : FAN_RENAME;
  notifyMarks(new FileEvent(mask, null, child, dentry, dir, name, newDir, newName));
}

/** Reports a change that no call made, for a directory of which only the inode is known. */
export function notifyInodes(dir: Inode | null, file: Inode | null, name: string, mask: number) {
  if (dir !== null && dir.watches !== null) dir.watches.notify(mask, 0, name, false);
  if (file !== null) notifySelf(file, mask, null);
}

/**
 * Reports an event of the inode itself (moved, a link less) to its own watches only; to inotify
 * without IN_ISDIR.
 */
export function notifySelf(inode: Inode, mask: number, dentry: Dentry | null): void {
  if (inode.watches === null && !hasWideMarks(null, inode.fs)) return;
  notifyMarks(
    new FileEvent(isDirectory(inode) ? mask | IN_ISDIR : mask, null, inode, dentry, null, ""),
  );
  if (inode.watches !== null) inode.watches.notify(mask, 0, null, false);
}

/**
 * Reports an event of a file at a path, to its own watches and to those of the directory that names
 * it. `mount` is null for changes that are made by name. HOT
 */
export function notify(mount: Mount | null, dentry: Dentry, mask: number): void {
  const inode = dentry.inode;
  if (inode === null) return;
  const above = dentry.parent.inode;
  if (
    inode.watches === null && (above === null || above.watches === null) &&
    !hasWideMarks(mount, inode.fs)
  ) return;
  notifyPath(mount, dentry, inode, isDirectory(inode) ? mask | IN_ISDIR : mask);
}

function notifyPath(mount: Mount | null, dentry: Dentry, inode: Inode, mask: number): void {
  const dir = dentry.isRoot ? null : dentry.parent, above = dir === null ? null : dir.inode;
  if (above !== null && above.watches !== null) {
    above.watches.notify(mask, 0, dentry.name, dentry.isUnlinked);
  }
  if (inode.watches !== null) inode.watches.notify(mask, 0, null, dentry.isUnlinked);
  notifyMarks(new FileEvent(mask, mount, inode, dentry, dir, dentry.name));
}

/** Reports an event of an open file (IN_ACCESS, IN_MODIFY, IN_OPEN). HOT */
export function notifyFile(file: OpenFile, mask: number): void {
  if (file.path !== null && !file.isQuiet) notify(file.path.mount, file.path.dentry, mask);
}

/** Reports IN_OPEN. `isProgram`: the file was opened for execve(2). */
export function notifyOpen(file: OpenFile, isProgram: boolean = false): void {
  if ((file.flags & O_PATH) !== 0) return;
  notifyFile(file, isProgram ? IN_OPEN | FAN_OPEN_EXEC : IN_OPEN);
}

/** Reports the close of a description, at its last reference. */
export function notifyClose(file: OpenFile): void {
  if ((file.flags & O_PATH) !== 0) return;
  notifyFile(file, file.canWrite ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
}
