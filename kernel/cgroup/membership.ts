/** Members of groups: cgroup.procs, cgroup.threads, tasks, and clone3(2) into a group. */

import { EACCES, EBUSY, EINVAL, ENOENT, ENOSPC, EOPNOTSUPP, ESRCH } from "../../ffi/abi/errno.ts";
import { MAY_WRITE } from "../cred/permission.ts";
import { inodePermission } from "../vfs/access.ts";
import type { PidNamespace } from "../task/pid_namespace.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPUSET } from "./controllers.ts";
import { noteMove } from "./freezer.ts";
import { domainTasks, moveTask, ownTasks } from "./group_set.ts";
import { integer } from "./numbers.ts";
import { canBeThreadRoot, isValidDomain } from "./threaded.ts";
import { View } from "./view.ts";

/** The PID namespace of the task that reads or writes. */
function callersPids({ hierarchy }: Cgroup): PidNamespace {
  const { kernel } = hierarchy.owner;
  return kernel.current?.pids ?? kernel.pids;
}

/**
 * The ids of processes or threads in a group, in the reader's PID namespace. A threaded group has
 * no processes of its own.
 */
export function memberIds(group: Cgroup, threads: boolean): string | number {
  if (!threads && group.threadedIn !== null) return -EOPNOTSUPP;
  const ids = new Set<number>(), pids = callersPids(group);
  for (const task of threads ? ownTasks(group) : domainTasks(group)) {
    ids.add((threads ? task.id : task.group.id).numberIn(pids));
  }
  return [...ids].sort((a, b) => a - b).map((id) => `${id}\n`).join("");
}

/** Moves a process or one thread into a group: 0 or -errno. "0" means the writer. */
export function moveByText(group: Cgroup, text: string, view: View, threads: boolean): number {
  const id = integer(text);
  if (id === null || id < 0) return -EINVAL;
  const writer = group.hierarchy.owner.kernel.current, pids = callersPids(group);
  const task = id === 0 ? writer ?? view.task : pids.taskOf(id);
  if (task === null) return pids.groups.has(id) ? 0 : -ESRCH;
  const from = task.cgroups.in(group.hierarchy);
  const r = mayMove(from, group, view, task);
  if (r < 0) return r;
  // All threads of a process are in one domain.
  if (threads && group.hierarchy.isUnified && from.domain !== group.domain) return -EOPNOTSUPP;
  moveAll(threads ? [task] : task.group.tasks, group);
  return 0;
}

function mayMove(from: Cgroup, to: Cgroup, view: View, task: Task): number {
  const { hierarchy } = to;
  if (from.hierarchy !== hierarchy) return -ENOENT;
  if (!hierarchy.isUnified) {
    const { cred } = view;
    const isOwn = cred.euid === 0 || cred.euid === task.cred.uid || cred.euid === task.cred.suid;
    if (!isOwn) return -EACCES;
    const { cpus, mems } = to.cpuset, needsSet = (hierarchy.controllers & CPUSET) !== 0;
    return needsSet && to.parent !== null && (cpus === null || mems === "") ? -ENOSPC : 0;
  }
  const r = mayWriteProcs(commonAbove(from, to), view);
  if (r < 0) return r;
  const root = view.rootOf(to);
  if (!from.isWithin(root) || !to.isWithin(root)) return -ENOENT;
  return mayHost(to);
}

/** The closest group that contains both: a writer must be allowed to move processes within it. */
function commonAbove(a: Cgroup, b: Cgroup): Cgroup {
  let up = a;
  while (!b.isWithin(up) && up.parent !== null) up = up.parent;
  return up;
}

function mayWriteProcs(group: Cgroup, view: View): number {
  const inode = group.hierarchy.fs.fileOf(group, "cgroup.procs");
  return typeof inode === "number" ? inode : inodePermission(inode, MAY_WRITE, view.cred);
}

/**
 * Whether a group may have processes: only leaves may, unless all their controllers are threaded
 * (cgroup_migrate_vet_dst of Linux).
 */
function mayHost(group: Cgroup): number {
  if (!isValidDomain(group.domain)) return -EOPNOTSUPP;
  if (canBeThreadRoot(group) || group.threadedIn !== null || group.subtreeControl === 0) return 0;
  return -EBUSY;
}

function moveAll(tasks: readonly Task[], to: Cgroup): void {
  const first = tasks[0];
  if (first === undefined) return;
  const { hierarchy } = to;
  for (const task of tasks) {
    if (task.cgroups.in(hierarchy) === to) continue;
    moveTask(task, to);
    // Threads with equal groups share the object.
    if (task !== first && first.cgroups.equals(task.cgroups)) task.cgroups = first.cgroups;
    noteMove(task);
    to.cpu.wake();
  }
}

/** CLONE_INTO_CGROUP: whether a child of the task may start in `to`; 0 or -errno. */
export function mayPlaceChild(task: Task, to: Cgroup, isThread: boolean): number {
  if (to.isGone) return -ENOENT;
  const from = task.cgroups.in(to.hierarchy);
  if (isThread && from.domain !== to.domain) return -EOPNOTSUPP;
  return mayMove(from, to, new View(task.cred, task), task);
}
