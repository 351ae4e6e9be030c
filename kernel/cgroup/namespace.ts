/**
 * Cgroup namespaces (cgroup_namespaces(7)): the groups that its tasks see as roots, which are the
 * groups of the task that made it.
 */

import { Namespace } from "../cred/namespace.ts";
import type { UserNamespace } from "../cred/user_namespace.ts";
import type { Cgroup } from "./cgroup.ts";
import type { GroupSet } from "./group_set.ts";
import type { Hierarchy } from "./hierarchy.ts";

export class CgroupNamespace extends Namespace {
  override readonly kind = "cgroup";
  readonly roots: GroupSet;

  constructor(owner: UserNamespace, isInitial: boolean, roots: GroupSet) {
    super(owner, isInitial);
    this.roots = roots;
  }

  rootIn(hierarchy: Hierarchy): Cgroup {
    return this.roots.in(hierarchy);
  }

  /** The path of a group as seen from here: "/..", "/../b" for a group outside. */
  pathOf(group: Cgroup): string {
    const root = this.rootIn(group.hierarchy);
    if (group.hierarchy.owner !== root.hierarchy.owner) return "/";
    if (group.isWithin(root)) {
      const path = root.parent === null ? group.path : group.path.slice(root.path.length);
      return path === "" ? "/" : path;
    }
    let above = root, ups = "";
    while (!group.isWithin(above) && above.parent !== null) {
      above = above.parent;
      ups += "/..";
    }
    const rest = above.parent === null ? group.path : group.path.slice(above.path.length);
    return rest === "/" ? ups : ups + rest;
  }
}
