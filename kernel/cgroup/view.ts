/**
 * An opener of a file of a control group: its credentials and its cgroup namespace at open(2)
 * decide what it may write (CVE-2021-4197). Process ids in texts are those of the task that reads
 * or writes.
 */

import type { Credentials } from "../cred/credentials.ts";
import type { CgroupNamespace } from "./namespace.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Peak } from "./memory.ts";
import { ResidentCount } from "../oom/resident_count.ts";

/** LIMIT: time of one turn in which memory is counted, ns. */
const TURN_NS = 500_000;

export class View {
  readonly cred: Credentials;
  /** Null: the kernel itself. */
  readonly task: Task | null;
  readonly ns: CgroupNamespace | null;
  /** The peak that this opener has reset (memory.peak); null: none. */
  peak: Peak | null = null;
  /** The bytes of the group, when `measure` has counted them. */
  usedBytes: number = 0;
  private count: ResidentCount | null = null;

  constructor(cred: Credentials, task: Task | null) {
    this.cred = cred;
    this.task = task;
    this.ns = task?.ns.cgroup ?? null;
  }

  /** Counts the memory of the group (`currentBytes`) for a turn; false: another one is needed. */
  measure(group: Cgroup): boolean {
    const { memory } = group.hierarchy.owner.kernel;
    if (group.parent === null) {
      this.usedBytes = memory.frames.usedBytes;
      return true;
    }
    const count = this.count ??= new ResidentCount(memory.arena, group.memory.frames());
    if (!count.step(memory.host, memory.host.monotonicNs() + TURN_NS)) return false;
    this.usedBytes = count.bytes;
    this.count = null;
    return true;
  }

  /** The root group of the opener's cgroup namespace. */
  rootOf(group: Cgroup): Cgroup {
    const { hierarchy } = group;
    return this.ns?.rootIn(hierarchy) ?? hierarchy.root;
  }

  /**
   * Whether the opener may write limits: those of a namespace's root are set from outside
   * (nsdelegate).
   */
  mayLimit(group: Cgroup): boolean {
    const isInitial = this.ns === null || this.ns.isInitial;
    if (isInitial && group.hierarchy.owner.isMachine) return true;
    return group.parent !== null && group !== this.rootOf(group);
  }
}
