/**
 * Requests the end of a process or of its threads. Each task ends itself when it reaches
 * returnToUser (exit.ts): nothing is released here.
 */

import { statusKilled } from "../../ffi/abi/wait.ts";
import { alertForExit } from "./alert.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/**
 * exit_group(2): the whole process ends with `status` (wait(2) encoding), unless it is already
 * exiting.
 */
export function exitGroup(group: ThreadGroup, status: number): void {
  if (group.isExiting) return;
  group.isExiting = true;
  group.exitStatus = status;
  group.stopSignal = 0;
  const mm = group.tasks[0]?.mm;
  if (mm !== undefined && mm.users <= group.tasks.length) mm.space.isDoomed = true;
  for (const t of group.tasks) alertForExit(t);
}

/** The process is killed by a signal. */
export function killGroup(group: ThreadGroup, sig: number): void {
  exitGroup(group, statusKilled(sig, false));
}

/** execve(2): all other threads of the process end. */
export function endOtherThreads(task: Task): void {
  for (const t of task.group.tasks) {
    if (t === task || t.exitRequested) continue;
    t.exitRequested = true;
    alertForExit(t);
  }
}
