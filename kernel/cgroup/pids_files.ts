/** pids.*: the files of the pids controller. */

import { EINVAL } from "../../ffi/abi/errno.ts";
import { PID_MAX } from "../cred/pid.ts";
import type { Cgroup } from "./cgroup.ts";
import { PIDS } from "./controllers.ts";
import type { FileSpec } from "./files.ts";
import { countOrMax, shown } from "./numbers.ts";

export const PIDS_FILES: readonly FileSpec[] = [
  { name: "pids.current", controller: PIDS, read: (g) => `${g.tasks}\n` },
  {
    name: "pids.events",
    controller: PIDS,
    changes: (g) => g.pids.events,
    read: (g) => `max ${g.pids.failures}\n`,
  },
  {
    name: "pids.events.local",
    controller: PIDS,
    changes: (g) => g.pids.localEvents,
    read: (g) => `max ${g.pids.ownFailures}\n`,
  },
  { name: "pids.max", controller: PIDS, read: pidsMax, write: storeMax },
  { name: "pids.peak", controller: PIDS, read: (g) => `${g.pids.peak}\n` },
];

/** The text of pids.max. */
export function pidsMax(group: Cgroup): string {
  const { limits } = group.hierarchy.owner;
  return `${shown(group.parent === null ? limits.pidsMax : group.pids.max)}\n`;
}

/** Stores pids.max: 0 or -errno. */
export function storeMax(group: Cgroup, text: string): number {
  const max = countOrMax(text);
  if (max < 0 || max >= PID_MAX && max !== Infinity) return -EINVAL;
  group.pids.max = max;
  return 0;
}
