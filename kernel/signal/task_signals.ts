/** The signals of a task: mask, alternate stack, thread-directed pending signals. */

import type { Account } from "../core/account.ts";
import { PendingSignals } from "./pending.ts";
import { SigSet } from "./sigset.ts";

export class TaskSignals {
  readonly blocked: SigSet = new SigSet();
  /** Mask to restore after sigsuspend, ppoll, pselect, epoll_pwait; valid while `hasSaved`. */
  readonly saved: SigSet = new SigSet();
  hasSaved: boolean = false;
  readonly pending: PendingSignals;
  /** sigaltstack(2): size 0 when disabled; the flags as the program passed them. */
  altBase: number = 0;
  altSize: number = 0;
  altFlags: number = 0;
  /** Signals that rt_sigtimedwait waits for: they wake the task although blocked. */
  readonly waiting: SigSet = new SigSet();

  /** @param account of its process, which pending signals are charged to */
  constructor(account: Account) {
    this.pending = new PendingSignals(account);
  }
}
