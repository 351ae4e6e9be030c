/** The signal actions of a process: sigaction(2). CLONE_SIGHAND shares them, execve resets them. */

import { SIG_DFL, SIG_IGN, SIGRTMAX } from "../../ffi/abi/signal.ts";
import { WaitQueue } from "../core/wait.ts";

export class SignalAction {
  /** SIG_DFL, SIG_IGN or an address. */
  handler: number = SIG_DFL;
  /** SA_* as u32. */
  flags: number = 0;
  restorer: number = 0;
  maskLo: number = 0;
  maskHi: number = 0;

  copy(o: SignalAction): void {
    this.handler = o.handler;
    this.flags = o.flags;
    this.restorer = o.restorer;
    this.maskLo = o.maskLo;
    this.maskHi = o.maskHi;
  }
}

export class SignalHandlers {
  /** Indexed by signal number; 0 is unused. */
  readonly actions: SignalAction[] = [];
  refs: number = 1;
  /** Its place in the order of kcmp(2) (task/object_ranks.ts); 0: it was not compared yet. */
  rank: number = 0;
  /** Waiters in signalfd(2) for signals of the tasks that share these handlers. */
  readonly arrived: WaitQueue = new WaitQueue();

  constructor(from: SignalHandlers | null) {
    for (let i = 0; i <= SIGRTMAX; i++) {
      const a = new SignalAction();
      const o = from?.actions[i];
      if (o !== undefined) a.copy(o);
      this.actions.push(a);
    }
  }

  of(sig: number): SignalAction {
    return this.actions[sig]!;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  /** execve(2), CLONE_CLEAR_SIGHAND: caught signals become default, ignored ones stay ignored. */
  clearHandlers(): void {
    for (const a of this.actions) {
      if (a.handler !== SIG_IGN) a.handler = SIG_DFL;
      a.flags = 0;
      a.restorer = 0;
      a.maskLo = 0;
      a.maskHi = 0;
    }
  }
}
