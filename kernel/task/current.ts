/** The task that is being served: objects that the kernel makes now are charged to its process. */

import type { Task } from "./task.ts";

/** HOT */
export function serve(task: Task): void {
  task.kernel.current = task;
}
