/**
 * The cpuset controller: the CPUs that tasks of a group may use.
 *
 * DIFFERS: like affinity masks they are kept and shown; the host chooses the CPUs of threads.
 */

import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPUSET } from "./controllers.ts";

/** The state of the cpuset controller in one group. */
export class CpusetState {
  /** One bit a CPU; null: the CPUs of the parent. */
  cpus: Uint32Array | null = null;
  mems: string = "";

  onLoss(lost: number): void {
    if ((lost & CPUSET) === 0) return;
    this.cpus = null;
    this.mems = "";
  }
}

/** Parses a list such as "0-2,5"; "" is null; undefined: not a list of existing CPUs. */
export function parseCpus(text: string, count: number): Uint32Array | null | undefined {
  if (text === "") return null;
  const mask = new Uint32Array((count + 31) >> 5);
  for (const part of text.split(",")) {
    const m = /^(\d+)(?:-(\d+))?$/.exec(part);
    const first = Number(m?.[1]), last = Number(m?.[2] ?? first);
    if (m === null || first > last || last >= count) return undefined;
    for (let cpu = first; cpu <= last; cpu++) mask[cpu >> 5]! |= 1 << (cpu & 31);
  }
  return mask;
}

/** The CPUs of a group; null: all. A set without any CPU of the parent's counts as the parent's. */
export function effectiveCpus(group: Cgroup): Uint32Array | null {
  const above = group.parent === null ? null : effectiveCpus(group.parent);
  const own = group.cpuset.cpus;
  if (own === null) return above;
  return above === null ? own : intersection(own, above);
}

function intersection(mask: Uint32Array, allowed: Uint32Array): Uint32Array {
  const both = mask.map((word, i) => word & allowed[i]!);
  return both.some((word) => word !== 0) ? both : allowed;
}

/** The CPUs that the task's groups allow; null: all. */
export function allowedCpus(task: Task): Uint32Array | null {
  const { cgroups } = task;
  return effectiveCpus(cgroups.in(cgroups.unified.hierarchy.owner.of(CPUSET)));
}

/** The task's own mask, cut to what its groups allow. */
export function affinityOf(task: Task): Uint32Array | null {
  const own = task.sched.affinity, allowed = allowedCpus(task);
  return own === null || allowed === null ? own ?? allowed : intersection(own, allowed);
}
