/** cgroup.subtree_control: the controllers that the children of a group have. */

import { EBUSY, EINVAL, ENOENT, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import type { Cgroup } from "./cgroup.ts";
import { THREADED, UNIFIED_NAMES } from "./controllers.ts";
import { canBeThreadRoot, isThreadRoot, isValidDomain } from "./threaded.ts";

/** Apply a text such as "+pids -memory": 0, or -errno with nothing changed. */
export function controlSubtree(group: Cgroup, text: string): number {
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
