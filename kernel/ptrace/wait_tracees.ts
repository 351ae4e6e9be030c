/** A tracer's wait for stops and ends of its tracees (wait(2), ptrace(2) "Stopped states"). */

import { CLD_STOPPED, CLD_TRAPPED } from "../../ffi/abi/siginfo.ts";
import { WEXITED, WNOWAIT } from "../../ffi/abi/wait.ts";
import type { TaskPid } from "../task/pid_namespace.ts";
import { type Task, TRACED } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import type { DeadTracee } from "./trace.ts";

/** The low byte of a wait status: stopped. */
const STOPPED_STATUS = 0x7f;

/** Receives the report of a tracee: its status, and the code and value for waitid(2). */
interface TraceeReport {
  /** True if the wait is for this thread. */
  isSelected(group: ThreadGroup, id: TaskPid): boolean;
  fillStop(task: Task, status: number, code: number, value: number): void;
  fillEnd(dead: DeadTracee): void;
}

/** 1: a tracee was reported; 0: none has changed; -1: no tracee is selected. */
export function reportTracee(group: ThreadGroup, options: number, out: TraceeReport): number {
  const dead = (options & WEXITED) === 0
    ? undefined
    : group.deadTracees?.find((d) => out.isSelected(d.group, d.id));
  if (dead !== undefined) {
    out.fillEnd(dead);
    if ((options & WNOWAIT) === 0) dropDeadTracee(group, dead);
    return 1;
  }
  let has = -1;
  for (const t of group.tracees ?? []) {
    if (!out.isSelected(t.group, t.id)) continue;
    has = 0;
    const { trace } = t;
    if (trace === null || t.state !== TRACED || trace.isListening || trace.code === 0) continue;
    const { code } = trace;
    const why = trace.info === null ? CLD_STOPPED : CLD_TRAPPED;
    out.fillStop(t, code << 8 | STOPPED_STATUS, why, code);
    if ((options & WNOWAIT) === 0) trace.code = 0;
    return 1;
  }
  return has;
}

function dropDeadTracee(group: ThreadGroup, dead: DeadTracee): void {
  group.deadTracees = group.deadTracees?.filter((d) => d !== dead) ?? null;
}
