/** The rows of scheduling and synchronization. */

import { type Row, row } from "../table.ts";
import * as affinity from "./affinity.ts";
import * as barriers from "./barriers.ts";
import * as policy from "./policy.ts";
import * as priority from "./priority.ts";

const KEPT = "kept and shown; the host schedules";

export const rows: readonly Row[] = [
  row("membarrier", barriers.sysMembarrier, "int hex int", {
    support: "partial",
    note: "no MEMBARRIER_CMD_*_RSEQ",
  }),
  row("rseq", barriers.sysRseq, "ptr uint hex uint", { support: "refused", note: "ENOSYS" }),

  row("sched_yield", affinity.sysSchedYield, "", {
    support: "partial",
    note: "the host decides which thread runs next",
  }),
  row("getcpu", affinity.sysGetcpu, "ptr ptr ptr", {
    support: "partial",
    note: "a CPU that the thread may use; the vDSO's says which one it is on",
  }),
  row("sched_setaffinity", affinity.sysSchedSetaffinity, "pid size ptr", {
    support: "partial",
    note: KEPT,
  }),
  row("sched_getaffinity", affinity.sysSchedGetaffinity, "pid size ptr"),

  row("sched_setscheduler", policy.sysSchedSetscheduler, "pid int ptr", {
    support: "partial",
    note: KEPT,
  }),
  row("sched_getscheduler", policy.sysSchedGetscheduler, "pid"),
  row("sched_setparam", policy.sysSchedSetparam, "pid ptr", { support: "partial", note: KEPT }),
  row("sched_getparam", policy.sysSchedGetparam, "pid ptr"),
  row("sched_setattr", policy.sysSchedSetattr, "pid ptr hex", { support: "partial", note: KEPT }),
  row("sched_getattr", policy.sysSchedGetattr, "pid ptr size hex"),
  row("sched_get_priority_max", policy.sysSchedGetPriorityMax, "int"),
  row("sched_get_priority_min", policy.sysSchedGetPriorityMin, "int"),
  row("sched_rr_get_interval", policy.sysSchedRrGetInterval, "pid ptr"),

  row("getpriority", priority.sysGetpriority, "int int"),
  row("setpriority", priority.sysSetpriority, "int int int", { support: "partial", note: KEPT }),
  row("ioprio_set", priority.sysIoprioSet, "int int hex", { support: "partial", note: KEPT }),
  row("ioprio_get", priority.sysIoprioGet, "int int"),
];
