/** Tasks that are due: their calls go on, or they leave a stop, when the loop comes to them. */

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
  /** The others follow by `next`. */
  get first(): Task | null {
    return this.head;
  }
}
