/**
 * A container as the kernel knows it: the namespaces that its processes start with, which processes are in it, and
 * whether they may run (the freezer of cgroups(7)). How one is started is in kernel/containers.ts.
 */

import type { AddressSpace } from "../../platform/platform.ts";
import { Layouts } from "../mm/layouts.ts";
import type { MountNamespace } from "../vfs/mounts.ts";
import { alert, resume } from "./alert.ts";
import type { ContainerAccounts } from "./accounts.ts";
import { isDelayed } from "../cgroup/delay.ts";
import { isTaskHeld } from "../cgroup/freezer.ts";
import type { Namespaces } from "./namespaces.ts";
import type { PidNamespace } from "./pid_namespace.ts";
import { FROZEN, RUNNING, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

export class Container {
  /** What people call it. */
  readonly id: string;
  /** Of its init, when that was started. */
  readonly pids: PidNamespace;
  readonly mounts: MountNamespace;
  readonly ns: Namespaces;
  /** What its kernel objects are charged to. */
  readonly accounts: ContainerAccounts;
  /** Those of its programs. */
  readonly layouts: Layouts = new Layouts();
  /** Its first process, until that has ended. */
  init: ThreadGroup | null = null;
  /** Processes that were started in it, and their descendants; zombies included. */
  readonly groups: Set<ThreadGroup> = new Set();
  /** Its tasks do not run guest code; timers go on and signals queue. SIGKILL ends them all the same. */
  isFrozen: boolean = false;
  /** Its first process waits to be let go (a runtime's `create`); others in it run. */
  isInitHeld: boolean = false;
  /** Bytes of memory that its processes may have; kept by the OOM killer, where it is not the sandbox's own limit. */
  memoryMax: number = Infinity;
  /**
   * What its programs begin as copies of, so that their host processes are in the container's control groups; null: the
   * platform gives them, in those of the sandbox.
   */
  template: AddressSpace | null = null;
  /** Its part of the turns of the kernel's loop, as `cpu.weight` has it: turn_account.ts. */
  turnWeight: number = 100;
  /** Tasks that there may be in it (pids.max of cgroups(7)). */
  tasksMax: number = Infinity;
  /** The same for what they take of the host: a thread for each task and one more for each process. */
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

  /** Of kernel objects that are charged to it. */
  get kernelBytes(): number {
    return this.accounts.all.bytes;
  }

  /** From now on its tasks stop before they go back to guest code; those that run are interrupted. */
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

  /** The first process may run. */
  releaseInit(): void {
    this.isInitHeld = false;
    this.letGo();
  }

  standsStill(group: ThreadGroup): boolean {
    return this.isFrozen || this.isInitHeld && group === this.init;
  }

  private letGo(): void {
    for (const group of this.groups) {
      if (this.standsStill(group)) continue;
      for (const task of group.tasks) if (task.state === FROZEN) resume(task);
    }
  }
}

/** Whether there may be no further task in a container: fork(2) fails with EAGAIN then. */
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

/** Does the task have to stand still because of its container, or of its control groups? Then it is FROZEN, with `result` kept for later. */
export function freezeIfAsked(task: Task, result: number): boolean {
  const { container } = task.group;
  const isHeld = container !== null && container.standsStill(task.group);
  if (!isHeld && !isTaskHeld(task) && !isDelayed(task)) return false;
  task.result = result;
  task.state = FROZEN;
  return true;
}
