/**
 * The watches of an inode: of inotify(7), and of F_NOTIFY of fcntl(2); and what of fanotify(7) hangs on it. What each does with an event is its own affair;
 * here is which of them an event concerns. Told by notify.ts.
 */

import { type Account, ACCOUNTING } from "../core/account.ts";
import {
  IN_ALL_EVENTS,
  IN_DELETE_SELF,
  IN_EXCL_UNLINK,
  IN_ISDIR,
  IN_MOVE_SELF,
} from "../../ffi/abi/inotify.ts";
import { INODE_WATCHES } from "../core/quota.ts";
import type { Inode } from "./inode.ts";
import { endMarks, type Mark } from "./marks.ts";
import { InodeWatches } from "./notify.ts";
import type { OpenFile } from "./open_file.ts";

export abstract class Watch {
  /** What it is charged to. */
  readonly account: Account = ACCOUNTING.current;
  readonly inode: Inode;
  /** IN_* that it is about, and IN_EXCL_UNLINK. */
  mask: number;

  constructor(inode: Inode, mask: number) {
    this.inode = inode;
    this.mask = mask;
  }

  /** One event of the mask, as InodeWatches.notify has it. */
  abstract onEvent(mask: number, cookie: number, name: string | null): void;
  /** The inode is gone. */
  abstract end(): void;
  /** `file` was closed at an fd of the table `owner`. */
  onFdClose(_file: OpenFile, _owner: object): void {}

  /** From now on it hears of events. */
  attach(): void {
    const { inode } = this;
    listOf(inode).watches.push(this);
    INODE_WATCHES.add(1, this.account);
  }

  /** No more; the last one leaves no list behind. */
  detach(): void {
    const list = this.inode.watches;
    if (!(list instanceof WatchList)) return;
    const at = list.watches.indexOf(this);
    if (at >= 0) {
      list.watches.splice(at, 1);
      INODE_WATCHES.give(1, this.account);
    }
    list.leaveIfEmpty(this.inode);
  }
}

/** The watches of an inode; do not keep. */
export function watchesOf(inode: Inode): readonly Watch[] {
  return inode.watches instanceof WatchList ? inode.watches.watches : NONE;
}
const NONE: readonly Watch[] = [];

/** A mark of fanotify on an inode hears of events from now on. */
export function attachMark(inode: Inode, mark: Mark): void {
  listOf(inode).marks.push(mark);
}

export function detachMark(inode: Inode, mark: Mark): void {
  const list = inode.watches, at = list === null ? -1 : list.marks.indexOf(mark);
  if (!(list instanceof WatchList) || at < 0) return;
  list.marks.splice(at, 1);
  list.leaveIfEmpty(inode);
}

function listOf(inode: Inode): WatchList {
  const list = inode.watches instanceof WatchList ? inode.watches : new WatchList();
  inode.watches = list;
  return list;
}

class WatchList extends InodeWatches {
  readonly watches: Watch[] = [];

  leaveIfEmpty(inode: Inode): void {
    if (this.watches.length === 0 && this.marks.length === 0) inode.watches = null;
  }

  override notify(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void {
    if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF)) !== 0) mask &= ~IN_ISDIR;
    for (const watch of [...this.watches]) {
      if ((watch.mask & mask & IN_ALL_EVENTS) === 0) continue;
      if (isUnlinked && name !== null && (watch.mask & IN_EXCL_UNLINK) !== 0) continue;
      watch.onEvent(mask >>> 0, cookie, name);
    }
    if ((mask & IN_DELETE_SELF) === 0) return;
    for (const watch of [...this.watches]) watch.end();
    endMarks(this.marks);
  }

  override onFdClose(file: OpenFile, owner: object): void {
    for (const watch of [...this.watches]) watch.onFdClose(file, owner);
  }
}
