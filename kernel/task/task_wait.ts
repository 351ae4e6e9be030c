/** Registrations of a blocked task on wait queues and on the timer heap. */

import { Waiter } from "../core/wait.ts";
import { Timer } from "../time/timer.ts";

/** The object that a registration wakes: a task. */
interface Wakeable {
  wake(): void;
}

export class TaskWaiter extends Waiter {
  readonly task: Wakeable;

  constructor(task: Wakeable) {
    super();
    this.task = task;
  }

  override onWake(_events: number): void {
    this.task.wake();
  }
}

export class TaskTimeout extends Timer {
  readonly task: Wakeable;

  constructor(task: Wakeable) {
    super();
    this.task = task;
  }

  override get culprit(): object {
    return this.task;
  }

  override onExpire(_nowNs: number): void {
    this.task.wake();
  }
}
