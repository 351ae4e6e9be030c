/** Control groups in /proc: cgroups, PID/cgroup, PID/cpuset. */

import type { CgroupNamespace } from "./namespace.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPUSET, LEGACY_NAMES, legacyNames } from "./controllers.ts";
import type { Cgroups } from "./hierarchy.ts";

/** PID/cgroup: a line a hierarchy, version 1 first; paths as the reader's namespace sees them. */
export function groupsText(task: Task, reader: CgroupNamespace): string {
  const { cgroups } = task, { owner } = cgroups.unified.hierarchy;
  let text = "";
  for (const hierarchy of owner.legacy.toReversed()) {
    const { id, name, controllers } = hierarchy;
    const names = [legacyNames(controllers), name === "" ? "" : `name=${name}`];
    const shown = names.filter((n) => n !== "").join(",");
    text += `${id}:${shown}:${pathText(cgroups.in(hierarchy), reader)}\n`;
  }
  return `${text}0::${pathText(cgroups.unified, reader)}\n`;
}

function pathText(group: Cgroup, reader: CgroupNamespace): string {
  return reader.pathOf(group) + (group.isGone ? " (deleted)" : "");
}

/** PID/cpuset: the path of the task's cpuset group. */
export function cpusetText(task: Task, reader: CgroupNamespace): string {
  const { cgroups } = task, hierarchy = cgroups.unified.hierarchy.owner.of(CPUSET);
  return `${reader.pathOf(cgroups.in(hierarchy))}\n`;
}

/** /proc/cgroups: the controllers, their hierarchies, and their numbers of groups. */
export function controllersText(owner: Cgroups): string {
  let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";
  for (const [name, bit] of LEGACY_NAMES) {
    const hierarchy = owner.of(bit);
    let groups = 0;
    for (const group of hierarchy.root.subtree()) {
      if (group.parent === null || (group.controllers & bit) !== 0) groups++;
    }
    text += `${name}\t${hierarchy.id}\t${groups}\t1\n`;
  }
  return text;
}
