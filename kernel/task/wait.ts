/**
 * Waiting for children: what wait4(2) and waitid(2) have in common. Which child has something to tell is decided here;
 * how it is told is decoded in syscalls/process/wait.ts.
 */

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
import { exitCode, exitValue, reap } from "./exit.ts";
import { SIGCHLD, SIGCONT } from "./signal/sigset.ts";
import type { Task } from "./task.ts";
import { type ThreadGroup, Usage } from "./thread_group.ts";

/** What was found; overwritten by the next wait that finds something. */
export class Waited {
  pid: number = 0;
  uid: number = 0;
  /** Wait status as wait4(2) stores it. */
  status: number = 0;
  /** CLD_* and the value that goes with it, as waitid(2) shows them. */
  code: number = 0;
  value: number = 0;
  readonly usage: Usage = new Usage();
}

/** Which children are meant: P_ALL, P_PID, P_PGID (0: the caller's own group), P_PIDFD. */
export interface Selection {
  readonly kind: number;
  readonly id: number;
  /** P_PIDFD's process. */
  readonly group: ThreadGroup | null;
  readonly options: number;
}

/**
 * 1: `out` tells of a child, which is reaped unless WNOWAIT; 0: WNOHANG and nothing to tell; BLOCK, a restart code, or
 * -ECHILD.
 */
export function waitForChild(task: Task, which: Selection, out: Waited): number {
  let hasCandidate = false;
  for (const child of task.group.children) {
    if (!isSelected(task, child, which)) continue;
    hasCandidate = true;
    if (report(task, child, which.options, out)) return 1;
  }
  if (!hasCandidate) return -ECHILD;
  if ((which.options & WNOHANG) !== 0) return 0;
  return task.waitFor(task.group.childEvents, 0);
}

function isSelected(task: Task, child: ThreadGroup, which: Selection): boolean {
  switch (which.kind) {
    case P_PID:
      if (child.id.numberIn(task.pids) !== which.id) return false;
      break;
    case P_PGID:
      if (which.id === 0) {
        if (child.pgrp !== task.group.pgrp) return false;
      } else if (child.pgrp.id.numberIn(task.pids) !== which.id) {
        return false;
      }
      break;
    case P_PIDFD:
      if (child !== which.group) return false;
      break;
    case P_ALL:
      break;
    default:
      return false;
  }
  if ((which.options & __WALL) !== 0) return true;
  const isClone = child.exitSignal !== SIGCHLD;
  return isClone === ((which.options & __WCLONE) !== 0);
}

function report(task: Task, child: ThreadGroup, options: number, out: Waited): boolean {
  const keeps = (options & WNOWAIT) !== 0;
  if (child.isZombie) {
    if ((options & WEXITED) === 0) return false;
    fill(
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
  if ((options & WUNTRACED) !== 0 && child.isStopped && !child.stopReported) {
    fill(out, task, child, statusStopped(child.stopSignal), CLD_STOPPED, child.stopSignal);
    if (!keeps) child.stopReported = true;
    return true;
  }
  if ((options & WCONTINUED) !== 0 && !child.continuedReported) {
    fill(out, task, child, STATUS_CONTINUED, CLD_CONTINUED, SIGCONT);
    if (!keeps) child.continuedReported = true;
    return true;
  }
  return false;
}

function fill(
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

/** Usage of a process and of the children that it waited for, as wait4(2) and times(2) count. */
export function totalUsage(group: ThreadGroup, out: Usage): void {
  out.clear();
  ownUsage(group, out);
  out.add(group.childUsage);
}

/** Usage of a process without its children (RUSAGE_SELF). */
export function ownUsage(group: ThreadGroup, out: Usage): void {
  out.clear();
  out.add(group.usage);
  out.userNs = groupUserNs(group);
  out.systemNs = groupSystemNs(group);
  for (const t of group.tasks) out.voluntarySwitches += t.blockCount;
  const mm = group.tasks[0]?.mm;
  if (mm !== undefined) out.maxRssKiB = Math.max(out.maxRssKiB, mm.residentPages * 4);
}
