/**
 * Nice values and I/O priorities: getpriority(2), setpriority(2), ioprio_set(2). They are kept and
 * shown, and do not influence the host.
 */

import { CAP_SYS_ADMIN, CAP_SYS_NICE } from "../../../ffi/abi/capability.ts";
import { EACCES, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { RLIMIT_NICE } from "../../../ffi/abi/resource.ts";
import * as R from "../../../ffi/abi/resource.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { Task } from "../../task/task.ts";
import { clampNice, isNoStronger, maySetNice, threadOf } from "./policy.ts";

const IOPRIO_LEVELS = 8, IOPRIO_CLASSES = 8, IOPRIO_BITS = 0xffff;

/** The threads that `which` and the id select; null for an unknown `which`. */
function select(t: Task, which: number, who: number): Task[] | null {
  const { pids } = t;
  switch (which) {
    case R.PRIO_PROCESS: {
      const target = threadOf(t, who);
      return target === null ? [] : [target];
    }
    case R.PRIO_PGRP: {
      const pgrp = who === 0 ? t.group.pgrp : pids.processGroups.get(who);
      return pgrp === undefined ? [] : [...pgrp.members].flatMap((g) => g.tasks);
    }
    case R.PRIO_USER: {
      const uid = who === 0 ? t.cred.uid : t.cred.userNs.kernelUid(who >>> 0);
      return [...pids.tasks.values()].filter((x) => x.cred.uid === uid);
    }
    default:
      return null;
  }
}

/** getpriority(2): 20 - nice, the highest of the selected threads. */
export function sysGetpriority(t: Task, a: SyscallArgs): number {
  const targets = select(t, a.i32(0), a.i32(1));
  if (targets === null) return -EINVAL;
  let best = -ESRCH;
  for (const x of targets) best = Math.max(best, 20 - x.sched.nice);
  return best;
}

export function sysSetpriority(t: Task, a: SyscallArgs): number {
  const targets = select(t, a.i32(0), a.i32(1)), nice = clampNice(a.i32(2));
  if (targets === null) return -EINVAL;
  let result = -ESRCH;
  for (const x of targets) {
    const r = setNice(t, x, nice);
    // A success does not replace an earlier error.
    if (r !== 0 || result === -ESRCH) result = r;
  }
  return result;
}

function setNice(t: Task, target: Task, nice: number): number {
  if (!maySetNice(t, target)) return -EPERM;
  const mayRaise = hasCap(t.cred, CAP_SYS_NICE);
  const isRaise = nice < target.sched.nice;
  if (isRaise && !mayRaise && 20 - nice > target.group.limits.get(RLIMIT_NICE)) return -EACCES;
  if (!isNoStronger(t, target)) return -EPERM;
  target.sched.nice = nice;
  return 0;
}

/** Checks whether the task may have an I/O priority: 0, -EPERM, or -EINVAL for an invalid one. */
export function checkIoprio(t: Task, ioprio: number): number {
  switch ((ioprio >> R.IOPRIO_CLASS_SHIFT) & (IOPRIO_CLASSES - 1)) {
    case R.IOPRIO_CLASS_RT:
      return hasCap(t.cred, CAP_SYS_ADMIN) || hasCap(t.cred, CAP_SYS_NICE) ? 0 : -EPERM;
    case R.IOPRIO_CLASS_BE:
    case R.IOPRIO_CLASS_IDLE:
      return 0;
    case R.IOPRIO_CLASS_NONE:
      return (ioprio & (IOPRIO_LEVELS - 1)) !== 0 ? -EINVAL : 0;
    default:
      return -EINVAL;
  }
}

/** Only the target's real user id counts (set_task_ioprio of Linux). */
function maySetIoprio(t: Task, target: Task): boolean {
  const { uid } = target.cred;
  return uid === t.cred.euid || uid === t.cred.uid || hasCap(t.cred, CAP_SYS_NICE);
}

/** ioprio_set(2). */
export function sysIoprioSet(t: Task, a: SyscallArgs): number {
  const ioprio = a.i32(2) & IOPRIO_BITS, r = checkIoprio(t, ioprio);
  if (r < 0) return r;
  // IOPRIO_WHO_* is PRIO_* plus 1.
  const targets = select(t, a.i32(0) - 1, a.i32(1));
  if (targets === null) return -EINVAL;
  let result = -ESRCH;
  for (const x of targets) {
    if (!maySetIoprio(t, x) || !isNoStronger(t, x)) return -EPERM;
    x.sched.ioprio = ioprio;
    result = 0;
  }
  return result;
}

/**
 * ioprio_get(2): the priority that was set for one process; otherwise the highest of the selected
 * ones, which follows from the nice value where none was set.
 */
export function sysIoprioGet(t: Task, a: SyscallArgs): number {
  const targets = select(t, a.i32(0) - 1, a.i32(1));
  if (targets === null) return -EINVAL;
  let best = -1;
  for (const x of targets) {
    const own = a.i32(0) - 1 === R.PRIO_PROCESS ? x.sched.ioprio : effectiveIoprio(x);
    if (best < 0 || own < best) best = own;
  }
  return best < 0 ? -ESRCH : best;
}

function effectiveIoprio(t: Task): number {
  const { ioprio, nice } = t.sched;
  if (ioprio !== 0) return ioprio;
  return (R.IOPRIO_CLASS_BE << R.IOPRIO_CLASS_SHIFT) | Math.floor((nice + 20) / 5);
}
