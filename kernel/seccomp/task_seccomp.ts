/** The filters of a task: attaching one, inheriting them, releasing them (seccomp(2)). */

import { EBUSY, EINTR, EINVAL, ENOMEM, ESRCH } from "../../ffi/abi/errno.ts";
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
} from "../../ffi/abi/seccomp.ts";
import { ENTRY_SECCOMP, type Task } from "../task/task.ts";
import type { SeccompFilter } from "./filter.ts";

/** SECCOMP_SET_MODE_STRICT: 0 or -EINVAL. */
export function setStrict(task: Task): number {
  if (task.seccompMode === SECCOMP_MODE_FILTER) return -EINVAL;
  setMode(task, SECCOMP_MODE_STRICT);
  return 0;
}

/**
 * Attaches `filter` to the task; with SECCOMP_FILTER_FLAG_TSYNC to all threads of its process. 0,
 * -errno, or the id of a thread that has filters of its own.
 */
export function attachFilter(task: Task, filter: SeccompFilter, flags: number): number {
  // Another thread is in execve(2), and this one about to end: the filters must not change
  // meanwhile (cred_guard_mutex of Linux).
  if ((flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0 && task.group.execTask !== null) return -EINTR;
  if (task.seccompMode === SECCOMP_MODE_STRICT) return -EINVAL;
  if (filter.notifier !== null && hasListener(task.seccomp)) return -EBUSY;
  if (!filter.follow(task.seccomp)) return -ENOMEM;
  if ((flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0) {
    const other = findDiverged(task);
    if (other !== null) {
      return (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) !== 0 ? -ESRCH : other.tid;
    }
  }
  if (!filter.claim()) return -ENOMEM;
  filter.isLogging = (flags & SECCOMP_FILTER_FLAG_LOG) !== 0;
  filter.isKillableOnly = (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) !== 0;
  // The task's reference moves from the older filter to the new one.
  task.seccomp = filter.hold();
  setMode(task, SECCOMP_MODE_FILTER);
  if ((flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0) synchronize(task);
  return 0;
}

function hasListener(chain: SeccompFilter | null): boolean {
  for (let f = chain; f !== null; f = f.prev) if (f.notifier !== null) return true;
  return false;
}

/** Finds a thread whose filters are not a prefix of the task's. */
function findDiverged(task: Task): Task | null {
  for (const t of task.group.tasks) {
    if (t === task || t.exitRequested) continue;
    if (t.seccompMode === SECCOMP_MODE_DISABLED) continue;
    const isBehind = t.seccomp === null || (task.seccomp?.descendsFrom(t.seccomp) ?? false);
    if (t.seccompMode !== SECCOMP_MODE_FILTER || !isBehind) return t;
  }
  return null;
}

function synchronize(task: Task): void {
  for (const t of task.group.tasks) {
    if (t === task || t.exitRequested) continue;
    const old = t.seccomp;
    t.seccomp = task.seccomp?.hold() ?? null;
    old?.drop();
    if (task.cred.noNewPrivs) t.cred = { ...t.cred, noNewPrivs: true };
    setMode(t, SECCOMP_MODE_FILTER);
  }
}

function setMode(task: Task, mode: number): void {
  task.seccompMode = mode;
  task.entryWork |= ENTRY_SECCOMP;
}

/** fork(2), clone(2): the child inherits the filters. */
export function inheritSeccomp(child: Task, parent: Task): void {
  if (parent.seccompMode === SECCOMP_MODE_DISABLED) return;
  child.seccomp = parent.seccomp?.hold() ?? null;
  setMode(child, parent.seccompMode);
}

/** Releases the filters at the end of a task. */
export function releaseSeccomp(task: Task): void {
  task.seccomp?.drop();
  task.seccomp = null;
}
