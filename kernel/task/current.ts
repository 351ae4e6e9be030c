/** The task that is being served: objects that the kernel makes now are charged to its process. */

import { ACCOUNTING } from "../core/account.ts";
import type { Task } from "./task.ts";

/** HOT */
export function serve(task: Task): void {
  task.kernel.current = task;
  ACCOUNTING.current = task.group.account;
}
