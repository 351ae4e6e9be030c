/** The rows of processes, their ids and credentials. */

import { type Row, row } from "../table.ts";
import { sysArchPrctl } from "./arch_prctl.ts";
import * as capabilities from "./capabilities.ts";
import * as clone from "./clone.ts";
import * as credentials from "./credentials.ts";
import * as exec from "./exec.ts";
import * as exit from "./exit.ts";
import * as ids from "./ids.ts";
import * as pidfd from "./pidfd.ts";
import { sysPrctl } from "./prctl.ts";
import * as sharing from "./unshare.ts";
import * as wait from "./wait.ts";

export const rows: readonly Row[] = [
  row("clone", clone.sysClone, "cloneflags ptr ptr ptr ptr", {
    needsFull: true,
  }),
  row("clone3", clone.sysClone3, "ptr size", { needsFull: true }),
  row("fork", clone.sysFork, "", { needsFull: true }),
  row("vfork", clone.sysVfork, "", { needsFull: true }),
  row("execve", exec.sysExecve, "path argv argv"),
  row("execveat", exec.sysExecveat, "dirfd path argv argv hex"),
  row("exit", exit.sysExit, "int"),
  row("exit_group", exit.sysExitGroup, "int"),
  row("wait4", wait.sysWait4, "pid ptr hex ptr"),
  row("waitid", wait.sysWaitid, "int pid ptr hex ptr"),

  row("getpid", ids.sysGetpid, ""),
  row("gettid", ids.sysGettid, ""),
  row("getppid", ids.sysGetppid, ""),
  row("getpgrp", ids.sysGetpgrp, ""),
  row("getpgid", ids.sysGetpgid, "pid"),
  row("setpgid", ids.sysSetpgid, "pid pid"),
  row("getsid", ids.sysGetsid, "pid"),
  row("setsid", ids.sysSetsid, ""),
  row("set_tid_address", ids.sysSetTidAddress, "ptr"),
  row("pidfd_open", pidfd.sysPidfdOpen, "pid hex"),
  row("pidfd_getfd", pidfd.sysPidfdGetfd, "fd fd hex"),

  row("prctl", sysPrctl, "int hex hex hex hex", {
    support: "partial",
    note:
      "no PR_SCHED_CORE, PR_SET_MEMORY_MERGE: EINVAL, as without their options; PR_TSC_SIGSEGV is EINVAL",
  }),
  row("arch_prctl", sysArchPrctl, "int ptr", {
    needsFull: true,
    support: "partial",
    note: "no CPUID faulting; of vector state, no AMX",
  }),
  row("unshare", sharing.sysUnshare, "cloneflags"),
  row("setns", sharing.sysSetns, "fd cloneflags"),
  row("kcmp", sharing.sysKcmp, "pid pid int ulong ulong"),

  row("getuid", credentials.sysGetuid, ""),
  row("geteuid", credentials.sysGeteuid, ""),
  row("getgid", credentials.sysGetgid, ""),
  row("getegid", credentials.sysGetegid, ""),
  row("setuid", credentials.sysSetuid, "uid"),
  row("setgid", credentials.sysSetgid, "uid"),
  row("setreuid", credentials.sysSetreuid, "uid uid"),
  row("setregid", credentials.sysSetregid, "uid uid"),
  row("setresuid", credentials.sysSetresuid, "uid uid uid"),
  row("setresgid", credentials.sysSetresgid, "uid uid uid"),
  row("getresuid", credentials.sysGetresuid, "ptr ptr ptr"),
  row("getresgid", credentials.sysGetresgid, "ptr ptr ptr"),
  row("setfsuid", credentials.sysSetfsuid, "uid"),
  row("setfsgid", credentials.sysSetfsgid, "uid"),
  row("getgroups", credentials.sysGetgroups, "int ptr"),
  row("setgroups", credentials.sysSetgroups, "int ptr"),
  row("capget", capabilities.sysCapget, "ptr ptr"),
  row("capset", capabilities.sysCapset, "ptr ptr"),
];
