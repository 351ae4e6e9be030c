/**
 * The interfaces by which the file system of control groups sees groups and their files;
 * kernel/cgroup implements them. (A file system may not import tasks.)
 */

import { POLLERR, POLLPRI } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { IN_MODIFY } from "../../../ffi/abi/inotify.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Inode } from "../../vfs/inode.ts";
import { notifyInodes } from "../../vfs/notify.ts";

export interface GroupNode {
  readonly name: string;
  readonly parentNode: GroupNode | null;
  /** The group is removed; its files may still be open. */
  readonly isGone: boolean;
  /** The inode of the directory, made at the first look-up; one for all mounts. */
  inode: Inode | null;
  /** The account that it is charged to. */
  readonly account: Account;
  /** The files now, in the order of a listing; controllers add and remove some. */
  listFiles(): readonly GroupFile[];
  child(name: string): GroupNode | null;
  childNodes(): Iterable<GroupNode>;
  /** Makes a child group, or -errno. */
  makeChild(name: string, account: Account): GroupNode | number;
  /** 0 or -errno. */
  remove(): number;
  renameTo(name: string): number;
}

export interface GroupFile {
  readonly name: string;
  readonly permissions: number;
  /** Reports changes of the text; null: it has no such changes. */
  readonly changes: ChangeSignal | null;
  open(cred: Credentials): GroupHandle;
}

/** A file as one of its openers sees it. */
export interface GroupHandle {
  /** The text, or -errno. */
  read(): string | number;
  /** 0 or -errno. */
  write(text: string): number;
  close(): void;
}

/** Reports to poll(2) and inotify(7) that a text changed by itself. */
export class ChangeSignal {
  /** Changes so far. A reader has seen those before its last read. */
  count: number = 1;
  readonly queue: WaitQueue = new WaitQueue();
  /** The inodes of the file and its directory, if they exist. */
  file: Inode | null = null;
  dir: Inode | null = null;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  tell(): void {
    this.count++;
    this.queue.wake(POLLPRI | POLLERR);
    notifyInodes(this.dir, this.file, this.name, IN_MODIFY);
  }
}
