/**
 * Limits, usage and priorities: getrlimit(2), prlimit(2), getrusage(2), setpriority(2),
 * ioprio_set(2).
 *
 * From asm-generic/resource.h, linux/resource.h and linux/ioprio.h.
 */

import { layout } from "./layout.ts";
import { Timeval } from "./time.ts";

/** Resources. */
export const RLIMIT_CPU = 0;
export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_RSS = 5;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9;
export const RLIMIT_LOCKS = 10;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13;
export const RLIMIT_RTPRIO = 14;
export const RLIMIT_RTTIME = 15;
export const RLIM_NLIMITS = 16;

/**
 * No limit. In memory all 64 bits are ones; read as `lo + hi * 2 ** 32` that rounds to exactly this
 * number.
 */
export const RLIM_INFINITY = 2 ** 64;

/** Subjects of getrusage(2); subjects of getpriority(2). */
export const RUSAGE_SELF = 0;
export const RUSAGE_CHILDREN = -1;
export const RUSAGE_BOTH = -2;
export const RUSAGE_THREAD = 1;
export const PRIO_MIN = -20;
export const PRIO_MAX = 20;
export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;
export const PRIO_USER = 2;

/** I/O priorities. */
export const IOPRIO_CLASS_SHIFT = 13;
export const IOPRIO_CLASS_NONE = 0;
export const IOPRIO_CLASS_RT = 1;
export const IOPRIO_CLASS_BE = 2;
export const IOPRIO_CLASS_IDLE = 3;
export const IOPRIO_WHO_PROCESS = 1;
export const IOPRIO_WHO_PGRP = 2;
export const IOPRIO_WHO_USER = 3;

/** `struct rlimit` and `struct rlimit64`. */
export const Rlimit = /* @__PURE__ */ layout("rlimit64", { cur: "u64", max: "u64" });

/** `struct rusage`, 144 bytes; `maxrss` in KiB. */
export const Rusage = /* @__PURE__ */ layout("rusage", {
  utime: Timeval,
  stime: Timeval,
  maxrss: "i64",
  ixrss: "i64",
  idrss: "i64",
  isrss: "i64",
  minflt: "i64",
  majflt: "i64",
  nswap: "i64",
  inblock: "i64",
  oublock: "i64",
  msgsnd: "i64",
  msgrcv: "i64",
  nsignals: "i64",
  nvcsw: "i64",
  nivcsw: "i64",
});
