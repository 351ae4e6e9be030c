/**
 * `siginfo_t`, its codes, and `struct sigevent`.
 *
 * From asm-generic/siginfo.h. One layout for each arm of the union; all begin with signo, errno,
 * code.
 */

import { layout } from "./layout.ts";

/** Codes of any signal. */
export const SI_USER = 0;
export const SI_KERNEL = 128;
export const SI_QUEUE = -1;
export const SI_TIMER = -2;
export const SI_MESGQ = -3;
export const SI_ASYNCIO = -4;
export const SI_SIGIO = -5;
export const SI_TKILL = -6;
export const SI_DETHREAD = -7;
export const SI_ASYNCNL = -60;

/** SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGCHLD, SIGPOLL, SIGSYS. */
export const ILL_ILLOPC = 1;
export const ILL_ILLOPN = 2;
export const ILL_ILLADR = 3;
export const ILL_ILLTRP = 4;
export const ILL_PRVOPC = 5;
export const ILL_PRVREG = 6;
export const ILL_COPROC = 7;
export const ILL_BADSTK = 8;
export const FPE_INTDIV = 1;
export const FPE_INTOVF = 2;
export const FPE_FLTDIV = 3;
export const FPE_FLTOVF = 4;
export const FPE_FLTUND = 5;
export const FPE_FLTRES = 6;
export const FPE_FLTINV = 7;
export const FPE_FLTSUB = 8;
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const SEGV_BNDERR = 3;
export const SEGV_PKUERR = 4;
export const BUS_ADRALN = 1;
export const BUS_ADRERR = 2;
export const BUS_OBJERR = 3;
export const BUS_MCEERR_AR = 4;
export const BUS_MCEERR_AO = 5;
export const TRAP_BRKPT = 1;
export const TRAP_TRACE = 2;
export const TRAP_BRANCH = 3;
export const TRAP_HWBKPT = 4;
export const TRAP_UNK = 5;
export const TRAP_PERF = 6;
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_TRAPPED = 4;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;
export const POLL_IN = 1;
export const POLL_OUT = 2;
export const POLL_MSG = 3;
export const POLL_ERR = 4;
export const POLL_PRI = 5;
export const POLL_HUP = 6;
export const SYS_SECCOMP = 1;
export const SYS_USER_DISPATCH = 2;

/** `sigev_notify`. */
export const SIGEV_SIGNAL = 0;
export const SIGEV_NONE = 1;
export const SIGEV_THREAD = 2;
export const SIGEV_THREAD_ID = 4;

/** Size in bytes of `siginfo_t`, whatever the arm. */
export const SI_MAX_SIZE = 128;

const head = { signo: "i32", errno: "i32", code: "i32", pad: "i32" } as const;

/** kill, tkill, sigqueue (`_rt`), message queues: sender and value. */
export const SiginfoRt = /* @__PURE__ */ layout("siginfo_rt", {
  ...head,
  pid: "i32",
  uid: "u32",
  value: "u64",
});

/** POSIX timers. */
export const SiginfoTimer = /* @__PURE__ */ layout("siginfo_timer", {
  ...head,
  tid: "i32",
  overrun: "i32",
  value: "u64",
  sysPrivate: "i32",
});

/** SIGCHLD. Times in clock ticks. */
export const SiginfoChld = /* @__PURE__ */ layout("siginfo_chld", {
  ...head,
  pid: "i32",
  uid: "u32",
  status: "i32",
  utime: "i64",
  stime: "i64",
});

/** SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP. */
export const SiginfoFault = /* @__PURE__ */ layout("siginfo_fault", {
  ...head,
  addr: "ptr",
  addrLsb: "i16",
  lower: "ptr",
  upper: "ptr",
});

/** `si_pkey` for SEGV_PKUERR. */
export const SiginfoPkey = /* @__PURE__ */ layout("siginfo_pkey", {
  ...head,
  addr: "ptr",
  lsb: "i16",
  pkey: ["u64", 1],
});

/** SIGIO. */
export const SiginfoPoll = /* @__PURE__ */ layout("siginfo_poll", {
  ...head,
  band: "i64",
  fd: "i32",
});

/** SIGSYS. */
export const SiginfoSys = /* @__PURE__ */ layout("siginfo_sys", {
  ...head,
  callAddr: "ptr",
  syscall: "i32",
  arch: "u32",
});

/** `struct sigevent`, 64 bytes. */
export const Sigevent = /* @__PURE__ */ layout("sigevent", {
  value: "u64",
  signo: "i32",
  notify: "i32",
  tid: "i32",
  pad: ["i32", 11],
});
