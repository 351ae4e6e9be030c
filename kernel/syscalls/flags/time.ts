/**
 * The supported flags, commands and options of calls on time, with the guest test of each. See
 * flag_set.ts.
 */

import { each, type FlagSet, flagSet } from "./flag_set.ts";

export const TIME_FLAGS: readonly FlagSet[] = [
  flagSet("clock_gettime clock_getres clock_nanosleep timerfd_create timer_create", "clockid", [
    each(
      "flags_time.clocks",
      `CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID
CLOCK_MONOTONIC_RAW CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME
CLOCK_REALTIME_ALARM CLOCK_BOOTTIME_ALARM CLOCK_SGI_CYCLE CLOCK_TAI`,
    ),
  ]),
  flagSet("clock_nanosleep", "flags", [
    each("flags_time.sleeps", "0 TIMER_ABSTIME"),
  ]),
  flagSet("timer_create", "sigev_notify", [
    each("flags_time.timer_notices", "SIGEV_SIGNAL SIGEV_NONE SIGEV_THREAD SIGEV_THREAD_ID"),
  ]),
  flagSet("timer_settime", "flags", [
    each("flags_time.timers", "0 TIMER_ABSTIME"),
  ]),
  flagSet("timerfd_create", "flags", [
    each("flags_time.timer_descriptors", "TFD_NONBLOCK TFD_CLOEXEC"),
  ]),
  flagSet("timerfd_settime", "flags", [
    each("flags_time.timer_descriptor_times", "TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET"),
  ]),
  flagSet("setitimer getitimer", "which", [
    each("flags_time.interval_timers", "ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF"),
  ]),
  flagSet("adjtimex clock_adjtime", "modes", [
    each("flags_time.adjusts", "0 ADJ_OFFSET_SS_READ"),
  ]),
];
