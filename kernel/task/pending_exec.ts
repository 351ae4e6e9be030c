/** The program of an execve(2) that waits until the other threads of its process have ended (exec.ts). */

import { discardProgram, type Program } from "./program.ts";
import type { Task } from "./task.ts";

/** Kept in `progress.object` while the other threads end. */
export class PendingExec {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }
}

/** The task ends before it came to run the program. */
export function discardPendingExec(task: Task): void {
  const { progress, group } = task, pending = progress.object;
  if (!(pending instanceof PendingExec)) return;
  progress.object = null;
  if (group.execTask === task) group.execTask = null;
  discardProgram(pending.program);
}
