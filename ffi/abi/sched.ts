/**
 * Making tasks and scheduling them: clone(2), clone3(2), unshare(2), sched_setscheduler(2),
 * sched_setattr(2).
 *
 * From linux/sched.h and linux/sched/types.h. Priorities of setpriority(2) are in resource.ts.
 */

import { layout } from "./layout.ts";

/** Flags of clone(2); the low byte is the exit signal. */
export const CSIGNAL = 0xff;
export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_PTRACE = 0x2000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_DETACHED = 0x400000;
export const CLONE_UNTRACED = 0x800000;
export const CLONE_CHILD_SETTID = 0x1000000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_IO = 0x80000000;

/** Only in clone3(2); CLONE_NEWTIME is in the exit signal byte. */
export const CLONE_CLEAR_SIGHAND = 0x100000000;
export const CLONE_INTO_CGROUP = 0x200000000;
export const CLONE_NEWTIME = 0x80;

/** Policies and flags. */
export const SCHED_NORMAL = 0;
export const SCHED_FIFO = 1;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;
export const SCHED_IDLE = 5;
export const SCHED_DEADLINE = 6;
export const SCHED_RESET_ON_FORK = 0x40000000;
export const SCHED_FLAG_RESET_ON_FORK = 1;
/** The policy of a scheduler that is loaded as programs: CONFIG_SCHED_CLASS_EXT. */
export const SCHED_EXT = 7;
export const SCHED_FLAG_RECLAIM = 2;
export const SCHED_FLAG_DL_OVERRUN = 4;
export const SCHED_FLAG_KEEP_POLICY = 8;
export const SCHED_FLAG_KEEP_PARAMS = 0x10;
export const SCHED_FLAG_UTIL_CLAMP_MIN = 0x20;
export const SCHED_FLAG_UTIL_CLAMP_MAX = 0x40;
export const SCHED_FLAG_ALL = 0x7f;

/** Sizes. */
export const CLONE_ARGS_SIZE_VER0 = 64;
export const CLONE_ARGS_SIZE_VER1 = 80;
export const CLONE_ARGS_SIZE_VER2 = 88;
export const SCHED_ATTR_SIZE_VER0 = 48;
export const SCHED_ATTR_SIZE_VER1 = 56;

/** `struct clone_args` of clone3(2), version 2. */
export const CloneArgs = /* @__PURE__ */ layout("clone_args", {
  flags: "u64",
  pidfd: "u64",
  childTid: "u64",
  parentTid: "u64",
  exitSignal: "u64",
  stack: "u64",
  stackSize: "u64",
  tls: "u64",
  setTid: "u64",
  setTidSize: "u64",
  cgroup: "u64",
});

/** `struct sched_attr`, version 1. Times in nanoseconds. */
export const SchedAttr = /* @__PURE__ */ layout("sched_attr", {
  size: "u32",
  schedPolicy: "u32",
  schedFlags: "u64",
  schedNice: "i32",
  schedPriority: "u32",
  schedRuntime: "u64",
  schedDeadline: "u64",
  schedPeriod: "u64",
  schedUtilMin: "u32",
  schedUtilMax: "u32",
});

/** `struct sched_param`. */
export const SchedParam = /* @__PURE__ */ layout("sched_param", { priority: "i32" });
