/** Descriptors that refer to a process or, with PIDFD_THREAD, to a thread: pidfd_open(2). */

import { anonFs } from "../fs/anonfd/anon_inode.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile, POLLHUP, POLLIN, POLLRDNORM } from "../vfs/open_file.ts";
import { DEAD, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

const O_RDWR = 2;

export class PidFd extends OpenFile {
  readonly group: ThreadGroup;
  /** The thread that is meant; null: the process. */
  readonly thread: Task | null;

  /** `flags`: O_NONBLOCK or 0. */
  constructor(group: ThreadGroup, thread: Task | null, flags: number) {
    super(O_RDWR | flags);
    this.group = group;
    this.thread = thread;
  }

  override get inode(): Inode {
    return anonFs.root;
  }

  override poll(): number {
    if (this.group.isReaped) return POLLIN | POLLRDNORM | POLLHUP;
    const isOver = this.group.isZombie || (this.thread !== null && this.thread.state === DEAD);
    return isOver ? POLLIN | POLLRDNORM : 0;
  }

  override get waitQueue(): WaitQueue {
    return this.thread === null ? this.group.exitEvents : this.group.threadExits;
  }

  override describe(): string {
    return "anon_inode:[pidfd]";
  }

  override fdinfo(): string {
    const pid = this.group.isReaped ? -1 : this.thread?.tid ?? this.group.pid;
    return `Pid:\t${pid}\nNSpid:\t${pid}\n`;
  }
}
