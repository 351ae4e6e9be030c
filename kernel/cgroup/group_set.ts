/**
 * Which groups a task is in: one of each hierarchy. Tasks share the object (struct css_set of Linux); one that moves gets
 * another.
 */

import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Hierarchy } from "./hierarchy.ts";

export class GroupSet {
  readonly unified: Cgroup;
  /** Of version 1; in a hierarchy that is not among them it is at the root. */
  readonly legacy: readonly Cgroup[];

  constructor(unified: Cgroup, legacy: readonly Cgroup[]) {
    this.unified = unified;
    this.legacy = legacy;
  }

  in(hierarchy: Hierarchy): Cgroup {
    if (hierarchy.isUnified) return this.unified;
    return this.legacy.find((group) => group.hierarchy === hierarchy) ?? hierarchy.root;
  }

  /** When all of its groups may use a processor again, ns; 0: they may. */
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

  /** The same but for the hierarchy of `group`. */
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

/** The task is counted in its groups from now on. */
export function joinGroups(task: Task): void {
  const { unified, legacy } = task.cgroups;
  enter(unified, null);
  for (let i = 0; i < legacy.length; i++) enter(legacy[i]!, legacy[i]!.hierarchy.root);
  task.cgroupUserNs = task.userNs;
  task.cgroupSystemNs = task.systemNs;
  task.kernel.clock.accounts.join(task);
}

/** It is not any more: it ends. What it used stays with them. */
export function leaveGroups(task: Task): void {
  const { unified, legacy } = task.cgroups;
  chargeUse(task);
  leave(unified, null);
  for (let i = 0; i < legacy.length; i++) leave(legacy[i]!, legacy[i]!.hierarchy.root);
  task.kernel.clock.accounts.leave(task);
}

/** Into another group of a hierarchy. What both are in does not notice. */
export function moveTask(task: Task, to: Cgroup): void {
  const from = task.cgroups.in(to.hierarchy);
  let common = from;
  while (!to.isWithin(common) && common.parent !== null) common = common.parent;
  chargeUse(task);
  leave(from, common);
  task.cgroups = task.cgroups.with(to);
  enter(to, common);
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

/** Up to `top`, which is not counted: at the root of a hierarchy of version 1 nobody is. */
function enter(group: Cgroup, top: Cgroup | null): void {
  group.ownTasks++;
  for (let up: Cgroup | null = group; up !== null && up !== top; up = up.parent) {
    const tasks = ++up.tasks;
    if (tasks > up.pids.peak) up.pids.peak = tasks;
    if (tasks === 1) up.events.tell();
  }
}

function leave(group: Cgroup, top: Cgroup | null): void {
  group.ownTasks--;
  for (let up: Cgroup | null = group; up !== null && up !== top; up = up.parent) {
    if (--up.tasks === 0) up.events.tell();
  }
}

/** All live tasks in a group and below it. */
export function tasksIn(group: Cgroup): Task[] {
  const { hierarchy } = group;
  return tasksOf(hierarchy).filter((task) => task.cgroups.in(hierarchy).isWithin(group));
}

/** All live tasks in a group itself. */
export function ownTasks(group: Cgroup): Task[] {
  const { hierarchy } = group;
  return tasksOf(hierarchy).filter((task) => task.cgroups.in(hierarchy) === group);
}

/** The same, and those in its threaded groups. */
export function domainTasks(group: Cgroup): Task[] {
  const { hierarchy } = group;
  return tasksOf(hierarchy).filter((task) => task.cgroups.in(hierarchy).domain === group);
}

/** Those of other containers have hierarchies of their own. */
function tasksOf({ owner }: Hierarchy): Task[] {
  const all = [...owner.kernel.pids.tasks.values()];
  return all.filter((task) => task.cgroups.unified.hierarchy.owner === owner);
}
