/** Sets of signals (signal(7)). A set is two u32 words: signal n is bit n-1. */

import {
  SIGABRT,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGQUIT,
  SIGRTMIN,
  SIGSEGV,
  SIGSTOP,
  SIGSYS,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
  SIGXCPU,
  SIGXFSZ,
} from "../../ffi/abi/signal.ts";

export class SigSet {
  lo: number = 0;
  hi: number = 0;

  has(sig: number): boolean {
    return sig <= 32 ? ((this.lo >>> (sig - 1)) & 1) === 1 : ((this.hi >>> (sig - 33)) & 1) === 1;
  }
  add(sig: number): void {
    if (sig <= 32) this.lo = (this.lo | (1 << (sig - 1))) >>> 0;
    else this.hi = (this.hi | (1 << (sig - 33))) >>> 0;
  }
  remove(sig: number): void {
    if (sig <= 32) this.lo = (this.lo & ~(1 << (sig - 1))) >>> 0;
    else this.hi = (this.hi & ~(1 << (sig - 33))) >>> 0;
  }
  set(lo: number, hi: number): void {
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
  }
  copy(o: SigSet): void {
    this.lo = o.lo;
    this.hi = o.hi;
  }
  get isEmpty(): boolean {
    return (this.lo | this.hi) === 0;
  }
}

function bits(...signals: number[]): number {
  let word = 0;
  for (const sig of signals) word |= 1 << (sig - 1);
  return word >>> 0;
}

/** SIGKILL and SIGSTOP as bits of the low word: they can be neither blocked nor caught. */
export const UNBLOCKABLE_LO = bits(SIGKILL, SIGSTOP);
/** Signals that the processor raises. They are delivered before others. */
export const SYNCHRONOUS_LO = bits(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);
const STOP_LO = bits(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
const IGNORED_LO = bits(SIGCONT, SIGCHLD, SIGWINCH, SIGURG);
const CORE_LO = SYNCHRONOUS_LO | bits(SIGQUIT, SIGABRT, SIGXCPU, SIGXFSZ);

/** Default actions: signal(7). */
export const ACTION_TERMINATE = 0, ACTION_CORE = 1, ACTION_IGNORE = 2, ACTION_STOP = 3;

/** The default action of a signal, ACTION_* (signal(7), "Standard signals"). */
export function defaultActionOf(sig: number): number {
  if (sig >= SIGRTMIN) return ACTION_TERMINATE;
  const bit = 1 << (sig - 1);
  if ((bit & IGNORED_LO) !== 0) return ACTION_IGNORE;
  if ((bit & STOP_LO) !== 0) return ACTION_STOP;
  return (bit & CORE_LO) !== 0 ? ACTION_CORE : ACTION_TERMINATE;
}
