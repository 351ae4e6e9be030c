/** The queue of tasks that are due: the loop runs their calls again, or lets them leave a stop. */

import type { Task } from "./task/task.ts";

/** FIFO of READY and RESUMING tasks, linked through `Task.next`. */
export class RunQueue {
  private head: Task | null = null;
  private tail: Task | null = null;
  length: number = 0;

  get isEmpty(): boolean {
    return this.head === null;
  }
  push(task: Task): void {
    task.next = null;
    this.length++;
    if (this.tail === null) this.head = task;
    else this.tail.next = task;
    this.tail = task;
  }
  shift(): Task | null {
    const task = this.head;
    if (task === null) return null;
    this.head = task.next;
    if (this.head === null) this.tail = null;
    this.length--;
    task.next = null;
    return task;
  }
  /** The first task; the others follow by `next`. */
  get first(): Task | null {
    return this.head;
  }
}
