/**
 * Delays tasks that used more than their groups grant: memory beyond memory.high, transfers beyond
 * io.max. A delayed task returns to guest code later; only SIGKILL ends the delay.
 */

import { Timer } from "../time/timer.ts";
import type { Task } from "../task/task.ts";
import { holdTask, letTaskGo } from "./freezer.ts";

/** A controller to which a task owes a delay. */
export interface Debt {
  /** Called on the way to guest code; it may delay tasks. */
  settle(): void;
}

/** The delay of one task: a timer, and the debt to settle on the way to guest code. */
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

/** Keeps the task from guest code until `untilNs`. */
export function delayTask(task: Task, untilNs: number): void {
  const delay = task.delay ??= new TaskDelay(task);
  if (untilNs <= delay.untilNs) return;
  delay.untilNs = untilNs;
  if (delay.isArmed) task.kernel.timers.arm(delay, untilNs);
  else holdTask(task);
}

/** Calls `debt` when the task returns to guest code. */
export function oweLater(task: Task, debt: Debt): void {
  (task.delay ??= new TaskDelay(task)).debt = debt;
  task.attention = true;
}

/** Called on the way to guest code: whether the task has to wait. A timer ends the wait. */
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

/** Cancels a task's delay. */
export function endDelay(task: Task): void {
  const { delay, kernel } = task;
  if (delay !== null && delay.isArmed) kernel.timers.disarm(delay);
  task.delay = null;
}
