/**
 * Threaded groups (cgroup-v2.rst of Linux, "Threads"): children of a domain that may have single
 * threads of its processes; and cgroup.type.
 */

import { EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import type { Cgroup } from "./cgroup.ts";
import { THREADED } from "./controllers.ts";

/** The text of cgroup.type. */
export function typeOf(group: Cgroup): string {
  if (group.threadedIn !== null) return "threaded";
  if (!isValidDomain(group)) return "domain invalid";
  return isThreadRoot(group) ? "domain threaded" : "domain";
}

/**
 * cgroup.type: make a group threaded for good, and with it the threaded groups below. 0 or -errno.
 */
export function storeType(group: Cgroup, text: string): number {
  const { parent } = group;
  if (text !== "threaded") return -EINVAL;
  if (group.threadedIn !== null) return 0;
  if (parent === null || group.tasks > 0) return -EOPNOTSUPP;
  if ((group.subtreeControl & ~THREADED) !== 0) return -EOPNOTSUPP;
  const { domain } = parent;
  if (!isValidDomain(domain) || !canBeThreadRoot(domain)) return -EOPNOTSUPP;
  for (const below of group.subtree()) {
    if (below === group || below.threadedIn !== null) below.threadedIn = domain;
  }
  parent.threadedChildren++;
  group.onControllersChange(parent.subtreeControl & ~THREADED);
  return 0;
}

/** Whether a domain is valid: not below or beside threaded groups. */
export function isValidDomain(group: Cgroup): boolean {
  if (group.threadedIn !== null) return false;
  for (let up = group.parent; up !== null; up = up.parent) {
    if (up.threadedIn !== null || (up.parent !== null && isThreadRoot(up))) return false;
  }
  return true;
}

/** Whether the group has threaded children, or threaded controllers beside processes. */
export function isThreadRoot(group: Cgroup): boolean {
  if (group.threadedIn !== null) return false;
  if (group.threadedChildren > 0) return true;
  return group.ownTasks > 0 && (group.subtreeControl & THREADED) !== 0;
}

/**
 * Whether the group may have threaded children beside processes.
 *
 * DIFFERS: the root of a container may, as the root of a machine may.
 */
export function canBeThreadRoot(group: Cgroup): boolean {
  if (group.parent === null) return true;
  if (group.threadedIn !== null || (group.subtreeControl & ~THREADED) !== 0) return false;
  for (const child of group.children.values()) {
    if (child.tasks > 0 && child.threadedIn === null) return false;
  }
  return true;
}
