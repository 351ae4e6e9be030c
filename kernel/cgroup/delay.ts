/**
 * Tasks that took more than their groups grant them at a time go back to guest code later: for memory beyond memory.high,
 * for transfers beyond io.max. Only SIGKILL comes before that.
 */

import { Timer } from "../time/timer.ts";
import type { Task } from "../task/task.ts";
import { holdTask, letTaskGo } from "./freezer.ts";

/** Who has something to ask of a task before it goes back. */
export interface Debt {
  /** Now is the time; it may delay tasks. */
  settle(): void;
}

export class TaskDelay extends Timer {
  untilNs: number = 0;
  debt: Debt | null = null;
  private readonly task: Task;

  constructor(task: Task) {
    super();
    this.task = task;
  }

  override get culprit(): Task {
    return this.task;
  }

  override onExpire(_nowNs: number): void {
    letTaskGo(this.task);
  }
}

/** It runs no guest code before `untilNs`. */
export function delayTask(task: Task, untilNs: number): void {
  const delay = task.delay ??= new TaskDelay(task);
  if (untilNs <= delay.untilNs) return;
  delay.untilNs = untilNs;
  if (delay.isArmed) task.kernel.timers.arm(delay, untilNs);
  else holdTask(task);
}

/** On its way back to guest code it is asked for what it owes. */
export function oweLater(task: Task, debt: Debt): void {
  (task.delay ??= new TaskDelay(task)).debt = debt;
  task.attention = true;
}

/** Asked on the way back to guest code: does it have to wait? Somebody lets it go then. */
export function isDelayed(task: Task): boolean {
  const { delay, kernel } = task;
  if (delay === null) return false;
  const { debt } = delay;
  delay.debt = null;
  debt?.settle();
  if (delay.untilNs > kernel.now()) {
    kernel.timers.arm(delay, delay.untilNs);
    return true;
  }
  endDelay(task);
  return false;
}

export function endDelay(task: Task): void {
  const { delay, kernel } = task;
  if (delay !== null && delay.isArmed) kernel.timers.disarm(delay);
  task.delay = null;
}
