/** The task that the kernel works for: what it makes now is charged to that task's process. */

import { ACCOUNTING } from "../core/account.ts";
import type { Task } from "./task.ts";

/** HOT */
export function serve(task: Task): void {
  task.kernel.current = task;
  ACCOUNTING.current = task.group.account;
}
