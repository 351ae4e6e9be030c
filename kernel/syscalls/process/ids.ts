/**
 * Ids of processes, process groups and sessions: getpid(2), setpgid(2), setsid(2),
 * set_tid_address(2) and so on.
 */

import { EACCES, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { enrollProcessGroup, enrollSession } from "../../task/pid_namespace.ts";
import { tellSession } from "../../task/process_events.ts";
import { joinProcessGroup } from "../../task/reap.ts";
import type { Task } from "../../task/task.ts";
import { ProcessGroup, Session, type ThreadGroup } from "../../task/thread_group.ts";

/** HOT */
export function sysGetpid(t: Task): number {
  return t.group.pid;
}

export function sysGettid(t: Task): number {
  return t.tid;
}

export function sysGetppid(t: Task): number {
  return t.group.parentPid;
}

export function sysGetpgrp(t: Task): number {
  return t.group.pgrp.id.numberIn(t.pids);
}

export function sysGetpgid(t: Task, a: SyscallArgs): number {
  return groupOf(t, a.i32(0))?.pgrp.id.numberIn(t.pids) ?? -ESRCH;
}

export function sysGetsid(t: Task, a: SyscallArgs): number {
  return groupOf(t, a.i32(0))?.session.numberIn(t.pids) ?? -ESRCH;
}

/** The process of a thread id; 0: the caller's. */
function groupOf(t: Task, tid: number): ThreadGroup | null {
  if (tid === 0) return t.group;
  const { pids } = t;
  return pids.groups.get(tid) ?? pids.tasks.get(tid)?.group ?? null;
}

/** setpgid(2), with Linux's order of checks. */
export function sysSetpgid(t: Task, a: SyscallArgs): number {
  const { pids, group: self } = t;
  const pid = a.i32(0) === 0 ? self.pid : a.i32(0);
  const pgid = a.i32(1) === 0 ? pid : a.i32(1);
  if (pgid < 0) return -EINVAL;
  const group = pids.groups.get(pid);
  if (group === undefined) return pids.tasks.has(pid) ? -EINVAL : -ESRCH;
  if (group.parent === self) {
    if (group.session !== self.session) return -EPERM;
    if (group.hasExeced) return -EACCES;
  } else if (group !== self) {
    return -ESRCH;
  }
  if (group.isSessionLeader) return -EPERM;
  let pgrp = pids.processGroups.get(pgid);
  if (pgid !== pid && (pgrp === undefined || pgrp.session !== self.session)) return -EPERM;
  if (pgrp === undefined) {
    pgrp = new ProcessGroup(group.id, group.session);
    enrollProcessGroup(pgrp);
  }
  joinProcessGroup(group, pgrp);
  return 0;
}

/** setsid(2). */
export function sysSetsid(t: Task): number {
  const { group } = t;
  if (group.isSessionLeader || t.pids.processGroups.has(group.pid)) return -EPERM;
  const session = new Session(group.id);
  const pgrp = new ProcessGroup(group.id, session);
  joinProcessGroup(group, pgrp);
  enrollSession(session);
  enrollProcessGroup(pgrp);
  tellSession(t);
  return group.pid;
}

/** set_tid_address(2). */
export function sysSetTidAddress(t: Task, a: SyscallArgs): number {
  t.clearChildTid = a.u64(0);
  return t.tid;
}
