/**
 * cgroup.*: the core interface files that every group of version 2 has (cgroup-v2.rst of Linux).
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { EBUSY, EINVAL, ENOENT, EOPNOTSUPP, ERANGE } from "../../ffi/abi/errno.ts";
import { killGroup } from "../task/exit_request.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import type { Cgroup } from "./cgroup.ts";
import { THREADED, UNIFIED_NAMES, unifiedNames } from "./controllers.ts";
import type { FileSpec } from "./files.ts";
import { freezeGroup, thawGroup } from "./freezer.ts";
import { tasksIn } from "./group_set.ts";
import { memberIds, moveByText } from "./membership.ts";
import { integer, shown } from "./numbers.ts";
import { canBeThreadRoot, isThreadRoot, isValidDomain, storeType, typeOf } from "./threaded.ts";

export const CORE_FILES: readonly FileSpec[] = [
  { name: "cgroup.controllers", controller: 0, read: (g) => names(g.controllers) },
  { name: "cgroup.events", controller: 0, changes: (g) => g.events, read: events },
  {
    name: "cgroup.freeze",
    controller: 0,
    read: (g) => line(g.freeze.isAsked ? "1" : "0"),
    write: storeFreeze,
  },
  { name: "cgroup.kill", controller: 0, write: storeKill },
  {
    name: "cgroup.max.depth",
    controller: 0,
    read: (g) => line(shown(g.maxDepth)),
    write: (g, text) => storeLimit(text, (n) => g.maxDepth = n),
  },
  {
    name: "cgroup.max.descendants",
    controller: 0,
    read: (g) => line(shown(g.maxDescendants)),
    write: (g, text) => storeLimit(text, (n) => g.maxDescendants = n),
  },
  {
    name: "cgroup.procs",
    controller: 0,
    isDelegated: true,
    read: (g) => memberIds(g, false),
    write: (g, text, view) => moveByText(g, text, view, false),
  },
  { name: "cgroup.stat", controller: 0, read: stat },
  {
    name: "cgroup.subtree_control",
    controller: 0,
    isDelegated: true,
    read: (g) => names(g.subtreeControl),
    write: controlSubtree,
  },
  {
    name: "cgroup.threads",
    controller: 0,
    isDelegated: true,
    read: (g) => memberIds(g, true),
    write: (g, text, view) => moveByText(g, text, view, true),
  },
  { name: "cgroup.type", controller: 0, read: (g) => line(typeOf(g)), write: storeType },
];

function line(text: string): string {
  return `${text}\n`;
}

/** An empty set is an empty text, without a line. */
function names(controllers: number): string {
  return controllers === 0 ? "" : line(unifiedNames(controllers));
}

/**
 * cgroup.stat: groups below this one, and how many groups have each controller. Removed groups do
 * not linger, so none is dying.
 */
function stat(group: Cgroup): string {
  let living = `nr_descendants ${group.descendants}\n`, dying = "nr_dying_descendants 0\n";
  const groups = group.subtree();
  for (const [name, bit] of UNIFIED_NAMES) {
    if ((group.hierarchy.controllers & bit) === 0) continue;
    const count = groups.filter(({ controllers }) => (controllers & bit) !== 0).length;
    living += `nr_subsys_${name} ${count}\n`;
    dying += `nr_dying_subsys_${name} 0\n`;
  }
  return living + dying;
}

function events(group: Cgroup): string {
  return `populated ${group.tasks > 0 ? 1 : 0}\nfrozen ${group.freeze.isFrozen ? 1 : 0}\n`;
}

function storeFreeze(group: Cgroup, text: string): number {
  const n = integer(text);
  if (n === null) return -EINVAL;
  if (n !== 0 && n !== 1) return -ERANGE;
  if (n === 1) freezeGroup(group);
  else thawGroup(group);
  return 0;
}

function storeKill(group: Cgroup, text: string): number {
  const n = integer(text);
  if (n === null) return -EINVAL;
  if (n !== 1) return -ERANGE;
  // Only whole processes can be killed.
  if (group.threadedIn !== null) return -EOPNOTSUPP;
  for (const process of processesIn(group)) if (!process.isIdle) killGroup(process, SIGKILL);
  return 0;
}

function processesIn(group: Cgroup): Set<ThreadGroup> {
  const processes = new Set<ThreadGroup>();
  for (const task of tasksIn(group)) processes.add(task.group);
  return processes;
}

function storeLimit(text: string, set: (n: number) => void): number {
  const n = text === "max" ? Infinity : integer(text);
  if (n === null) return -EINVAL;
  if (n < 0 || n > 0x7fffffff && n !== Infinity) return -ERANGE;
  set(n);
  return 0;
}

/**
 * cgroup.subtree_control: apply a text such as "+pids -memory": 0, or -errno with nothing changed.
 */
function controlSubtree(group: Cgroup, text: string): number {
  let enable = 0, disable = 0;
  for (const word of text.split(/[ \t]+/)) {
    if (word === "") continue;
    const bit = UNIFIED_NAMES.get(word.slice(1)) ?? 0;
    if (bit === 0) return -EINVAL;
    if (word.startsWith("+")) [enable, disable] = [enable | bit, disable & ~bit];
    else if (word.startsWith("-")) [enable, disable] = [enable & ~bit, disable | bit];
    else return -EINVAL;
  }
  enable &= ~group.subtreeControl;
  disable &= group.subtreeControl;
  if ((enable & ~group.controllers) !== 0) return -ENOENT;
  for (const child of group.children.values()) {
    if ((child.subtreeControl & disable) !== 0) return -EBUSY;
  }
  const r = enable === 0 ? 0 : mayEnable(group, enable);
  if (r < 0) return r;
  group.subtreeControl = (group.subtreeControl | enable) & ~disable;
  for (const child of group.children.values()) child.onControllersChange(disable);
  return 0;
}

/**
 * Whether children may get controllers: they must not compete with processes of the group itself.
 */
function mayEnable(group: Cgroup, enable: number): number {
  if (!isValidDomain(group.domain)) return -EOPNOTSUPP;
  if (group.parent === null) return 0;
  if ((enable & ~THREADED) !== 0) {
    if (group.threadedIn !== null || isThreadRoot(group)) return -EOPNOTSUPP;
  } else if (group.threadedIn !== null || canBeThreadRoot(group)) {
    return 0;
  }
  return group.ownTasks > 0 ? -EBUSY : 0;
}
