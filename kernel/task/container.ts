/**
 * A container in the kernel: the namespaces that its processes start with, its processes, and
 * whether they may run (the freezer of cgroups(7)). kernel/containers.ts starts containers.
 */

import type { AddressSpace } from "../../platform/platform.ts";
import { Layouts } from "../mm/layouts.ts";
import type { MountNamespace } from "../vfs/mounts.ts";
import { alert, resume } from "./alert.ts";
import type { ContainerAccounts } from "./accounts.ts";
import type { ContainerMemory } from "../cgroup/container_memory.ts";
import { isDelayed } from "../cgroup/delay.ts";
import { isTaskHeld } from "../cgroup/freezer.ts";
import type { Namespaces } from "./namespaces.ts";
import type { PidNamespace } from "./pid_namespace.ts";
import { FROZEN, RUNNING, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

export class Container {
  /** The id that the runtime uses. */
  readonly id: string;
  /** PID namespace of its init, from the start of init on. */
  readonly pids: PidNamespace;
  readonly mounts: MountNamespace;
  readonly ns: Namespaces;
  /** The accounts to which its kernel objects are charged. */
  readonly accounts: ContainerAccounts;
  /** Address layouts of its programs. */
  readonly layouts: Layouts = new Layouts();
  /** Its first process, until that process has ended. */
  init: ThreadGroup | null = null;
  /** Processes started in it, and their descendants, zombies included. */
  readonly groups: Set<ThreadGroup> = new Set();
  /**
   * Its tasks do not run guest code; timers go on and signals queue. SIGKILL ends tasks
   * nevertheless.
   */
  isFrozen: boolean = false;
  /** Its first process waits for `releaseInit` (a runtime's `create`); other processes run. */
  isInitHeld: boolean = false;
  /** Its memory domain, if it has a limit beside the sandbox's (`OomKiller.limit`). */
  memory: ContainerMemory | null = null;
  /**
   * The address space that its programs begin as copies of, so that their host processes are in the
   * container's control groups on the host; null: the platform's own, in the sandbox's groups.
   */
  template: AddressSpace | null = null;
  /** Its weight for turns of the kernel's loop, as `cpu.weight` (turn_account.ts). */
  turnWeight: number = 100;
  /** Greatest number of tasks in it (pids.max of cgroups(7)). */
  tasksMax: number = Infinity;
  /** Greatest number of host threads: one for each task and one more for each process. */
  hostThreadsMax: number = Infinity;

  constructor(
    id: string,
    pids: PidNamespace,
    mounts: MountNamespace,
    ns: Namespaces,
    accounts: ContainerAccounts,
  ) {
    this.id = id;
    this.accounts = accounts;
    this.pids = pids;
    this.mounts = mounts;
    this.ns = ns;
  }

  /** Stops its tasks before they return to guest code; interrupts those that run guest code. */
  freeze(): void {
    if (this.isFrozen) return;
    this.isFrozen = true;
    for (const group of this.groups) {
      for (const task of group.tasks) {
        task.attention = true;
        if (task.state === RUNNING) alert(task);
      }
    }
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    this.letGo();
  }

  /** Lets the first process run. */
  releaseInit(): void {
    this.isInitHeld = false;
    this.letGo();
  }

  standsStill(group: ThreadGroup): boolean {
    return this.isFrozen || group.isIdle || this.isInitHeld && group === this.init;
  }

  private letGo(): void {
    for (const group of this.groups) {
      if (this.standsStill(group)) continue;
      for (const task of group.tasks) if (task.state === FROZEN) resume(task);
    }
  }
}

/** True if the container may not have a further task: fork(2) fails with EAGAIN then. */
export function isFull(container: Container): boolean {
  const { tasksMax, hostThreadsMax } = container;
  if (tasksMax === Infinity && hostThreadsMax === Infinity) return false;
  let tasks = 0, processes = 0;
  for (const group of container.groups) {
    if (group.tasks.length === 0) continue;
    tasks += group.tasks.length;
    processes++;
  }
  return tasks >= tasksMax || tasks + processes >= hostThreadsMax;
}

/**
 * True if the task must stand still because its container or a control group is frozen. The task is
 * then FROZEN, and keeps `result` for later.
 */
export function freezeIfAsked(task: Task, result: number): boolean {
  const { container } = task.group;
  const isHeld = container !== null && container.standsStill(task.group);
  if (!isHeld && !isTaskHeld(task) && !isDelayed(task)) return false;
  task.result = result;
  task.state = FROZEN;
  return true;
}
