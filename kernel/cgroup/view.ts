/**
 * The opener of a file of a control group, as it was then: its credentials and its cgroup namespace
 * decide what may be written (CVE-2021-4197). Process ids in the text are those of the task that
 * reads or writes, as everywhere.
 */

import type { Credentials } from "../cred/credentials.ts";
import type { CgroupNamespace } from "./namespace.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Peak } from "./memory.ts";

export class View {
  readonly cred: Credentials;
  /** Null: the kernel itself. */
  readonly task: Task | null;
  readonly ns: CgroupNamespace | null;
  /** Of memory.peak, once this opener has reset it. */
  peak: Peak | null = null;

  constructor(cred: Credentials, task: Task | null) {
    this.cred = cred;
    this.task = task;
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
