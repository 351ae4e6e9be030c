/** cgroup.subtree_control: which controllers the children of a group have. */

import { EBUSY, EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import type { Cgroup } from "./cgroup.ts";
import { CONTROLLER_NAMES, THREADED, UNIFIED } from "./controllers.ts";
import { canBeThreadRoot } from "./membership.ts";

/** "+pids -memory": 0 or -errno, and nothing has changed then. */
export function controlSubtree(group: Cgroup, text: string): number {
  let enable = 0, disable = 0;
  for (const word of text.split(/[ \t]+/)) {
    if (word === "") continue;
    const bit = (CONTROLLER_NAMES.get(word.slice(1)) ?? 0) & UNIFIED;
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
  if (enable !== 0 && !mayEnable(group, enable)) return -EBUSY;
  group.subtreeControl = (group.subtreeControl | enable) & ~disable;
  for (const child of group.children.values()) child.onControllersChange(disable);
  return 0;
}

/** Children do not compete with processes of the group itself. */
function mayEnable(group: Cgroup, enable: number): boolean {
  if (group.parent === null || group.ownTasks === 0) return true;
  return (enable & ~THREADED) === 0 && canBeThreadRoot(group);
}
