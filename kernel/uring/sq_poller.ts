/**
 * The thread that takes a ring's requests with IORING_SETUP_SQPOLL, as far as it is seen: whose
 * memory, descriptors and credentials they have. It is a thread of the process that made the ring,
 * with the credentials that the maker had then, and ends when that process does or becomes another
 * program.
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
   * A task that requests can be taken for; null: the thread has ended. execve(2) always brings
   * other memory.
   */
  get task(): Task | null {
    const task = this.group.leader ?? this.group.tasks[0];
    return task !== undefined && task.mm === this.mm ? task : null;
  }
}
