/** Files of groups of version 1 (cgroup-v1 of Linux), except those of memory. */

import { EINVAL } from "../../ffi/abi/errno.ts";
import { cpuList, ticks } from "../fs/generated/format.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPU, CPUACCT, CPUSET, FREEZER, PIDS } from "./controllers.ts";
import { effective, storeCpus, storeMems } from "./cpu_files.ts";
import { cpuUse } from "./cpu.ts";
import type { FileSpec } from "./files.ts";
import { freezeGroup, isFreezing, thawGroup } from "./freezer.ts";
import { memberIds, moveByText } from "./membership.ts";
import { integer } from "./numbers.ts";
import { pidsMax, storeMax } from "./pids_files.ts";

/** cpu.shares for a weight of 100. */
const SHARES = 1024, WEIGHT = 100, MIN_SHARES = 2, MAX_SHARES = 262144;
const MIN_US = 1000, MAX_PERIOD_US = 1_000_000;

export const LEGACY_FILES: readonly FileSpec[] = [
  {
    name: "cgroup.procs",
    controller: 0,
    read: (g) => memberIds(g, false),
    write: (g, text, view) => moveByText(g, text, view, false),
  },
  {
    name: "tasks",
    controller: 0,
    read: (g) => memberIds(g, true),
    write: (g, text, view) => moveByText(g, text, view, true),
  },
  { name: "cgroup.clone_children", controller: 0, read: () => "0\n" },
  { name: "notify_on_release", controller: 0, read: () => "0\n" },
  below("cpu.shares", CPU, (g) => Math.round(g.cpu.weight * SHARES / WEIGHT), storeShares),
  below("cpu.cfs_quota_us", CPU, (g) => g.cpu.quotaUs === Infinity ? -1 : g.cpu.quotaUs, (g, n) => {
    if (n >= 0 && n < MIN_US) return -EINVAL;
    g.cpu.setQuota(n < 0 ? Infinity : n, g.cpu.periodUs);
    return 0;
  }),
  below("cpu.cfs_period_us", CPU, (g) => g.cpu.periodUs, (g, n) => {
    if (n < MIN_US || n > MAX_PERIOD_US) return -EINVAL;
    g.cpu.setQuota(g.cpu.quotaUs, n);
    return 0;
  }),
  { name: "cpu.stat", controller: CPU, isBelowRoot: true, read: cpuStat },
  { name: "cpuacct.usage", controller: CPUACCT, read: (g) => `${Math.floor(usedNs(g))}\n` },
  { name: "cpuacct.stat", controller: CPUACCT, read: cpuacctStat },
  { name: "cpuset.cpus", controller: CPUSET, read: cpus, write: belowRoot(storeCpus) },
  { name: "cpuset.mems", controller: CPUSET, read: mems, write: belowRoot(storeMems) },
  { name: "cpuset.effective_cpus", controller: CPUSET, read: effective },
  { name: "cpuset.effective_mems", controller: CPUSET, read: () => "0\n" },
  {
    name: "freezer.state",
    controller: FREEZER,
    isBelowRoot: true,
    read: (g) => !isFreezing(g) ? "THAWED\n" : g.freeze.isFrozen ? "FROZEN\n" : "FREEZING\n",
    write: storeState,
  },
  {
    name: "freezer.self_freezing",
    controller: FREEZER,
    isBelowRoot: true,
    read: (g) => g.freeze.isAsked ? "1\n" : "0\n",
  },
  {
    name: "freezer.parent_freezing",
    controller: FREEZER,
    isBelowRoot: true,
    read: (g) => g.parent !== null && isFreezing(g.parent) ? "1\n" : "0\n",
  },
  { name: "pids.current", controller: PIDS, isBelowRoot: true, read: (g) => `${g.tasks}\n` },
  {
    name: "pids.events",
    controller: PIDS,
    isBelowRoot: true,
    changes: (g) => g.pids.events,
    read: (g) => `max ${g.pids.ownFailures}\n`,
  },
  { name: "pids.max", controller: PIDS, isBelowRoot: true, read: pidsMax, write: storeMax },
  { name: "pids.peak", controller: PIDS, isBelowRoot: true, read: (g) => `${g.pids.peak}\n` },
];

/** A number that only groups below the root have. */
function below(
  name: string,
  controller: number,
  get: (group: Cgroup) => number,
  set: (group: Cgroup, n: number) => number,
): FileSpec {
  return {
    name,
    controller,
    isBelowRoot: true,
    read: (group) => `${get(group)}\n`,
    write: (group, text) => {
      const n = integer(text);
      return n === null ? -EINVAL : set(group, n);
    },
  };
}

function storeShares(group: Cgroup, n: number): number {
  if (n < 0) return -EINVAL;
  const shares = Math.max(MIN_SHARES, Math.min(MAX_SHARES, n));
  group.cpu.weight = shares * WEIGHT / SHARES;
  return 0;
}

function cpuStat({ cpu }: Cgroup): string {
  return `nr_periods ${cpu.periods}\nnr_throttled ${cpu.throttles}\n` +
    `throttled_time ${Math.floor(cpu.throttledNs)}\n`;
}

/**
 * The CPU time of a group; at the root that of the whole container, as tasks there are not charged.
 */
function use(group: Cgroup): { userNs: number; systemNs: number } {
  return cpuUse(group.parent === null ? group.hierarchy.owner.unified.root : group);
}

function usedNs(group: Cgroup): number {
  const { userNs, systemNs } = use(group);
  return userNs + systemNs;
}

function cpuacctStat(group: Cgroup): string {
  const { userNs, systemNs } = use(group);
  return `user ${ticks(userNs)}\nsystem ${ticks(systemNs)}\n`;
}

function cpus(group: Cgroup): string {
  const { cpuCount } = group.hierarchy.owner.kernel.host, { cpus } = group.cpuset;
  if (group.parent === null) return effective(group);
  return cpus === null ? "\n" : `${cpuList(cpus, cpuCount)}\n`;
}

function mems(group: Cgroup): string {
  return group.parent === null ? "0\n" : `${group.cpuset.mems}\n`;
}

function belowRoot(
  store: (group: Cgroup, text: string) => number,
): (group: Cgroup, text: string) => number {
  return (group, text) => group.parent === null ? -EINVAL : store(group, text);
}

function storeState(group: Cgroup, text: string): number {
  if (text === "FROZEN") freezeGroup(group);
  else if (text === "THAWED") thawGroup(group);
  else return -EINVAL;
  return 0;
}
