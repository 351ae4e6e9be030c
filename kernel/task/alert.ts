/**
 * Makes a task leave guest code, a wait or a stop, so that it reaches `returnToUser`
 * (return_to_user.ts), which handles signals, stops and exits.
 */

import { hasDeliverable } from "../signal/dequeue.ts";
import { BLOCKED, FROZEN, READY, RESUMING, RUNNING, STOPPED, type Task, TRACED } from "./task.ts";

/** Makes the task reach returnToUser soon. */
export function alert(task: Task): void {
  task.attention = true;
  if (task.state === RUNNING) task.ctx.interrupt();
  else if (task.state === BLOCKED) interruptIfNeeded(task);
}

/** As `alert`, and out of a stop or a frozen container too, because the task must end. */
export function alertForExit(task: Task): void {
  task.attention = true;
  const { state } = task;
  if (state === STOPPED || state === FROZEN || state === TRACED) resume(task);
  else alert(task);
}

/** A task that stands still, or is new, continues in returnToUser with its `result`. */
export function resume(task: Task): void {
  task.state = RESUMING;
  task.kernel.enqueue(task);
}

/** Ends the wait of a blocked task that has something to handle. */
export function interruptIfNeeded(task: Task): void {
  if (task.state !== BLOCKED || !task.attention) return;
  if (mustEnd(task) || mustStop(task) || hasDeliverable(task)) interruptWait(task);
}

/**
 * A stop of its process, or one for its tracer, is due. A tracer may have let the task continue in
 * a stopped process.
 */
function mustStop(task: Task): boolean {
  const { trace, group } = task;
  if (trace === null) return group.stopSignal !== 0;
  return trace.isTrapDue || (group.stopSignal !== 0 && task.stopSeen !== group.stopSerial);
}

/** Ends the wait of a blocked task: its call runs once more with `interrupted` set. */
function interruptWait(task: Task): void {
  if (task.state !== BLOCKED) return;
  if (task.uninterruptible && !mustEnd(task)) return;
  task.interrupted = true;
  task.state = READY;
  task.kernel.enqueue(task);
}

/** The process, or this thread of it, is exiting. */
export function mustEnd(task: Task): boolean {
  return task.group.isExiting || task.exitRequested;
}
