/**
 * The list of watches on an inode: those of inotify(7) and of F_NOTIFY of fcntl(2), and the marks
 * of fanotify(7). The list decides which watches an event concerns; each watch decides what to do
 * with it. notify.ts reports the events.
 */

import type { Account } from "../core/account.ts";
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
  /** The account that it is charged to. */
  readonly account: Account;
  readonly inode: Inode;
  /** The IN_* events that it wants, and IN_EXCL_UNLINK. */
  mask: number;

  constructor(account: Account, inode: Inode, mask: number) {
    this.account = account;
    this.inode = inode;
    this.mask = mask;
  }

  /** Takes one event of the mask; the arguments are those of InodeWatches.notify. */
  abstract onEvent(mask: number, cookie: number, name: string | null): void;
  /** The inode was deleted. */
  abstract end(): void;
  /** `file` was closed at an fd of the table `owner`. */
  onFdClose(_file: OpenFile, _owner: object): void {}

  /** Adds the watch to its inode: it gets events from now on. */
  attach(): void {
    const { inode } = this;
    listOf(inode).watches.push(this);
    INODE_WATCHES.add(1, this.account);
  }

  /** Removes the watch; the list goes with its last watch and mark. */
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

/** The watches of an inode. The array is the list's own: do not keep it. */
export function watchesOf(inode: Inode): readonly Watch[] {
  return inode.watches instanceof WatchList ? inode.watches.watches : NONE;
}
const NONE: readonly Watch[] = [];

/** Adds a mark of fanotify to an inode: it gets events from now on. */
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

export class WatchList extends InodeWatches {
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
