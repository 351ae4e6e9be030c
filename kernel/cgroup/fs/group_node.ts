/**
 * What the file system of control groups shows: groups and their files, as the task side has them
 * (kernel/cgroup). File systems may not import tasks, so these are its faces.
 */

import { IN_MODIFY } from "../../../ffi/abi/inotify.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Inode } from "../../vfs/inode.ts";
import { notifyInodes } from "../../vfs/notify.ts";
import { POLLERR, POLLPRI } from "../../vfs/open_file.ts";

export interface GroupNode {
  readonly name: string;
  readonly parentNode: GroupNode | null;
  /** Removed: its files may still be open. */
  readonly isGone: boolean;
  /** Its directory, once somebody has looked at it: one for all mounts. */
  inode: Inode | null;
  /** Its files now, in the order of a listing: controllers bring some and take them away. */
  listFiles(): readonly GroupFile[];
  child(name: string): GroupNode | null;
  childNodes(): Iterable<GroupNode>;
  /** A new group below it, or -errno. */
  makeChild(name: string): GroupNode | number;
  /** 0 or -errno. */
  remove(): number;
  renameTo(name: string): number;
}

export interface GroupFile {
  readonly name: string;
  readonly permissions: number;
  /** Who is told when the text changes; null: nobody ever is. */
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

/** A text changed by itself: poll(2) and inotify(7) tell of it. */
export class ChangeSignal {
  /** Changes so far. A reader has seen those up to its last read. */
  count: number = 1;
  readonly queue: WaitQueue = new WaitQueue();
  /** The file and its directory, when there are inodes. */
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
