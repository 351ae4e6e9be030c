/**
 * Waiting for children: the common part of wait4(2) and waitid(2). This file chooses the child;
 * syscalls/process/wait.ts encodes the answer.
 */

import { SIGCHLD, SIGCONT } from "../../ffi/abi/signal.ts";
import { ECHILD } from "../../ffi/abi/errno.ts";
import { CLD_CONTINUED, CLD_STOPPED } from "../../ffi/abi/siginfo.ts";
import {
  __WALL,
  __WCLONE,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  STATUS_CONTINUED,
  statusStopped,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WUNTRACED,
} from "../../ffi/abi/wait.ts";
import { groupSystemNs, groupUserNs } from "./cpu_clock.ts";
import { endForParent, reap } from "./exit.ts";
import { exitCode, exitValue } from "../signal/child_signal.ts";
import type { TaskPid } from "./pid_namespace.ts";
import { reportTracee } from "../ptrace/wait_tracees.ts";
import type { Task } from "./task.ts";
import { type ThreadGroup, Usage } from "./thread_group.ts";

/** Result of a wait; the next successful wait overwrites it. */
export class Waited {
  pid: number = 0;
  uid: number = 0;
  /** Wait status as wait4(2) stores it. */
  status: number = 0;
  /** CLD_* and its value, as waitid(2) shows them. */
  code: number = 0;
  value: number = 0;
  /** During a wait: a tracee was found. */
  isTold: boolean = false;
  readonly usage: Usage = new Usage();
}

/** The children to wait for: P_ALL, P_PID, P_PGID (0: the caller's own group), P_PIDFD. */
export interface Selection {
  readonly kind: number;
  readonly id: number;
  /** The process of P_PIDFD. */
  readonly group: ThreadGroup | null;
  readonly options: number;
}

/**
 * 1: `out` describes a child, which is reaped unless WNOWAIT; 0: WNOHANG and no child has changed;
 * BLOCK, a restart code, or -ECHILD.
 */
export function waitForChild(task: Task, which: Selection, out: Waited): number {
  const { tracees, deadTracees, deadLeaders } = task.group;
  const hasTracees = tracees !== null || deadTracees !== null || deadLeaders !== null;
  let hasCandidate = hasTracees && waitForTracee(task, which, out);
  if (hasCandidate && out.isTold) return 1;
  for (const child of task.group.children) {
    if (!isSelected(task, child, which) || isSilent(child, which.options)) continue;
    hasCandidate = true;
    if (reportChild(task, child, which.options, out)) return 1;
  }
  if (!hasCandidate) return -ECHILD;
  if ((which.options & WNOHANG) !== 0) return 0;
  return task.waitFor(task.group.childEvents, 0);
}

/** A zombie will not stop or continue any more: a wait for those events alone skips it. */
function isSilent(child: ThreadGroup, options: number): boolean {
  return child.isZombie && child.leaderTracer === null && (options & WEXITED) === 0;
}

/** True if there is a selected tracee. `out.isTold`: it had a state change to report. */
function waitForTracee(task: Task, which: Selection, out: Waited): boolean {
  const { group } = task;
  let isThere = false;
  out.isTold = false;
  for (const child of group.deadLeaders ?? []) {
    if (!isMeant(task, child, child.id, which)) continue;
    // A dead leader does not stop; its process may continue while other threads live.
    const events = child.isZombie ? WEXITED : WEXITED | WCONTINUED;
    if ((which.options & events) === 0) continue;
    isThere = true;
    if (!child.isZombie) continue;
    const status = child.exitStatus;
    fillReport(out, task, child, status, exitCode(status), exitValue(status));
    out.isTold = true;
    if ((which.options & WNOWAIT) === 0) endForParent(child, task.kernel);
    return true;
  }
  const found = reportTracee(group, which.options, {
    isSelected: (child, id) => isMeant(task, child, id, which),
    fillStop: (t, status, code, value) => {
      fillReport(out, task, t.group, status, code, value);
      out.pid = t.id.numberIn(task.pids);
    },
    fillEnd: ({ group: of, id, status }) => {
      fillReport(out, task, of, status, exitCode(status), exitValue(status));
      out.pid = id.numberIn(task.pids);
    },
  });
  out.isTold = found === 1;
  return found >= 0 || isThere;
}

function isMeant(task: Task, child: ThreadGroup, id: TaskPid, which: Selection): boolean {
  switch (which.kind) {
    case P_PID:
      return id.numberIn(task.pids) === which.id;
    case P_PGID:
      return which.id === 0
        ? child.pgrp === task.group.pgrp
        : child.pgrp.id.numberIn(task.pids) === which.id;
    case P_PIDFD:
      return child === which.group;
    default:
      return which.kind === P_ALL;
  }
}

function isSelected(task: Task, child: ThreadGroup, which: Selection): boolean {
  if (!isMeant(task, child, child.id, which)) return false;
  if ((which.options & __WALL) !== 0) return true;
  const isClone = child.exitSignal !== SIGCHLD;
  return isClone === ((which.options & __WCLONE) !== 0);
}

function reportChild(task: Task, child: ThreadGroup, options: number, out: Waited): boolean {
  const keeps = (options & WNOWAIT) !== 0;
  if (child.isZombie) {
    if (child.leaderTracer !== null) return false;
    fillReport(
      out,
      task,
      child,
      child.exitStatus,
      exitCode(child.exitStatus),
      exitValue(child.exitStatus),
    );
    if (!keeps) {
      task.group.childUsage.add(child.usage);
      task.group.childUsage.add(child.childUsage);
      reap(child, task.kernel);
    }
    return true;
  }
  // A parent that is also the tracer is notified of stops as tracer.
  if (child.leader?.trace?.group === task.group) return false;
  if ((options & WUNTRACED) !== 0 && child.isStopped && !child.stopReported) {
    fillReport(out, task, child, statusStopped(child.stopSignal), CLD_STOPPED, child.stopSignal);
    if (!keeps) child.stopReported = true;
    return true;
  }
  if ((options & WCONTINUED) !== 0 && !child.continuedReported) {
    fillReport(out, task, child, STATUS_CONTINUED, CLD_CONTINUED, SIGCONT);
    if (!keeps) child.continuedReported = true;
    return true;
  }
  return false;
}

function fillReport(
  out: Waited,
  task: Task,
  child: ThreadGroup,
  status: number,
  code: number,
  value: number,
): void {
  out.pid = child.id.numberIn(task.pids);
  out.uid = task.cred.userNs.shownUid(child.tasks[0]?.cred.uid ?? child.lastUid);
  out.status = status;
  out.code = code;
  out.value = value;
  totalUsage(child, out.usage);
}

/** Resource use of a process and of the children it waited for, as wait4(2) and times(2) count. */
function totalUsage(group: ThreadGroup, out: Usage): void {
  out.clear();
  ownUsage(group, out);
  out.add(group.childUsage);
}

/** Resource use of a process without its children (RUSAGE_SELF). */
export function ownUsage(group: ThreadGroup, out: Usage): void {
  out.clear();
  out.add(group.usage);
  out.userNs = groupUserNs(group);
  out.systemNs = groupSystemNs(group);
  for (const t of group.tasks) {
    out.voluntarySwitches += t.blockCount;
    out.transfers.add(t.transfers);
  }
  const mm = group.tasks[0]?.mm;
  if (mm !== undefined) out.maxRssKiB = Math.max(out.maxRssKiB, mm.residentPages * 4);
}
