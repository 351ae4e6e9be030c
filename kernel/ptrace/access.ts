/**
 * Decides for system calls which task may inspect which; files of /proc use proc/fs/access.ts. Both
 * follow cred/task_access.ts. Attaching also waits for an execve(2) in progress (cred_guard_mutex
 * of Linux): between its decision about the new credentials and the new program a tracer would be
 * judged by the old ones.
 */

import { ERESTARTNOINTR } from "../../ffi/abi/errno.ts";
import { BY_FS_IDS, BY_REAL_IDS, isPerformanceMonitor, mayAccess } from "../cred/task_access.ts";
import { isOutOfReach } from "../job/job_boundary.ts";
import { DEAD, type Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

/** By the caller's real ids: PTRACE_MODE_READ_REALCREDS and ATTACH_REALCREDS. */
export function mayAccessByReal(t: Task, target: Task): boolean {
  return may(t, target, BY_REAL_IDS);
}

/** By the caller's file system ids: PTRACE_MODE_READ_FSCREDS. */
export function mayAccessByFs(t: Task, target: Task): boolean {
  return may(t, target, BY_FS_IDS);
}

function may(t: Task, target: Task, by: typeof BY_FS_IDS | typeof BY_REAL_IDS): boolean {
  if (t.group === target.group) return true;
  return mayAccess(t.cred, by, target.cred, target.state === DEAD ? null : target.mm);
}

/**
 * Reading and writing of memory (mm_access with ATTACH_REALCREDS). A task may always access its own
 * memory, in any process that shares it.
 */
export function mayAttachMemory(t: Task, target: Task): boolean {
  return t.mm === target.mm || mayControl(t, target);
}

/** Attaching as a tracer, and writing of memory: the task may be in no other job. */
export function mayControl(t: Task, target: Task): boolean {
  return !isOutOfReach(t.group.job, target.group.job) && mayAccessByReal(t, target);
}

/** Reading of memory (mm_access with READ_FSCREDS), also for callers with CAP_PERFMON. */
export function mayReadMemory(t: Task, target: Task): boolean {
  return t.mm === target.mm || isPerformanceMonitor(t.cred) || mayAccessByFs(t, target);
}

/**
 * 0, or the call's result while a thread of `group` is in execve(2); the call runs again
 * afterwards.
 */
export function awaitExec(t: Task, group: ThreadGroup): number {
  if (group.execTask === null) return 0;
  return t.interrupted ? -ERESTARTNOINTR : t.waitFor(group.threadExits, 0);
}
