/** cpu.* and cpuset.*: files of the cpu and cpuset controllers of version 2. */

import { EINVAL, ERANGE } from "../../ffi/abi/errno.ts";
import { cpuList } from "../fs/generated/format.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPU, CPUSET } from "./controllers.ts";
import { cpuUse } from "./cpu.ts";
import { effectiveCpus, parseCpus } from "./cpuset.ts";
import type { FileSpec } from "./files.ts";
import { integer, shown } from "./numbers.ts";

/** Bounds of cpu.max, us. */
const MIN_US = 1000, MAX_PERIOD_US = 1_000_000;
/** Weights of nice values (sched_prio_to_weight of Linux): 1024 for nice 0. */
const NICE_BASE = 1.25, NICE_DEFAULT = 100;

export const CPU_FILES: readonly FileSpec[] = [
  {
    name: "cpu.idle",
    controller: CPU,
    read: (g) => g.cpu.isIdle ? "1\n" : "0\n",
    write: storeIdle,
  },
  { name: "cpu.max", controller: CPU, read: cpuMax, write: storeMax },
  {
    name: "cpu.max.burst",
    controller: CPU,
    read: (g) => `${g.cpu.burstUs}\n`,
    write: storeBurst,
  },
  { name: "cpu.stat", controller: 0, read: cpuStat },
  { name: "cpu.weight", controller: CPU, read: (g) => `${weight(g)}\n`, write: storeWeight },
  { name: "cpu.weight.nice", controller: CPU, read: weightNice, write: storeNice },
  { name: "cpuset.cpus", controller: CPUSET, read: cpus, write: storeCpus },
  { name: "cpuset.cpus.effective", controller: CPUSET, read: effective },
  { name: "cpuset.mems", controller: CPUSET, read: mems, write: storeMems },
  { name: "cpuset.mems.effective", controller: CPUSET, read: () => "0\n" },
];

function cpuMax(group: Cgroup): string {
  const { limits } = group.hierarchy.owner, { cpu } = group;
  if (group.parent === null) return `${shown(limits.cpuQuotaUs)} ${limits.cpuPeriodUs}\n`;
  return `${shown(cpu.quotaUs)} ${cpu.periodUs}\n`;
}

/** Stores "$MAX $PERIOD", of which the period may be missing. */
function storeMax(group: Cgroup, text: string): number {
  const [max = "", period, more] = text.split(/\s+/);
  const quotaUs = max === "max" ? Infinity : integer(max);
  const periodUs = period === undefined ? group.cpu.periodUs : integer(period);
  if (quotaUs === null || periodUs === null || more !== undefined) return -EINVAL;
  if (quotaUs < MIN_US || periodUs < MIN_US || periodUs > MAX_PERIOD_US) return -EINVAL;
  group.cpu.setQuota(quotaUs, periodUs);
  return 0;
}

function storeBurst(group: Cgroup, text: string): number {
  const us = integer(text);
  if (us === null || us < 0 || us > group.cpu.quotaUs) return -EINVAL;
  group.cpu.burstUs = us;
  return 0;
}

/** The text of cpu.stat. */
function cpuStat(group: Cgroup): string {
  const { userNs, systemNs } = cpuUse(group), us = (ns: number) => Math.floor(ns / 1000);
  const user = us(userNs), system = us(systemNs), { cpu, controllers } = group;
  const text = `usage_usec ${user + system}\nuser_usec ${user}\nsystem_usec ${system}\n`;
  if ((controllers & CPU) === 0) return text;
  return `${text}nr_periods ${cpu.periods}\nnr_throttled ${cpu.throttles}\n` +
    `throttled_usec ${us(cpu.throttledNs)}\nnr_bursts 0\nburst_usec 0\n`;
}

function weight(group: Cgroup): number {
  if (group.parent === null) return group.hierarchy.owner.limits.cpuWeight;
  return group.cpu.isIdle ? 0 : group.cpu.weight;
}

function storeWeight(group: Cgroup, text: string): number {
  const n = integer(text);
  if (n === null || group.cpu.isIdle) return -EINVAL;
  if (n < 1 || n > 10000) return -ERANGE;
  group.cpu.weight = n;
  return 0;
}

function storeIdle(group: Cgroup, text: string): number {
  const n = integer(text);
  if (n === null) return -EINVAL;
  if (n !== 0 && n !== 1) return -ERANGE;
  group.cpu.isIdle = n === 1;
  return 0;
}

function weightNice(group: Cgroup): string {
  const nice = -Math.round(Math.log(weight(group) / NICE_DEFAULT) / Math.log(NICE_BASE));
  return `${Math.max(-20, Math.min(19, nice)) || 0}\n`;
}

function storeNice(group: Cgroup, text: string): number {
  const nice = integer(text);
  if (nice === null) return -EINVAL;
  if (nice < -20 || nice > 19) return -ERANGE;
  const exact = Math.round(NICE_DEFAULT * NICE_BASE ** -nice);
  group.cpu.weight = Math.max(1, Math.min(10000, exact));
  return 0;
}

function cpus(group: Cgroup): string {
  const { limits, kernel } = group.hierarchy.owner;
  if (group.parent === null) return `${limits.cpus}\n`;
  const own = group.cpuset.cpus;
  return own === null ? "\n" : `${cpuList(own, kernel.host.cpuCount)}\n`;
}

/** Stores cpuset.cpus: 0 or -errno. */
export function storeCpus(group: Cgroup, text: string): number {
  const { host, memory } = group.hierarchy.owner.kernel, mask = parseCpus(text, host.cpuCount);
  if (mask === undefined) return /^[\d,-]*$/.test(text) ? -ERANGE : -EINVAL;
  if (mask !== null) memory.hideProcessors();
  group.cpuset.cpus = mask;
  return 0;
}

/** The text of cpuset.cpus.effective. */
export function effective(group: Cgroup): string {
  const { limits, kernel } = group.hierarchy.owner, mask = effectiveCpus(group);
  if (mask === null && limits.cpus !== "") return `${limits.cpus}\n`;
  return `${cpuList(mask, kernel.host.cpuCount)}\n`;
}

function mems(group: Cgroup): string {
  const { limits } = group.hierarchy.owner;
  return `${group.parent === null ? limits.mems : group.cpuset.mems}\n`;
}

/** There is one memory node. */
export function storeMems(group: Cgroup, text: string): number {
  if (text !== "" && !/^0(-0)?$/.test(text)) return /^[\d,-]*$/.test(text) ? -ERANGE : -EINVAL;
  group.cpuset.mems = text === "" ? "" : "0";
  return 0;
}
