/**
 * The supported flags, commands and options of processes and scheduling, with the
 * guest test of each. See flag_set.ts.
 */

import { by, each, type FlagSet, flagSet, inPart, refused } from "./flag_set.ts";

export const PROCESSES_FLAGS: readonly FlagSet[] = [
  flagSet("prctl", "option", [
    each(
      "flags_processes.options",
      `PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_KEEPCAPS
PR_SET_KEEPCAPS PR_GET_TIMING PR_SET_TIMING PR_SET_NAME PR_GET_SECCOMP PR_SET_SECCOMP
PR_CAPBSET_READ PR_CAPBSET_DROP PR_GET_TSC PR_SET_TSC PR_GET_SECUREBITS PR_SET_TIMERSLACK
PR_GET_TIMERSLACK PR_TASK_PERF_EVENTS_DISABLE PR_TASK_PERF_EVENTS_ENABLE PR_MCE_KILL_GET
PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS
PR_GET_TID_ADDRESS PR_GET_THP_DISABLE PR_CAP_AMBIENT PR_GET_SPECULATION_CTRL
PR_SET_SPECULATION_CTRL PR_SET_IO_FLUSHER PR_GET_IO_FLUSHER PR_SET_SYSCALL_USER_DISPATCH
PR_GET_MDWE PR_SET_PTRACER`,
    ),
    refused(
      "EINVAL",
      "flags_processes.options",
      `PR_GET_UNALIGN PR_SET_UNALIGN PR_GET_FPEMU PR_SET_FPEMU PR_GET_FPEXC PR_SET_FPEXC
PR_GET_ENDIAN PR_SET_ENDIAN PR_MPX_ENABLE_MANAGEMENT PR_MPX_DISABLE_MANAGEMENT
PR_SET_FP_MODE PR_GET_FP_MODE PR_SVE_SET_VL PR_SVE_GET_VL PR_PAC_RESET_KEYS
PR_SET_TAGGED_ADDR_CTRL PR_GET_TAGGED_ADDR_CTRL PR_PAC_SET_ENABLED_KEYS
PR_PAC_GET_ENABLED_KEYS PR_SCHED_CORE PR_SME_SET_VL PR_SME_GET_VL PR_RISCV_V_SET_CONTROL
PR_RISCV_V_GET_CONTROL PR_PPC_GET_DEXCR PR_PPC_SET_DEXCR`,
    ),
    refused("EFAULT", "flags_processes.options", "PR_GET_NAME"),
    inPart(
      "PR_SET_SECUREBITS PR_SET_MM PR_SET_MEMORY_MERGE PR_GET_MEMORY_MERGE",
    ),
    by("memory_names.names_of_memory", "PR_SET_VMA"),
    by("thread_attributes.memory_errors", "PR_MCE_KILL"),
    by("thread_attributes.huge_pages_are_switched_off", "PR_SET_THP_DISABLE"),
    by("thread_attributes.memory_is_written_or_run", "PR_SET_MDWE"),
    by("thread_attributes.auxiliary_vector", "PR_GET_AUXV"),
  ]),
  flagSet("arch_prctl", "code", [
    each("flags_processes.arch_codes", "ARCH_GET_FS ARCH_SET_FS ARCH_SET_GS ARCH_GET_GS"),
    each(
      "flags_processes.arch_codes",
      "ARCH_GET_XCOMP_SUPP ARCH_GET_XCOMP_PERM ARCH_GET_XCOMP_GUEST_PERM",
    ),
    refused(
      "EOPNOTSUPP",
      "flags_processes.arch_codes",
      "ARCH_REQ_XCOMP_PERM ARCH_REQ_XCOMP_GUEST_PERM",
    ),
  ]),
  flagSet("clone", "flags", [
    each(
      "flags_processes.clones",
      `CLONE_FS CLONE_FILES CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT CLONE_NEWNS
CLONE_SYSVSEM CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_DETACHED CLONE_UNTRACED
CLONE_CHILD_SETTID CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID
CLONE_NEWNET CLONE_IO`,
    ),
    refused("EINVAL", "flags_processes.clones", "CLONE_VM CLONE_SIGHAND CLONE_THREAD"),
  ]),
  flagSet("clone3", "flags", [
    each("flags_processes.clone3_flags", "CLONE_CLEAR_SIGHAND"),
    refused("EBADF", "flags_processes.clone3_flags", "CLONE_INTO_CGROUP"),
    refused("EINVAL", "flags_processes.clone3_flags", "CLONE_DETACHED"),
  ]),
  flagSet("unshare", "flags", [
    each(
      "flags_processes.unshares",
      `CLONE_FS CLONE_FILES CLONE_SYSVSEM CLONE_NEWNS CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER
CLONE_NEWPID CLONE_NEWNET CLONE_NEWCGROUP CLONE_NEWTIME CLONE_THREAD CLONE_SIGHAND
CLONE_VM`,
    ),
  ]),
  flagSet("waitid wait4", "options", [
    each(
      "flags_processes.waits",
      `WEXITED WSTOPPED WCONTINUED WNOHANG WNOWAIT __WALL __WCLONE __WNOTHREAD`,
    ),
  ]),
  flagSet("waitid", "idtype", [
    each("flags_processes.wait_kinds", "P_ALL P_PID P_PGID P_PIDFD"),
  ]),
  flagSet("getrlimit setrlimit prlimit64", "resource", [
    each(
      "flags_processes.limits",
      `RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC
RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE
RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME`,
    ),
  ]),
  flagSet("getrusage", "who", [
    each("flags_processes.usages", "RUSAGE_SELF RUSAGE_CHILDREN RUSAGE_THREAD"),
    refused("EINVAL", "flags_processes.usages", "RUSAGE_BOTH"),
  ]),
  flagSet("sched_setscheduler sched_setparam", "policy", [
    each(
      "flags_processes.policies",
      `SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE SCHED_DEADLINE SCHED_RESET_ON_FORK`,
    ),
  ]),
  flagSet("sched_setattr", "flags", [
    each(
      "flags_processes.scheduling_flags",
      `SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN SCHED_FLAG_KEEP_POLICY
SCHED_FLAG_KEEP_PARAMS`,
    ),
  ]),
  flagSet("sched_get_priority_max sched_get_priority_min", "policy", [
    each(
      "flags_processes.priorities",
      "SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE SCHED_DEADLINE",
    ),
  ]),
  flagSet("getpriority setpriority", "which", [
    each("flags_processes.priority_kinds", "PRIO_PROCESS PRIO_PGRP"),
    refused("ESRCH", "flags_processes.priority_kinds", "PRIO_USER"),
  ]),
  flagSet("ioprio_set ioprio_get", "which", [
    each("flags_processes.io_priorities", "IOPRIO_WHO_PROCESS IOPRIO_WHO_PGRP"),
    refused("ESRCH", "flags_processes.io_priorities", "IOPRIO_WHO_USER"),
  ]),
  flagSet("pidfd_open", "flags", [
    each("flags_processes.pidfds", "PIDFD_NONBLOCK PIDFD_THREAD"),
  ]),
  flagSet("kcmp", "type", [
    each(
      "flags_processes.compares",
      `KCMP_FILE KCMP_VM KCMP_FILES KCMP_FS KCMP_SIGHAND KCMP_IO KCMP_SYSVSEM`,
    ),
    inPart("KCMP_EPOLL_TFD"),
  ]),
];
