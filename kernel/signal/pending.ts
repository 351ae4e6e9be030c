/**
 * Queued signals of a task or a process. A standard signal is pending at most once, real-time
 * signals queue in order (signal(7)). Each entry carries the siginfo_t to show.
 */

import { SIGRTMAX } from "../../ffi/abi/signal.ts";
import type { Account } from "../core/account.ts";
import { QUEUED_SIGNALS } from "../core/quota.ts";
import type { SignalSource } from "./dequeue.ts";
import { SigSet } from "./sigset.ts";

/** Numbers of signals, with 0. */
const NUMBERS = SIGRTMAX + 1;

export class SigInfo {
  signo: number;
  code: number;
  errno: number = 0;
  pid: number = 0;
  uid: number = 0;
  /** si_status of SIGCHLD, si_overrun of timers, si_fd of SIGIO. */
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
  /** si_syscall of SIGSYS. */
  syscall: number = 0;
  /** Forced by the kernel at a fault: it cannot be ignored or blocked. */
  isForced: boolean = false;
  /** Sent from outside the sandbox: SIGKILL and SIGSTOP reach even its init. */
  isFromOutside: boolean = false;
  /** The 128 bytes of rt_sigqueueinfo, which are copied out unchanged. */
  raw: Uint8Array<ArrayBuffer> | null = null;
  /** The POSIX timer that sent it. Its overrun count is taken at delivery. */
  timer: SignalSource | null = null;

  constructor(signo: number, code: number) {
    this.signo = signo;
    this.code = code;
  }
}

/** A pending signal. Several processes may share the `info`. */
export class Entry {
  readonly info: SigInfo;
  /** The next entry of the same number. */
  next: Entry | null = null;
  /** Neighbours in order of arrival. */
  before: Entry | null = null;
  after: Entry | null = null;

  constructor(info: SigInfo) {
    this.info = info;
  }
}

/**
 * One list for each number, and one for all: a signal is taken without a look at the others, of
 * which there may be 20,000.
 */
export class PendingSignals {
  /** The account that pending signals are charged to. */
  readonly account: Account;
  /** The numbers that are pending. */
  readonly set: SigSet = new SigSet();
  /** Number of entries. */
  count: number = 0;
  private oldest: Entry | null = null;
  private latest: Entry | null = null;
  /** First entries by number; the array is made with the first signal. */
  private heads: (Entry | null)[] = [];
  private tails: (Entry | null)[] = [];

  constructor(account: Account) {
    this.account = account;
  }

  /** False when a standard signal is already pending (each POSIX timer has a slot of its own). */
  push(info: SigInfo): boolean {
    const { signo } = info;
    if (signo < 32 && info.timer === null && this.set.has(signo)) return false;
    if (this.heads.length === 0) {
      this.heads = new Array<Entry | null>(NUMBERS).fill(null);
      this.tails = this.heads.slice();
    }
    const entry = new Entry(info), last = this.tails[signo]!;
    if (last === null) this.heads[signo] = entry;
    else last.next = entry;
    this.tails[signo] = entry;
    entry.before = this.latest;
    if (this.latest === null) this.oldest = entry;
    else this.latest.after = entry;
    this.latest = entry;
    this.set.add(signo);
    this.count++;
    QUEUED_SIGNALS.add(1, this.account);
    return true;
  }

  /** The oldest entry of `sig`, without removing it. */
  first(sig: number): SigInfo | null {
    return this.heads[sig]?.info ?? null;
  }

  /** Takes the oldest entry of `sig`. */
  take(sig: number): SigInfo | null {
    const entry = this.heads[sig] ?? null;
    if (entry === null) return null;
    this.remove(entry, null);
    return entry.info;
  }

  /** Up to `most` entries in order of arrival, behind the first `from`, without removing them. */
  peek(from: number, most: number): SigInfo[] {
    const found: SigInfo[] = [];
    let entry = this.oldest;
    for (let i = 0; entry !== null && i < from; i++) entry = entry.after;
    for (; entry !== null && found.length < most; entry = entry.after) found.push(entry.info);
    return found;
  }

  /** Removes all entries of `sig`. */
  discard(sig: number): void {
    this.dropThose(sig, () => true);
  }

  /** Removes all entries, because no task is left to take them. */
  clear(): void {
    QUEUED_SIGNALS.give(this.count, this.account);
    this.count = 0;
    this.oldest = this.latest = null;
    this.heads = this.tails = [];
    this.set.set(0, 0);
  }

  /** Removes the entries of `timer`; null: of all timers. */
  discardOf(timer: SignalSource | null): void {
    const isGone = (info: SigInfo): boolean =>
      timer === null ? info.timer !== null : info.timer === timer;
    for (let sig = 1; sig < this.heads.length; sig++) this.dropThose(sig, isGone);
  }

  private dropThose(sig: number, isGone: (info: SigInfo) => boolean): void {
    let previous: Entry | null = null;
    for (let entry = this.heads[sig] ?? null; entry !== null; entry = entry.next) {
      if (isGone(entry.info)) this.remove(entry, previous);
      else previous = entry;
    }
  }

  /** @param previous the entry of the same number before it */
  private remove(entry: Entry, previous: Entry | null): void {
    const { info: { signo }, next, before, after } = entry;
    if (previous === null) this.heads[signo] = next;
    else previous.next = next;
    if (next === null) this.tails[signo] = previous;
    if (before === null) this.oldest = after;
    else before.after = after;
    if (after === null) this.latest = before;
    else after.before = before;
    if (this.heads[signo] === null) this.set.remove(signo);
    this.count--;
    QUEUED_SIGNALS.give(1, this.account);
  }
}
