/**
 * Waits until another task has finished a change of the shared memory that takes several turns
 * (mm/change_lock.ts).
 */

import type { Task } from "./task.ts";

/**
 * Call before a call makes, removes or rearranges areas. 0; BLOCK until the other task's change is
 * over; or the result for a task that must end.
 */
export function awaitChange(t: Task): number {
  const { changes } = t.mm;
  if (changes.owner === null || changes.owner === t) return 0;
  t.uninterruptible = true;
  return t.waitFor(changes.queue, 0);
}
