/** The rows of signal calls. */

import { type Row, row } from "../../syscalls/table.ts";
import * as actions from "./actions.ts";
import * as send from "./send.ts";
import * as signalfd from "./signalfd.ts";
import * as wait from "./wait.ts";

export const rows: readonly Row[] = [
  row("rt_sigaction", actions.sysRtSigaction, "sig sigaction ptr size"),
  row("rt_sigprocmask", actions.sysRtSigprocmask, "int sigset ptr size"),
  row("rt_sigreturn", actions.sysRtSigreturn, "", { needsFull: true }),
  row("rt_sigpending", actions.sysRtSigpending, "ptr size"),
  row("sigaltstack", actions.sysSigaltstack, "ptr ptr"),
  row("restart_syscall", actions.sysRestartSyscall, "", {
    support: "refused",
    note: "EINTR: restarts are made inside the kernel",
  }),

  row("kill", send.sysKill, "pid sig"),
  row("tkill", send.sysTkill, "pid sig"),
  row("tgkill", send.sysTgkill, "pid pid sig"),
  row("rt_sigqueueinfo", send.sysRtSigqueueinfo, "pid sig ptr"),
  row("rt_tgsigqueueinfo", send.sysRtTgsigqueueinfo, "pid pid sig ptr"),
  row("pidfd_send_signal", send.sysPidfdSendSignal, "fd sig ptr hex"),

  row("signalfd", signalfd.sysSignalfd, "fd sigset size"),
  row("signalfd4", signalfd.sysSignalfd4, "fd sigset size hex"),

  row("pause", wait.sysPause, "", { restart: "nohand" }),
  row("rt_sigsuspend", wait.sysRtSigsuspend, "sigset size", { restart: "nohand" }),
  row("rt_sigtimedwait", wait.sysRtSigtimedwait, "sigset ptr timespec size", {
    restart: "eintr",
  }),
];
