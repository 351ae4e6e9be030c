/** The rows of clocks and timers. */

import { type Row, row } from "../table.ts";
import * as clocks from "./clocks.ts";
import * as itimers from "./itimers.ts";
import * as timers from "./posix_timers.ts";
import * as sleep from "./sleep.ts";

const HOST_CLOCK = "the clock is the host's: EPERM";
const CPU_NOTE = "CPU clocks are estimates, bounded by what the host used";

export const rows: readonly Row[] = [
  row("clock_gettime", clocks.sysClockGettime, "clock ptr", {
    support: "partial",
    note: `${CPU_NOTE}; no clocks of devices`,
  }),
  row("clock_getres", clocks.sysClockGetres, "clock ptr"),
  row("clock_settime", clocks.sysClockSettime, "clock timespec", {
    support: "refused",
    note: HOST_CLOCK,
  }),
  row("gettimeofday", clocks.sysGettimeofday, "ptr ptr"),
  row("settimeofday", clocks.sysSettimeofday, "ptr ptr", {
    support: "refused",
    note: HOST_CLOCK,
  }),
  row("time", clocks.sysTime, "ptr"),
  row("adjtimex", clocks.sysAdjtimex, "ptr", {
    support: "partial",
    note: "reads the state; changes are EPERM",
  }),
  row("clock_adjtime", clocks.sysClockAdjtime, "clock ptr", {
    support: "partial",
    note: "reads the state; changes are EPERM",
  }),

  row("nanosleep", sleep.sysNanosleep, "timespec ptr", { restart: "block" }),
  row("clock_nanosleep", sleep.sysClockNanosleep, "clock int timespec ptr", {
    restart: "block",
    support: "partial",
    note: "no alarm clocks",
  }),

  row("getitimer", itimers.sysGetitimer, "int ptr"),
  row("setitimer", itimers.sysSetitimer, "int ptr ptr", {
    support: "partial",
    note: CPU_NOTE,
  }),
  row("alarm", itimers.sysAlarm, "uint"),

  row("timer_create", timers.sysTimerCreate, "clock ptr ptr", {
    support: "partial",
    note: CPU_NOTE,
  }),
  row("timer_settime", timers.sysTimerSettime, "int hex ptr ptr"),
  row("timer_gettime", timers.sysTimerGettime, "int ptr"),
  row("timer_getoverrun", timers.sysTimerGetoverrun, "int"),
  row("timer_delete", timers.sysTimerDelete, "int"),
];
