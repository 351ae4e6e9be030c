/**
 * Signals: numbers, sigaction(2), sigprocmask(2), sigaltstack(2).
 *
 * From arch/x86/include/uapi/asm/signal.h. What a handler receives is in siginfo.ts and
 * ucontext.ts.
 */

import { layout } from "./layout.ts";

/** Numbers. */
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGIOT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGSTKFLT = 16;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGPOLL = 29;
export const SIGPWR = 30;
export const SIGSYS = 31;
export const SIGRTMIN = 32;

/** The last real-time signal; the kernel's `_NSIG`. */
export const SIGRTMAX = 64;
export const NSIG = 64;

const NAMES =
  `- HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT
STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS`.split(/\s+/);

/**
 * `"SIGINT"`, `"SIGRT_3"` for SIGRTMIN + 3 as strace prints it, `"SIG_99"` for an invalid number.
 */
export function signalName(signo: number): string {
  if (signo >= SIGRTMIN && signo <= SIGRTMAX) return `SIGRT_${signo - SIGRTMIN}`;
  const name = NAMES[signo];
  return name === undefined || signo === 0 ? `SIG_${signo}` : `SIG${name}`;
}

/** `sa_flags`. */
export const SA_NOCLDSTOP = 1;
export const SA_NOCLDWAIT = 2;
export const SA_SIGINFO = 4;
export const SA_UNSUPPORTED = 0x400;
export const SA_EXPOSE_TAGBITS = 0x800;
export const SA_RESTORER = 0x4000000;
export const SA_ONSTACK = 0x8000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;
export const SA_NOMASK = 0x40000000;
export const SA_ONESHOT = 0x80000000;

/** `how` of sigprocmask(2). */
export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

/** Handler values with a special meaning. */
export const SIG_DFL = 0;
export const SIG_IGN = 1;

/** Alternate stacks. */
export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x80000000;
export const SS_FLAG_BITS = 0x80000000;
export const MINSIGSTKSZ = 0x800;
export const SIGSTKSZ = 0x2000;

/** Bytes of the only signal set size that the rt_ calls accept. */
export const SIGSET_SIZE = 8;

/** The kernel's `struct sigaction` (not glibc's), as rt_sigaction(2) takes it. */
export const Sigaction = /* @__PURE__ */ layout("sigaction", {
  handler: "ptr",
  flags: "u64",
  restorer: "ptr",
  mask: "u64",
});

/** `stack_t` of sigaltstack(2). */
export const StackT = /* @__PURE__ */ layout("stack_t", { sp: "ptr", flags: "i32", size: "u64" });

/** The sixth argument of pselect6(2). */
export const SigsetArgpack = /* @__PURE__ */ layout("sigset_argpack", { p: "ptr", size: "u64" });
