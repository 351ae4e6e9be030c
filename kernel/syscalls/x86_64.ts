/** The system call table of x86-64: all families, by number. */

import { ENOSYS } from "../../ffi/abi/errno.ts";
import { NAMES, SYS_mseal } from "../../ffi/abi/syscall_numbers.ts";
import { RESTART_SYS, type Task } from "../task/task.ts";
import { rows as aioRows } from "../aio/calls/rows.ts";
import { rows as epollRows } from "../epoll/calls/rows.ts";
import { rows as futexRows } from "../futex/calls/rows.ts";
import { rows as landlockRows } from "../landlock/calls/rows.ts";
import { rows as ptraceRows } from "../ptrace/calls/rows.ts";
import { rows as seccompRows } from "../seccomp/calls/rows.ts";
import { rows as fanotifyRows } from "../fanotify/calls/rows.ts";
import { rows as userfaultRows } from "../userfault/calls/rows.ts";
import { rows as bpfRows } from "../bpf/calls/rows.ts";
import { rows as fsRows } from "./fs/rows.ts";
import { rows as ioRows } from "./io/rows.ts";
import { rows as ipcRows } from "../ipc/calls/rows.ts";
import { rows as keysRows } from "../keys/calls/rows.ts";
import { rows as mmRows } from "./mm/rows.ts";
import { rows as netRows } from "../net/calls/rows.ts";
import { rows as processRows } from "./process/rows.ts";
import { rows as schedRows } from "./sched/rows.ts";
import { rows as signalRows } from "../signal/calls/rows.ts";
import { rows as systemRows } from "./system/rows.ts";
import type { Row } from "./table.ts";
import { rows as timeRows } from "./time/rows.ts";
import { rows as uringRows } from "../uring/calls/rows.ts";

const FAMILIES: readonly (readonly Row[])[] = [
  aioRows,
  bpfRows,
  epollRows,
  fanotifyRows,
  fsRows,
  futexRows,
  ioRows,
  ipcRows,
  keysRows,
  landlockRows,
  mmRows,
  netRows,
  processRows,
  ptraceRows,
  schedRows,
  seccompRows,
  signalRows,
  systemRows,
  timeRows,
  uringRows,
  userfaultRows,
];

/** The last call of Linux 6.12. NAMES has later ones, which are ENOSYS there too. */
export const LAST_CALL = SYS_mseal;

/** Every row, in the order of the families. */
export const ALL_ROWS: readonly Row[] = FAMILIES.flat();

/** By number, dense; an absent call is ENOSYS. */
export const ROWS: readonly (Row | undefined)[] = byNumber();

function byNumber(): (Row | undefined)[] {
  const table: (Row | undefined)[] = [];
  for (let nr = 0; nr < NAMES.length; nr++) table.push(undefined);
  for (const row of ALL_ROWS) table[row.nr] = row;
  return table;
}

function sysUnknown(): number {
  return -ENOSYS;
}

/** The row for an unknown call, which the log names once. */
export function unknownCall(task: Task): Row {
  const { nr } = task, name = NAMES[nr] || `call ${nr}`;
  if (task.kernel.calls.isFirstUnknown(nr)) {
    task.kernel.log(`${name}: no such call (${task.comm}, pid ${task.pid})`);
  }
  return {
    nr,
    name,
    handler: sysUnknown,
    args: "hex hex hex hex hex hex",
    restart: RESTART_SYS,
    needsFull: false,
    moves: 0,
    support: "refused",
    note: "ENOSYS",
  };
}
