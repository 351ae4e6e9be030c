/**
 * From a trapped context to a handler and back: the one place where system calls start, run again after a wait,
 * and finish.
 *
 * Neighbours: table.ts and x86_64.ts (the rows), task/return_to_user.ts (everything that is not a plain result).
 */

import { BLOCK, NO_REPLY } from "../core/result.ts";
import { BLOCKED, HANDLING, RUNNING, type Task } from "../task/task.ts";
import { interruptIfNeeded, returnToUser } from "../task/return_to_user.ts";
import { patchCallSite } from "../mm/patch.ts";
import type { Row } from "./table.ts";
import { ROWS, unknownCall } from "./x86_64.ts";

/** Watches calls for --strace; null when nobody does. */
export interface CallObserver {
  onEnter(task: Task, row: Row): void;
  /** Once, when the call has its result (or its restart code). */
  onExit(task: Task, row: Row, result: number): void;
}

let observer: CallObserver | null = null;

export function observeCalls(o: CallObserver | null): void {
  observer = o;
}

/** A new call: TRAP_SYSCALL was reported. HOT */
export function dispatch(task: Task): void {
  const ctx = task.ctx;
  task.nr = ctx.nr;
  task.callCount++;
  task.state = HANDLING;
  task.interrupted = false;
  task.progress.reset();
  if (ctx.viaSignal && observer === null) patchCallSite(task.mm, ctx.rip, ctx.nr);
  const row = ROWS[ctx.nr] ?? unknownCall(task);
  task.restart = row.restart;
  if (observer !== null) observer.onEnter(task, row);
  finish(task, row, row.handler(task, task.args));
}

/** A READY task's call runs again from its saved arguments. HOT */
export function rerun(task: Task): void {
  task.endWait();
  task.state = HANDLING;
  const row = ROWS[task.nr] ?? unknownCall(task);
  finish(task, row, row.handler(task, task.args));
}

function finish(task: Task, row: Row, result: number): void {
  if (result === BLOCK) {
    task.state = BLOCKED;
    task.ctx.park();
    interruptIfNeeded(task);
    return;
  }
  if (task.waiter.queue !== null || task.timeout.isArmed || task.moreWaiters !== null) {
    task.endWait();
  }
  if (observer !== null) observer.onExit(task, row, result);
  if (result === NO_REPLY) return;
  if (task.attention) {
    returnToUser(task, result);
    return;
  }
  task.nr = -1;
  task.state = RUNNING;
  task.ctx.resumeRet(result);
}

/** Run the call again as if it had just been made (no handler ran in between); keeps its deadline. */
export function restartCall(task: Task): void {
  const deadlineNs = task.progress.deadlineNs;
  task.progress.reset();
  task.progress.deadlineNs = deadlineNs;
  task.interrupted = false;
  task.state = HANDLING;
  const row = ROWS[task.nr] ?? unknownCall(task);
  finish(task, row, row.handler(task, task.args));
}
