/**
 * The program of an execve(2) that writes its arguments, or waits until the other threads of its
 * process have ended (exec.ts).
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
 * The task ends before it came to run the program. A fault in one part of this leaves the other
 * parts undone in no case: nothing else refers to the program.
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

/** The task runs the program, or is going to end: calls that waited for that go on. */
export function endExec(task: Task): void {
  const { group } = task;
  task.progress.object = null;
  task.uninterruptible = false;
  task.fs.isInExec = false;
  if (group.execTask !== task) return;
  group.execTask = null;
  group.threadExits.wake(0);
}
