/** A call that waits for a supervisor's answer: the calling task's side of seccomp_unotify(2). */

import { ENOSYS } from "../../ffi/abi/errno.ts";
import { SECCOMP_USER_NOTIF_FLAG_CONTINUE } from "../../ffi/abi/seccomp.ts";
import { BLOCK, GO_ON } from "../core/result.ts";
import { mustEnd } from "../task/alert.ts";
import type { Task } from "../task/task.ts";
import { RESTART_SYS } from "../task/task.ts";
import type { SeccompFilter } from "./filter.ts";
import { Notification, NOTIFY_INIT, NOTIFY_REPLIED } from "./notifier.ts";

/** The filter and the notification, for the runs after the first one. */
export class Pending {
  readonly filter: SeccompFilter;
  readonly notification: Notification;

  constructor(filter: SeccompFilter, notification: Notification) {
    this.filter = filter;
    this.notification = notification;
  }
}

/** Asks the listener of `filter`: BLOCK, or the result without a listener. */
export function askSupervisor(task: Task, filter: SeccompFilter, data: Uint32Array): number {
  const { notifier } = filter;
  if (notifier === null) return -ENOSYS;
  task.progress.object = new Pending(filter, notifier.add(task, data));
  task.restart = RESTART_SYS;
  return awaitVerdict(task);
}

/** Runs after a wake-up: BLOCK, GO_ON (the call is made after all), or the call's result. */
export function awaitVerdict(task: Task): number {
  const pending = task.progress.object;
  if (!(pending instanceof Pending)) return -ENOSYS;
  const { filter, notification: n } = pending;
  if (n.state !== NOTIFY_REPLIED) {
    const isKillableOnly = filter.isKillableOnly && n.state !== NOTIFY_INIT;
    if (isKillableOnly && task.interrupted && !mustEnd(task)) {
      // The supervisor has read the notification: from now on only a fatal signal ends the wait.
      task.interrupted = false;
      task.uninterruptible = true;
    }
    const r = task.waitFor(n.changed, 0);
    if (r === BLOCK) return r;
    endNotification(task, pending);
    return r;
  }
  endNotification(task, pending);
  if ((n.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) !== 0) return GO_ON;
  return n.error !== 0 ? n.error : n.value;
}

function endNotification(task: Task, pending: Pending): void {
  task.uninterruptible = false;
  pending.filter.notifier?.remove(pending.notification);
  task.progress.object = null;
}
