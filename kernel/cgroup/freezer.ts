/**
 * Frozen groups (cgroup.freeze of version 2, freezer.state of version 1): their tasks do not return
 * to guest code.
 *
 * DIFFERS: a call that waits goes on waiting and ends in the kernel; in version 1 SIGKILL ends a
 * frozen task at once, as in version 2.
 */

import { Timer } from "../time/timer.ts";
import { alert, resume } from "../task/alert.ts";
import { BLOCKED, FROZEN, RUNNING, STOPPED, type Task, TRACED } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { tasksIn } from "./group_set.ts";

/** Time between checks that all tasks stand still, ns: short at first, then longer. */
const LOOK_NS = 200_000, LOOK_MOST_NS = 10_000_000;

/** Why the tasks of one group stand still, if they do. */
export class FreezeState {
  /** The group's own file asks for freezing. */
  isAsked: boolean = false;
  /** The group is over its CPU quota (cpu.ts). */
  isThrottled: boolean = false;
  /** When throttling probably ends, ns. */
  throttledUntilNs: number = 0;
  /** All tasks stand still, and cgroup.events shows it. */
  isFrozen: boolean = false;
  readonly watch: FreezeWatch;

  constructor(group: Cgroup) {
    this.watch = new FreezeWatch(group);
  }
}

/** Whether tasks must stand still because of the group or an ancestor. */
function isHeld(group: Cgroup): boolean {
  for (let up: Cgroup | null = group; up !== null; up = up.parent) {
    if (up.freeze.isAsked || up.freeze.isThrottled) return true;
  }
  return false;
}

/** Whether the group or an ancestor asks for freezing. */
export function isFreezing(group: Cgroup): boolean {
  for (let up: Cgroup | null = group; up !== null; up = up.parent) {
    if (up.freeze.isAsked) return true;
  }
  return false;
}

/** Called on the way to guest code: whether its groups or its job keep the task from it. */
export function isTaskHeld(task: Task): boolean {
  const { cgroups: { unified, legacy }, group: { job } } = task;
  if (job !== null && job.cpu.isThrottled) return true;
  if (unified.hierarchy.owner.stillGroups === 0) return false;
  return isHeld(unified) || legacy.some(isHeld);
}

/** cgroup.freeze: hold the tasks of the group and the groups below. */
export function freezeGroup(group: Cgroup): void {
  if (group.freeze.isAsked) return;
  group.freeze.isAsked = true;
  group.hierarchy.owner.stillGroups++;
  hold(group);
  group.freeze.watch.begin();
  wakeWaiters(group);
}

/** cgroup.freeze: undo `freezeGroup`. */
export function thawGroup(group: Cgroup): void {
  if (!group.freeze.isAsked) return;
  noteThaw(group);
  for (const below of group.subtree()) noteFrozen(below);
  letTasksGo(group);
  wakeWaiters(group);
}

/** An ancestor keeps the group frozen: wake waiters, as no change will come. */
function wakeWaiters({ parent, events }: Cgroup): void {
  if (parent !== null && isFreezing(parent)) events.tell();
}

/** The group no longer holds its tasks. */
export function noteThaw(group: Cgroup): void {
  const { freeze, hierarchy: { owner } } = group;
  if (freeze.isAsked) owner.stillGroups--;
  if (freeze.isThrottled) owner.stillGroups--;
  freeze.isAsked = freeze.isThrottled = false;
  freeze.watch.end();
}

/** Interrupts tasks that run guest code, so that they stand still. */
export function hold(group: Cgroup): void {
  for (const task of tasksIn(group)) holdTask(task);
}

/** Interrupts a task that runs guest code, so that it stands still. */
export function holdTask(task: Task): void {
  task.attention = true;
  if (task.state === RUNNING) alert(task);
}

/** Lets tasks of the group go on that no group holds. */
export function letTasksGo(group: Cgroup): void {
  for (const task of tasksIn(group)) letTaskGo(task);
}

/** Lets a task go on if no group, no job and no container holds it. */
export function letTaskGo(task: Task): void {
  const { container } = task.group;
  if (task.state !== FROZEN || isTaskHeld(task)) return;
  if (container === null || !container.standsStill(task.group)) resume(task);
}

/** A task entered or left a frozen group. */
export function noteMove(task: Task): void {
  if (!isTaskHeld(task)) return letTaskGo(task);
  holdTask(task);
  for (const group of [task.cgroups.unified, ...task.cgroups.legacy]) {
    if (isFreezing(group)) group.freeze.watch.begin();
  }
}

/** Updates "frozen" of cgroup.events. */
function noteFrozen(group: Cgroup): void {
  const isFrozen = isFreezing(group) && standStill(group);
  if (isFrozen === group.freeze.isFrozen) return;
  group.freeze.isFrozen = isFrozen;
  group.events.tell();
}

function standStill(group: Cgroup): boolean {
  for (const task of tasksIn(group)) {
    const { state } = task;
    if (state !== FROZEN && state !== BLOCKED && state !== STOPPED && state !== TRACED) {
      return false;
    }
  }
  return true;
}

/** Checks until all tasks stand still. */
export class FreezeWatch extends Timer {
  private readonly group: Cgroup;
  private pauseNs: number = LOOK_NS;

  constructor(group: Cgroup) {
    super();
    this.group = group;
  }

  begin(): void {
    this.pauseNs = LOOK_NS;
    this.check();
  }

  end(): void {
    if (this.isArmed) this.group.hierarchy.owner.kernel.timers.disarm(this);
  }

  override onExpire(_nowNs: number): void {
    this.check();
  }

  private check(): void {
    const { group } = this, { kernel } = group.hierarchy.owner;
    let isDone = true;
    for (const below of group.subtree()) {
      noteFrozen(below);
      if (!below.freeze.isFrozen) isDone = false;
    }
    if (isDone || !isFreezing(group)) return;
    kernel.timers.arm(this, kernel.now() + this.pauseNs);
    this.pauseNs = Math.min(LOOK_MOST_NS, this.pauseNs * 2);
  }
}
