/** The pids controller: the limit of tasks in a group and below it. */

import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { PIDS } from "./controllers.ts";
import type { GroupSet } from "./group_set.ts";
import { ChangeSignal } from "./fs/group_node.ts";

/** The state of the pids controller in one group. */
export class PidsState {
  max: number = Infinity;
  /** The highest number of tasks so far. */
  peak: number = 0;
  /** Forks that failed because of this group's limit: with those below, and of the group alone. */
  failures: number = 0;
  ownFailures: number = 0;
  readonly events: ChangeSignal = new ChangeSignal("pids.events");
  readonly localEvents: ChangeSignal = new ChangeSignal("pids.events.local");
  private readonly group: Cgroup;

  constructor(group: Cgroup) {
    this.group = group;
  }

  onLoss(lost: number): void {
    if ((lost & PIDS) === 0) return;
    this.max = Infinity;
    this.peak = this.group.tasks;
  }

  /** Counts a fork that failed because of this group's limit. */
  fail(): void {
    this.ownFailures++;
    this.localEvents.tell();
    for (let up: Cgroup | null = this.group; up !== null; up = up.parent) {
      up.pids.failures++;
      up.pids.events.tell();
    }
  }
}

/** The group whose limit forbids a further task; null: none does. */
export function fullGroup(set: GroupSet): Cgroup | null {
  const full = fullIn(set.unified);
  if (full !== null || set.legacy.length === 0) return full;
  for (const group of set.legacy) {
    const there = (group.hierarchy.controllers & PIDS) === 0 ? null : fullIn(group);
    if (there !== null) return there;
  }
  return null;
}

function fullIn(group: Cgroup): Cgroup | null {
  for (let up: Cgroup | null = group; up !== null; up = up.parent) {
    if (up.tasks >= up.pids.max) return up;
  }
  return null;
}

/** A fork fails because the container is full. */
export function noteFullContainer(task: Task): void {
  task.cgroups.unified.hierarchy.root.pids.fail();
}
