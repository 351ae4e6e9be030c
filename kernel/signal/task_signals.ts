/** The signal facet of a task: mask, alternate stack, thread-directed pending signals. */

import type { Account } from "../core/account.ts";
import { PendingSignals } from "./pending.ts";
import { SigSet } from "./sigset.ts";

export class TaskSignals {
  readonly blocked: SigSet = new SigSet();
  /** Mask to come back after sigsuspend, ppoll, pselect, epoll_pwait; meaningful while `hasSaved`. */
  readonly saved: SigSet = new SigSet();
  hasSaved: boolean = false;
  readonly pending: PendingSignals;
  /** sigaltstack(2): size 0 when disabled; the flags are those that were given. */
  altBase: number = 0;
  altSize: number = 0;
  altFlags: number = 0;
  /** Signals that rt_sigtimedwait waits for: they wake the task although blocked. */
  readonly waiting: SigSet = new SigSet();

  /** @param account of its process: pending signals are charged to it */
  constructor(account: Account) {
    this.pending = new PendingSignals(account);
  }
}
