/** F_NOTIFY of fcntl(2): a signal for changes in a directory. The watches: vfs/watch_list.ts. */

import type { Account } from "../../core/account.ts";
import { ENOTDIR } from "../../../ffi/abi/errno.ts";
import {
  DN_ACCESS,
  DN_ATTRIB,
  DN_CREATE,
  DN_DELETE,
  DN_MODIFY,
  DN_MULTISHOT,
  DN_RENAME,
  F_OWNER_PID,
} from "../../../ffi/abi/fcntl.ts";
import {
  IN_ACCESS,
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from "../../../ffi/abi/inotify.ts";
import { S_IFDIR, S_IFMT } from "../../../ffi/abi/stat.ts";
import type { Task } from "../../task/task.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { Watch, watchesOf } from "../../vfs/watch_list.ts";
import { signalMessage } from "./async.ts";
import { ownerByDefault } from "./owner.ts";

/** DN_* and its events. A rename is reported in the old directory. */
const EVENTS: readonly (readonly [number, number])[] = [
  [DN_ACCESS, IN_ACCESS],
  [DN_MODIFY, IN_MODIFY],
  [DN_CREATE, IN_CREATE | IN_MOVED_TO],
  [DN_DELETE, IN_DELETE | IN_MOVED_FROM],
  [DN_RENAME, IN_MOVED_FROM],
  [DN_ATTRIB, IN_ATTRIB],
];

export class DirectorySignal extends Watch {
  readonly file: OpenFile;
  readonly files: FdTable;
  /** The descriptor that siginfo shows. */
  fd: number;
  isRepeated: boolean = false;

  constructor(account: Account, inode: Inode, file: OpenFile, files: FdTable, fd: number) {
    super(account, inode, 0);
    this.file = file;
    this.files = files;
    this.fd = fd;
  }

  override onEvent(mask: number, _cookie: number, name: string | null): void {
    // Events of the directory itself are ignored.
    if (name === null && (mask & IN_ISDIR) === 0) return;
    signalMessage(this.file, this.fd);
    if (!this.isRepeated) this.detach();
  }
  override end(): void {
    this.detach();
  }
  override onFdClose(file: OpenFile, owner: object): void {
    if (file === this.file && owner === this.files) this.detach();
  }
}

/** F_NOTIFY by descriptor `fd`. Events are added to those of earlier calls; 0 removes the watch. */
export function notifyOfDirectory(t: Task, file: OpenFile, wanted: number, fd: number): number {
  const inode = file.path?.dentry.inode ?? file.inode;
  const old = findWatch(t, inode, file);
  if ((wanted & ~DN_MULTISHOT) === 0) {
    old?.detach();
    return 0;
  }
  if ((inode.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
  const watch = old ?? new DirectorySignal(t.account, inode, file, t.files, fd);
  watch.fd = fd;
  for (const [flag, events] of EVENTS) if ((wanted & flag) !== 0) watch.mask |= events;
  if ((wanted & DN_MULTISHOT) !== 0) watch.isRepeated = true;
  if (old === null) watch.attach();
  ownerByDefault(t, file, F_OWNER_PID, t.pid);
  return 0;
}

function findWatch(t: Task, inode: Inode, file: OpenFile): DirectorySignal | null {
  for (const watch of watchesOf(inode)) {
    const isOurs = watch instanceof DirectorySignal && watch.file === file &&
      watch.files === t.files;
    if (isOurs) return watch;
  }
  return null;
}
