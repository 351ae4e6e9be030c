/** The rows of futexes. */

import { type Row, row } from "../../syscalls/table.ts";
import * as futex from "./futex.ts";
import * as futex2 from "./futex2.ts";
import * as robust from "./robust_list.ts";

export const rows: readonly Row[] = [
  row("futex", futex.sysFutex, "ptr futexop uint ptr ptr uint", {
    support: "partial",
    note: "no priority is inherited: the host schedules",
  }),
  row("futex_waitv", futex2.sysFutexWaitv, "ptr uint hex timespec clock"),
  row("futex_wait", futex2.sysFutexWait, "ptr hex hex hex timespec clock"),
  row("futex_wake", futex2.sysFutexWake, "ptr hex int hex"),
  row("futex_requeue", futex2.sysFutexRequeue, "ptr hex int int"),
  row("set_robust_list", robust.sysSetRobustList, "ptr size"),
  row("get_robust_list", robust.sysGetRobustList, "pid ptr ptr"),
];
