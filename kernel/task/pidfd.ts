/** Descriptors that refer to a process or, with PIDFD_THREAD, to a thread: pidfd_open(2). */

import { POLLHUP, POLLIN, POLLRDNORM } from "../../ffi/abi/poll.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import type { Account } from "../core/account.ts";
import type { AnonFiles } from "../fs/anonfd/anon_inode.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { PidSpace } from "../cred/pid.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { DEAD, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

export class PidFd extends OpenFile {
  readonly group: ThreadGroup;
  /** The thread that the descriptor refers to; null: the process. */
  readonly thread: Task | null;
  override readonly inode: Inode;

  /** @param flags O_NONBLOCK or 0 */
  constructor(
    account: Account,
    anon: AnonFiles,
    group: ThreadGroup,
    thread: Task | null,
    flags: number,
  ) {
    super(account, O_RDWR | flags);
    this.group = group;
    this.thread = thread;
    this.inode = (thread ?? group).id.inode ??= anon.pids.makeInode(0o700);
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

  override fdinfo(pids: PidSpace): string {
    if (this.group.isReaped) return "Pid:\t-1\nNSpid:\t-1\n";
    const { id } = this.thread ?? this.group, nr = id.numberIn(pids);
    const inner = nr === 0 ? [] : id.numbers.slice(pids.level + 1);
    return `Pid:\t${nr}\nNSpid:\t${[nr, ...inner].join("\t")}\n`;
  }
}
