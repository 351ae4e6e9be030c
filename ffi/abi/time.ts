/**
 * Clocks and timers: clock_gettime(2), nanosleep(2), setitimer(2), timer_create(2),
 * timerfd_create(2), adjtimex(2).
 *
 * From linux/time.h, time_types.h, timex.h and timerfd.h.
 */

import { layout } from "./layout.ts";

/** Clock ids. */
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_PROCESS_CPUTIME_ID = 2;
export const CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4;
export const CLOCK_REALTIME_COARSE = 5;
export const CLOCK_MONOTONIC_COARSE = 6;
export const CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8;
export const CLOCK_BOOTTIME_ALARM = 9;
export const CLOCK_SGI_CYCLE = 10;
export const CLOCK_TAI = 11;
export const MAX_CLOCKS = 16;
export const TIMER_ABSTIME = 1;

/** Interval timers; timerfd flags. */
export const ITIMER_REAL = 0;
export const ITIMER_VIRTUAL = 1;
export const ITIMER_PROF = 2;
export const TFD_TIMER_ABSTIME = 1;
export const TFD_TIMER_CANCEL_ON_SET = 2;
export const TFD_CLOEXEC = 0x80000;
export const TFD_NONBLOCK = 0x800;
export const TFD_IOC_SET_TICKS = 0x40085400;

/** adjtimex(2). */
export const ADJ_OFFSET = 1;
export const ADJ_FREQUENCY = 2;
export const ADJ_MAXERROR = 4;
export const ADJ_ESTERROR = 8;
export const ADJ_STATUS = 0x10;
export const ADJ_TIMECONST = 0x20;
export const ADJ_TAI = 0x80;
export const ADJ_SETOFFSET = 0x100;
export const ADJ_MICRO = 0x1000;
export const ADJ_NANO = 0x2000;
export const ADJ_TICK = 0x4000;
export const ADJ_OFFSET_SINGLESHOT = 0x8001;
export const ADJ_OFFSET_SS_READ = 0xa001;
export const STA_UNSYNC = 0x40;
export const STA_NANO = 0x2000;
export const TIME_OK = 0;
export const TIME_ERROR = 5;

/** Ticks a second in times(2), acct and /proc (`USER_HZ`). */
export const USER_HZ = 100;

/** `struct timespec`: seconds and nanoseconds. */
export const Timespec = /* @__PURE__ */ layout("timespec", { sec: "i64", nsec: "i64" });

/** `struct timeval`: seconds and microseconds. */
export const Timeval = /* @__PURE__ */ layout("timeval", { sec: "i64", usec: "i64" });

/** `struct timezone`. */
export const Timezone = /* @__PURE__ */ layout("timezone", { minuteswest: "i32", dsttime: "i32" });

/** `struct itimerspec`. */
export const Itimerspec = /* @__PURE__ */ layout("itimerspec", {
  interval: Timespec,
  value: Timespec,
});

/** `struct itimerval`. */
export const Itimerval = /* @__PURE__ */ layout("itimerval", { interval: Timeval, value: Timeval });

/** `struct utimbuf` of utime(2): seconds. */
export const Utimbuf = /* @__PURE__ */ layout("utimbuf", { actime: "i64", modtime: "i64" });

/** `struct tms` of times(2): clock ticks. */
export const Tms = /* @__PURE__ */ layout("tms", {
  utime: "i64",
  stime: "i64",
  cutime: "i64",
  cstime: "i64",
});

/** `struct timex` of adjtimex(2), 208 bytes. */
export const Timex = /* @__PURE__ */ layout("timex", {
  modes: "u32",
  offset: "i64",
  freq: "i64",
  maxerror: "i64",
  esterror: "i64",
  status: "i32",
  constant: "i64",
  precision: "i64",
  tolerance: "i64",
  time: Timeval,
  tick: "i64",
  ppsfreq: "i64",
  jitter: "i64",
  shift: "i32",
  stabil: "i64",
  jitcnt: "i64",
  calcnt: "i64",
  errcnt: "i64",
  stbcnt: "i64",
  tai: "i32",
  reserved: ["i32", 11],
});
