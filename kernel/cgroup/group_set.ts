/**
 * The groups of a task, one in each hierarchy (struct css_set of Linux). Tasks share the object; a
 * task that moves gets another one.
 */

import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Hierarchy } from "./hierarchy.ts";

/** The groups of one or more tasks. Immutable. */
export class GroupSet {
  readonly unified: Cgroup;
  /** The groups of version 1; in hierarchies that are missing here the task is at the root. */
  readonly legacy: readonly Cgroup[];

  constructor(unified: Cgroup, legacy: readonly Cgroup[]) {
    this.unified = unified;
    this.legacy = legacy;
  }

  in(hierarchy: Hierarchy): Cgroup {
    if (hierarchy.isUnified) return this.unified;
    return this.legacy.find((group) => group.hierarchy === hierarchy) ?? hierarchy.root;
  }

  /** The time, ns, when all of the groups may use CPUs again; 0: now. */
  get throttledUntilNs(): number {
    const { unified, legacy } = this;
    if (unified.hierarchy.owner.stillGroups === 0) return 0;
    let untilNs = throttledUntilNs(unified);
    for (const group of legacy) untilNs = Math.max(untilNs, throttledUntilNs(group));
    return untilNs;
  }

  equals(other: GroupSet): boolean {
    const { legacy } = this;
    return this.unified === other.unified && legacy.length === other.legacy.length &&
      legacy.every((group) => other.legacy.includes(group));
  }

  /** The same set with another group in the hierarchy of `group`. */
  with(group: Cgroup): GroupSet {
    const { hierarchy } = group;
    if (hierarchy.isUnified) return new GroupSet(group, this.legacy);
    const others = this.legacy.filter((g) => g.hierarchy !== hierarchy);
    return new GroupSet(this.unified, group.parent === null ? others : [...others, group]);
  }
}

function throttledUntilNs(group: Cgroup): number {
  let untilNs = 0;
  for (let up: Cgroup | null = group; up !== null; up = up.parent) {
    const { freeze } = up;
    if (freeze.isThrottled) untilNs = Math.max(untilNs, freeze.throttledUntilNs);
  }
  return untilNs;
}

/** Count a new task in its groups. */
export function joinGroups(task: Task): void {
  const { unified, legacy } = task.cgroups;
  countTaskIn(unified, null);
  for (let i = 0; i < legacy.length; i++) countTaskIn(legacy[i]!, legacy[i]!.hierarchy.root);
  task.cgroupUserNs = task.userNs;
  task.cgroupSystemNs = task.systemNs;
  task.kernel.clock.accounts.join(task);
}

/** The task ends: its groups keep what it used. */
export function leaveGroups(task: Task): void {
  const { unified, legacy } = task.cgroups;
  chargeUse(task);
  countTaskOut(unified, null);
  for (let i = 0; i < legacy.length; i++) countTaskOut(legacy[i]!, legacy[i]!.hierarchy.root);
  task.kernel.clock.accounts.leave(task);
}

/** Moves a task to another group of a hierarchy; groups that contain both notice nothing. */
export function moveTask(task: Task, to: Cgroup): void {
  const from = task.cgroups.in(to.hierarchy);
  let common = from;
  while (!to.isWithin(common) && common.parent !== null) common = common.parent;
  chargeUse(task);
  countTaskOut(from, common);
  task.cgroups = task.cgroups.with(to);
  countTaskIn(to, common);
  task.kernel.clock.accounts.join(task);
}

function chargeUse(task: Task): void {
  const { unified, legacy } = task.cgroups;
  const userNs = task.userNs - task.cgroupUserNs;
  const systemNs = task.systemNs - task.cgroupSystemNs;
  unified.cpu.charge(userNs, systemNs);
  for (let i = 0; i < legacy.length; i++) legacy[i]!.cpu.charge(userNs, systemNs);
  task.cgroupUserNs = task.userNs;
  task.cgroupSystemNs = task.systemNs;
}

/** Count in groups up to `top`, exclusive. */
function countTaskIn(group: Cgroup, top: Cgroup | null): void {
  group.ownTasks++;
  for (let up: Cgroup | null = group; up !== null && up !== top; up = up.parent) {
    const tasks = ++up.tasks;
    if (tasks > up.pids.peak) up.pids.peak = tasks;
    if (tasks === 1) up.events.tell();
  }
}

function countTaskOut(group: Cgroup, top: Cgroup | null): void {
  group.ownTasks--;
  for (let up: Cgroup | null = group; up !== null && up !== top; up = up.parent) {
    if (--up.tasks === 0) up.events.tell();
  }
}

/** All live tasks in a group and the groups below it. */
export function tasksIn(group: Cgroup): Task[] {
  const { hierarchy } = group;
  return tasksOf(hierarchy).filter((task) => task.cgroups.in(hierarchy).isWithin(group));
}

/** All live tasks in the group itself. */
export function ownTasks(group: Cgroup): Task[] {
  const { hierarchy } = group;
  return tasksOf(hierarchy).filter((task) => task.cgroups.in(hierarchy) === group);
}

/** All live tasks in the group itself and in its threaded groups. */
export function domainTasks(group: Cgroup): Task[] {
  const { hierarchy } = group;
  return tasksOf(hierarchy).filter((task) => task.cgroups.in(hierarchy).domain === group);
}

/** The tasks of a hierarchy's container: other containers have other hierarchies. */
function tasksOf({ owner }: Hierarchy): Task[] {
  const all = [...owner.kernel.pids.tasks.values()];
  return all.filter((task) => task.cgroups.unified.hierarchy.owner === owner);
}
