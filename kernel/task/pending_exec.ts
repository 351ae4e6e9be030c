/**
 * The loaded program of an execve(2) that is still writing its arguments, or waits for the end of
 * the other threads of its process (exec.ts).
 */

import { discardProgram, type Program } from "./program.ts";
import type { Task } from "./task.ts";

/** Kept in `progress.object` between the turns of the call. */
export class PendingExec {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }
}

/**
 * The task ends before it ran the program. No part depends on another one: a fault in one does not
 * skip the rest, because only this object refers to the program.
 */
export function discardPendingExec(task: Task): void {
  const pending = task.progress.object;
  if (!(pending instanceof PendingExec)) return;
  try {
    discardProgram(pending.program);
  } finally {
    endExec(task);
  }
}

/** The task runs the program, or is going to end: wakes calls that waited for that. */
export function endExec(task: Task): void {
  const { group } = task;
  task.progress.object = null;
  task.uninterruptible = false;
  task.fs.isInExec = false;
  if (group.execTask !== task) return;
  group.execTask = null;
  group.threadExits.wake(0);
}
