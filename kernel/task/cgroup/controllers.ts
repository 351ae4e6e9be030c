/** The controllers of control groups (cgroups(7)): bits of sets of them, and their names. */

export const CPUSET = 1, CPU = 2, CPUACCT = 4, MEMORY = 8, FREEZER = 16, PIDS = 32;

/** In the order of /proc/cgroups. */
export const CONTROLLER_NAMES: ReadonlyMap<string, number> = new Map([
  ["cpuset", CPUSET],
  ["cpu", CPU],
  ["cpuacct", CPUACCT],
  ["memory", MEMORY],
  ["freezer", FREEZER],
  ["pids", PIDS],
]);

/** Those that there are in version 2; the others are part of every group there, or only of version 1. */
export const UNIFIED: number = CPUSET | CPU | MEMORY | PIDS;
/** Of those, the ones that may be given to children of a group that has processes itself. */
export const THREADED: number = CPUSET | CPU | PIDS;

/** "cpuset cpu": the names of a set. */
export function controllerNames(set: number, separator: string = " "): string {
  const names: string[] = [];
  for (const [name, bit] of CONTROLLER_NAMES) if ((set & bit) !== 0) names.push(name);
  return names.join(separator);
}
