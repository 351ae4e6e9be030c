/**
 * A task that waits for whoever handles the faults of its memory (userfaultfd(2)): at an instruction of its own, which
 * then runs again, or inside a call, which runs again from its saved arguments.
 *
 * DIFFERS: a call that took something before it met the page (a message, a child's status) has taken it.
 */

import { POLLIN } from "../../ffi/abi/poll.ts";
import { releaseHandler } from "../userfault/userfault_pages.ts";
import { BLOCK } from "../core/result.ts";
import { mustEnd } from "./alert.ts";
import type { Task } from "./task.ts";

/** Wait for the fault that was just met: BLOCK, or what an interrupted wait gives. */
export function awaitFault(task: Task): number {
  const { awaited } = task.kernel.memory, handler = awaited.handler!;
  awaited.handler = null;
  const fault = handler.add(awaited, task.tid);
  const r = task.waitFor(fault.queue, 0);
  // Whoever is told looks at once who waits.
  handler.queue.wake(POLLIN);
  return r;
}

/**
 * A call ended with EFAULT for such a page: BLOCK, and it runs again when the page is there. Only its process's end
 * keeps it from that, as on Linux: then the error stays.
 */
export function awaitInCall(task: Task, result: number): number {
  if (mustEnd(task)) {
    task.kernel.memory.awaited.handler = null;
    return result;
  }
  task.interrupted = false;
  task.uninterruptible = true;
  return awaitFault(task) === BLOCK ? BLOCK : result;
}

/** The call told monitors something (`told`): it ends with `result` as soon as all have read it. */
export function awaitReaders(task: Task, result: number): number {
  task.progress.told = task.kernel.memory.told.splice(0);
  task.progress.result = result;
  return awaitNextReader(task);
}

/** BLOCK, or the call's result. Nobody reads where the descriptor is gone, and the end of the process does not wait. */
export function awaitNextReader(task: Task): number {
  const { progress } = task;
  for (const event of progress.told ?? []) {
    const { handler } = event;
    if (event.isRead || handler.isReleased || mustEnd(task)) continue;
    task.interrupted = false;
    task.uninterruptible = true;
    handler.announce(event);
    if (task.waitFor(event.queue, 0) !== BLOCK) continue;
    handler.queue.wake(POLLIN);
    return BLOCK;
  }
  for (const { child, isRead } of progress.told ?? []) {
    // Nobody has its descriptor.
    if (child !== null && !isRead && !child.mm.isDestroyed) releaseHandler(child);
  }
  progress.told = null;
  return progress.result;
}
