/** Who reads and writes a file of a control group: the task that opened it, as it was then. */

import type { Credentials } from "../../cred/credentials.ts";
import type { CgroupNamespace } from "../cgroup_namespace.ts";
import type { PidNamespace } from "../pid_namespace.ts";
import type { Task } from "../task.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Peak } from "./memory.ts";

export class View {
  readonly cred: Credentials;
  /** Null: the kernel itself. */
  readonly task: Task | null;
  readonly pids: PidNamespace;
  readonly ns: CgroupNamespace | null;
  /** Of memory.peak, once this opener has reset it. */
  peak: Peak | null = null;

  constructor(cred: Credentials, task: Task | null, pids: PidNamespace) {
    this.cred = cred;
    this.task = task;
    this.pids = pids;
    this.ns = task?.ns.cgroup ?? null;
  }

  /** The group that its cgroup namespace begins at. */
  rootOf(group: Cgroup): Cgroup {
    const { hierarchy } = group;
    return this.ns?.rootIn(hierarchy) ?? hierarchy.root;
  }

  /** Limits of the group that a namespace begins at are the affair of those outside (nsdelegate). */
  mayLimit(group: Cgroup): boolean {
    const isInitial = this.ns === null || this.ns.isInitial;
    if (isInitial && group.hierarchy.owner.isMachine) return true;
    return group.parent !== null && group !== this.rootOf(group);
  }
}
