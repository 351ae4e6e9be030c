/** The controllers of control groups (cgroups(7)): bits of sets of them, and their names. */

export const CPUSET = 1, CPU = 2, CPUACCT = 4, MEMORY = 8, FREEZER = 16, PIDS = 32, IO = 64;

/** Controllers of version 1, in the order of /proc/cgroups. */
export const LEGACY_NAMES: ReadonlyMap<string, number> = new Map([
  ["cpuset", CPUSET],
  ["cpu", CPU],
  ["cpuacct", CPUACCT],
  ["blkio", IO],
  ["memory", MEMORY],
  ["freezer", FREEZER],
  ["pids", PIDS],
]);

/** Controllers of version 2. Others are part of every group there, or exist in version 1 only. */
export const UNIFIED_NAMES: ReadonlyMap<string, number> = new Map([
  ["cpuset", CPUSET],
  ["cpu", CPU],
  ["io", IO],
  ["memory", MEMORY],
  ["pids", PIDS],
]);
export const UNIFIED: number = CPUSET | CPU | IO | MEMORY | PIDS;
/** Controllers of version 2 that children of a group with processes may have. */
export const THREADED: number = CPUSET | CPU | PIDS;

/** The names of a set in version 2: "cpuset cpu". */
export function unifiedNames(set: number): string {
  return namesIn(UNIFIED_NAMES, set).join(" ");
}

/** The names of a set in version 1: "cpu,cpuacct". */
export function legacyNames(set: number): string {
  return namesIn(LEGACY_NAMES, set).join(",");
}

function namesIn(all: ReadonlyMap<string, number>, set: number): string[] {
  return [...all].filter(([, bit]) => (set & bit) !== 0).map(([name]) => name);
}
