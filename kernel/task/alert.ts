/**
 * Getting a task's attention: out of guest code, out of a wait, out of a stop. What it then finds is looked at in
 * return_to_user.ts.
 */

import { hasDeliverable } from "../signal/dequeue.ts";
import { BLOCKED, FROZEN, READY, RESUMING, RUNNING, STOPPED, type Task, TRACED } from "./task.ts";

/** Make the task come by in returnToUser soon. */
export function alert(task: Task): void {
  task.attention = true;
  if (task.state === RUNNING) task.ctx.interrupt();
  else if (task.state === BLOCKED) interruptIfNeeded(task);
}

/** As `alert`, and out of a stop or a frozen container too: it must end. */
export function alertForExit(task: Task): void {
  task.attention = true;
  const { state } = task;
  if (state === STOPPED || state === FROZEN || state === TRACED) resume(task);
  else alert(task);
}

/** A task that stands still (or is new) goes on in returnToUser with its `result`. */
export function resume(task: Task): void {
  task.state = RESUMING;
  task.kernel.enqueue(task);
}

/** A blocked task with something to look at does not stay blocked. */
export function interruptIfNeeded(task: Task): void {
  if (task.state !== BLOCKED || !task.attention) return;
  if (mustEnd(task) || mustStop(task) || hasDeliverable(task)) interruptWait(task);
}

/** A stop of its process, or one for its tracer, is due. A tracer may have let it go on in a stopped process. */
function mustStop(task: Task): boolean {
  const { trace, group } = task;
  if (trace === null) return group.stopSignal !== 0;
  return trace.isTrapDue || (group.stopSignal !== 0 && task.stopSeen !== group.stopSerial);
}

/** End the wait of a blocked task: its call runs once more with `interrupted` set. */
export function interruptWait(task: Task): void {
  if (task.state !== BLOCKED) return;
  if (task.uninterruptible && !mustEnd(task)) return;
  task.interrupted = true;
  task.state = READY;
  task.kernel.enqueue(task);
}

/** The process is exiting, or this thread of it. */
export function mustEnd(task: Task): boolean {
  return task.group.isExiting || task.exitRequested;
}
