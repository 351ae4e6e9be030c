/**
 * Calls that wait for a supervisor's decision (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)): the
 * state behind a listener.
 *
 * Neighbours: listener_file.ts (the descriptor), await_verdict.ts (the side of the waiting task),
 * seccomp/calls/seccomp_listener.ts (the ioctls).
 */

import { POLLIN, POLLRDNORM } from "../../ffi/abi/poll.ts";
import { ENOSYS } from "../../ffi/abi/errno.ts";
import { WaitQueue } from "../core/wait.ts";
import type { Task } from "../task/task.ts";
import type { SeccompFilter } from "./filter.ts";

/** States: not read; read by the supervisor; answered. */
export const NOTIFY_INIT = 0, NOTIFY_SENT = 1, NOTIFY_REPLIED = 2;

export class Notification {
  readonly id: number;
  readonly task: Task;
  /** struct seccomp_data. */
  readonly data: Uint32Array;
  state: number = NOTIFY_INIT;
  /**
   * The answer: an error (usually -errno), otherwise a result; or SECCOMP_USER_NOTIF_FLAG_CONTINUE.
   */
  error: number = 0;
  value: number = 0;
  flags: number = 0;
  /** Woken by the answer. */
  readonly changed: WaitQueue = new WaitQueue();

  constructor(id: number, task: Task, data: Uint32Array) {
    this.id = id;
    this.task = task;
    this.data = data.slice();
  }

  reply(error: number, value: number, flags: number): void {
    this.state = NOTIFY_REPLIED;
    this.error = error;
    this.value = value;
    this.flags = flags;
    this.changed.wake(0);
  }
}

export class Notifier {
  /** Waiting calls, oldest first. */
  readonly notifications: Notification[] = [];
  private readonly filter: SeccompFilter;
  private lastId: number;

  /** @param firstId start of its ids: ids of different listeners should differ */
  constructor(filter: SeccompFilter, firstId: number) {
    this.filter = filter;
    this.lastId = firstId;
  }

  add(task: Task, data: Uint32Array): Notification {
    const n = new Notification(++this.lastId, task, data);
    this.notifications.push(n);
    this.filter.events.wake(POLLIN | POLLRDNORM);
    return n;
  }

  /** Removes a call that continues, or ended. */
  remove(n: Notification): void {
    const i = this.notifications.indexOf(n);
    if (i >= 0) this.notifications.splice(i, 1);
  }

  find(id: number): Notification | null {
    return this.notifications.find((n) => n.id === id) ?? null;
  }

  firstIn(state: number): Notification | null {
    return this.notifications.find((n) => n.state === state) ?? null;
  }

  /** Called when the listener is closed: waiting and later calls fail with ENOSYS. */
  close(): void {
    this.filter.notifier = null;
    for (const n of this.notifications) {
      if (n.state !== NOTIFY_REPLIED) n.reply(-ENOSYS, 0, 0);
    }
    this.notifications.length = 0;
  }
}
