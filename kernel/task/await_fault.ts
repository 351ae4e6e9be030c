/**
 * Makes a task wait for the handler of its memory's faults (userfaultfd(2)): at a guest
 * instruction, which then runs again, or inside a call, which runs again from its saved arguments.
 *
 * DIFFERS: a call that consumed an object before it met the page (a message, a child's status) has
 * consumed it.
 */

import { POLLIN } from "../../ffi/abi/poll.ts";
import { releaseHandler } from "../userfault/userfault_pages.ts";
import { BLOCK } from "../core/result.ts";
import { mustEnd } from "./alert.ts";
import type { Task } from "./task.ts";

/** Waits for the fault that just happened: BLOCK, or the result of an interrupted wait. */
export function awaitFault(task: Task): number {
  const { awaited } = task.kernel.memory, handler = awaited.handler!;
  awaited.handler = null;
  const fault = handler.add(awaited, task.tid);
  const r = task.waitFor(fault.queue, 0);
  // After the task waits: a woken handler may look for waiters at once.
  handler.queue.wake(POLLIN);
  return r;
}

/**
 * A call ended with EFAULT for such a page: BLOCK, and it runs again when the page is there. As on
 * Linux only the end of its process interrupts this; the error stays then.
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

/**
 * The call sent events to monitors of memory (`monitorEvents`): it ends with `result` when all have
 * been read.
 */
export function awaitReaders(task: Task, result: number): number {
  task.progress.monitorEvents = task.kernel.memory.monitorEvents.splice(0);
  task.progress.result = result;
  return awaitNextReader(task);
}

/**
 * BLOCK, or the call's result. Events of a released descriptor are skipped, and a process that ends
 * does not wait.
 */
export function awaitNextReader(task: Task): number {
  const { progress } = task;
  for (const event of progress.monitorEvents ?? []) {
    const { handler } = event;
    if (event.isRead || handler.isReleased || mustEnd(task)) continue;
    task.interrupted = false;
    task.uninterruptible = true;
    handler.announce(event);
    if (task.waitFor(event.queue, 0) !== BLOCK) continue;
    handler.queue.wake(POLLIN);
    return BLOCK;
  }
  for (const { child, isRead } of progress.monitorEvents ?? []) {
    // No process has the child's descriptor.
    if (child !== null && !isRead && !child.mm.isDestroyed) releaseHandler(child);
  }
  progress.monitorEvents = null;
  return progress.result;
}
