/**
 * The files of a container's control group as cgroup v2 has them (cgroup-v2.rst of Linux): limits, and what the sandbox
 * uses.
 *
 * DIFFERS: they can only be read; use is that of the whole sandbox.
 */

import { cpuList } from "../procfs/format.ts";
import type { ProcSource } from "../procfs/source.ts";
import type { CgroupLimits } from "./limits.ts";

type Render = (source: ProcSource, limits: CgroupLimits) => string;

const CONTROLLERS = "cpuset cpu memory pids";
const PAGE = 4096;

/** Texts by name, without their last newline. */
export const CGROUP_FILES: ReadonlyMap<string, Render> = new Map<string, Render>([
  ["cgroup.controllers", () => CONTROLLERS],
  ["cgroup.events", () => "populated 1\nfrozen 0"],
  ["cgroup.freeze", () => "0"],
  ["cgroup.max.depth", () => "0"],
  ["cgroup.max.descendants", () => "0"],
  ["cgroup.procs", (source) => source.processIds().join("\n")],
  ["cgroup.stat", () => "nr_descendants 0\nnr_dying_descendants 0"],
  ["cgroup.subtree_control", () => ""],
  ["cgroup.threads", threads],
  ["cgroup.type", () => "domain"],
  ["cpu.idle", () => "0"],
  ["cpu.max", (_s, limits) => `${max(limits.cpuQuotaUs)} ${limits.cpuPeriodUs}`],
  ["cpu.max.burst", () => "0"],
  ["cpu.stat", cpuStat],
  ["cpu.weight", (_s, limits) => String(limits.cpuWeight)],
  ["cpuset.cpus", (_s, limits) => limits.cpus],
  ["cpuset.cpus.effective", (s, limits) => limits.cpus || cpuList(null, s.host.cpuCount)],
  ["cpuset.mems", (_s, limits) => limits.mems],
  ["cpuset.mems.effective", () => "0"],
  ["memory.current", used],
  ["memory.events", memoryEvents],
  ["memory.high", (_s, limits) => max(limits.memoryHigh)],
  ["memory.low", (_s, limits) => String(limits.memoryLow)],
  ["memory.max", (_s, limits) => max(limits.memoryMax)],
  ["memory.min", () => "0"],
  ["memory.oom.group", () => "0"],
  ["memory.stat", memoryStat],
  ["memory.swap.current", () => "0"],
  ["memory.swap.max", (_s, limits) => max(limits.swapMax)],
  ["pids.current", (source) => String(source.machine().tasks)],
  ["pids.events", () => "max 0"],
  ["pids.max", (_s, limits) => max(limits.pidsMax)],
]);

function max(limit: number): string {
  return limit === Infinity ? "max" : String(limit);
}

function used(source: ProcSource): string {
  return String(source.machine().usedBytes);
}

function threads(source: ProcSource): string {
  const ids = source.processIds().flatMap((pid) => source.task(pid)?.threadIds() ?? []);
  return ids.join("\n");
}

function events(...names: string[]): string {
  return names.map((name) => `${name} 0`).join("\n");
}

function memoryEvents(source: ProcSource): string {
  const { oomKills } = source.machine();
  const before = events("low", "high", "max");
  return `${before}\noom ${oomKills}\noom_kill ${oomKills}\n${events("oom_group_kill")}`;
}

function cpuStat(source: ProcSource): string {
  const { userNs, systemNs } = source.machine();
  const user = Math.floor(userNs / 1000), system = Math.floor(systemNs / 1000);
  const used = `usage_usec ${user + system}\nuser_usec ${user}\nsystem_usec ${system}`;
  return `${used}\n${events("nr_periods", "nr_throttled", "throttled_usec")}`;
}

/** The kernel of a sandbox knows what is reserved, not by whom. */
function memoryStat(source: ProcSource): string {
  const anon = Math.floor(source.machine().usedBytes / PAGE) * PAGE;
  return `anon ${anon}\n${events("file", "kernel", "shmem", "inactive_file", "active_file")}`;
}
