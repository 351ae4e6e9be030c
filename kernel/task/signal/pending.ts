/**
 * Queued signals of a task or a process. Standard signals are held once, real-time signals queue in order
 * (signal(7)); each carries what siginfo_t will show.
 */

import type { Account } from "../../core/account.ts";
import { QUEUED_SIGNALS } from "../../core/quota.ts";
import type { SignalSource } from "./dequeue.ts";
import { SigSet } from "./sigset.ts";

/** What si_code says of the sender, and so which union members of siginfo_t are meant. */
export const SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_MESGQ = -3;
export const SI_ASYNCIO = -4, SI_SIGIO = -5, SI_TKILL = -6;

export class SigInfo {
  signo: number;
  code: number;
  errno: number = 0;
  pid: number = 0;
  uid: number = 0;
  /** si_status of SIGCHLD, si_overrun of timers, si_band's fd of SIGIO. */
  status: number = 0;
  utimeTicks: number = 0;
  stimeTicks: number = 0;
  /** si_addr of faults, call address of SIGSYS. */
  addr: number = 0;
  /** sigval as two words. */
  valueLo: number = 0;
  valueHi: number = 0;
  timerId: number = 0;
  band: number = 0;
  fd: number = 0;
  /** si_call's number of SIGSYS. */
  syscall: number = 0;
  /** Forced by the kernel at a fault: cannot be ignored or blocked. */
  isForced: boolean = false;
  /** Sent from outside of the sandbox: SIGKILL and SIGSTOP reach even its init. */
  isFromOutside: boolean = false;
  /** The 128 bytes that rt_sigqueueinfo gave; copied out as they are. */
  raw: Uint8Array<ArrayBuffer> | null = null;
  /** POSIX timer that sent it (its overrun count is taken at delivery). */
  timer: SignalSource | null = null;

  constructor(signo: number, code: number) {
    this.signo = signo;
    this.code = code;
  }
}

export class PendingSignals {
  /** What it is charged to. */
  readonly account: Account;
  /** Which signals are in `queue`. */
  readonly set: SigSet = new SigSet();
  readonly queue: SigInfo[] = [];

  constructor(account: Account) {
    this.account = account;
  }

  /** False when a standard signal is pending already (each POSIX timer has a place of its own). */
  push(info: SigInfo): boolean {
    if (info.signo < 32 && info.timer === null && this.set.has(info.signo)) return false;
    this.set.add(info.signo);
    this.queue.push(info);
    QUEUED_SIGNALS.add(1, this.account);
    return true;
  }

  /** Take the first entry of `sig`. */
  take(sig: number): SigInfo | null {
    const info = this.queue.find((q) => q.signo === sig);
    return info === undefined ? null : this.takeExactly(info);
  }

  /** Take this entry, which is in the queue. */
  takeExactly(info: SigInfo): SigInfo {
    this.queue.splice(this.queue.indexOf(info), 1);
    QUEUED_SIGNALS.give(1, this.account);
    if (!this.queue.some((q) => q.signo === info.signo)) this.set.remove(info.signo);
    return info;
  }

  /** Drop every entry of `sig`. */
  discard(sig: number): void {
    if (!this.set.has(sig)) return;
    this.dropThose((info) => info.signo === sig);
  }

  /** Nobody is left to take any. */
  clear(): void {
    QUEUED_SIGNALS.give(this.queue.length, this.account);
    this.queue.length = 0;
    this.set.set(0, 0);
  }

  /** Drop what `timer` sent; null: what all of them did. */
  discardOf(timer: SignalSource | null): void {
    this.dropThose((info) => timer === null ? info.timer !== null : info.timer === timer);
  }

  private dropThose(isGone: (info: SigInfo) => boolean): void {
    let kept = 0;
    for (const info of this.queue) {
      if (isGone(info)) this.set.remove(info.signo);
      else this.queue[kept++] = info;
    }
    QUEUED_SIGNALS.give(this.queue.length - kept, this.account);
    this.queue.length = kept;
    for (const { signo } of this.queue) this.set.add(signo);
  }
}
