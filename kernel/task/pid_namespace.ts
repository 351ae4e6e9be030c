/** Ids of tasks, processes, process groups and sessions: one number space (pid_namespaces(7)). */

import type { Task } from "./task.ts";
import type { ProcessGroup, Session, ThreadGroup } from "./thread_group.ts";

/** LIMIT: as /proc/sys/kernel/pid_max of a 64-bit Linux. */
export const PID_MAX = 4194304;
/** Where numbers start again when all were used once. */
const FIRST_REUSED = 300;

export class PidNamespace {
  readonly tasks: Map<number, Task> = new Map();
  /** Processes, zombies included. */
  readonly groups: Map<number, ThreadGroup> = new Map();
  readonly processGroups: Map<number, ProcessGroup> = new Map();
  readonly sessions: Map<number, Session> = new Map();
  private last: number = 0;

  /** The number given last. */
  get lastId(): number {
    return this.last;
  }

  /** A number that nothing uses, or -1. */
  allocate(): number {
    for (let n = 0; n < PID_MAX; n++) {
      this.last = this.last + 1 >= PID_MAX ? FIRST_REUSED : this.last + 1;
      if (this.isFree(this.last)) return this.last;
    }
    return -1;
  }

  isFree(id: number): boolean {
    return !this.tasks.has(id) && !this.groups.has(id) && !this.processGroups.has(id) &&
      !this.sessions.has(id);
  }

  /** The live task with this id; the id of a process means its leader, or any task when that is gone. */
  taskOf(id: number): Task | null {
    return this.tasks.get(id) ?? this.groups.get(id)?.tasks[0] ?? null;
  }
}
