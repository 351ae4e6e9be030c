/**
 * The visible part of the thread of IORING_SETUP_SQPOLL: the memory, descriptors and credentials of
 * the requests. It appears as a thread of the process that made the ring, with that task's
 * credentials of that time, and ends when the process ends or executes another program.
 */

import type { Credentials } from "../cred/credentials.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

export class SqPoller {
  readonly cred: Credentials;
  private readonly group: ThreadGroup;
  private readonly mm: MemoryManager;

  constructor({ cred, group, mm }: Task) {
    this.cred = cred;
    this.group = group;
    this.mm = mm;
  }

  /**
   * A task for which requests can be taken; null: the thread has ended. execve(2) always replaces
   * the memory.
   */
  get task(): Task | null {
    const task = this.group.leader ?? this.group.tasks[0];
    return task !== undefined && task.mm === this.mm ? task : null;
  }
}
