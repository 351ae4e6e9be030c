/** memory.*: the files of the memory controller of version 2. */

import { EAGAIN, EINVAL } from "../../../ffi/abi/errno.ts";
import type { CgroupLimits } from "../../fs/cgroupfs/limits.ts";
import { residentIn } from "../oom_killer.ts";
import type { Cgroup } from "./cgroup.ts";
import { MEMORY } from "./controllers.ts";
import type { FileSpec } from "./file_spec.ts";
import type { MemoryEvents } from "./memory.ts";
import { bytesOrMax, integer, shown } from "./numbers.ts";

const PAGE = 4096;
/** What nobody counts: it is shown as 0. */
const UNCOUNTED =
  "kernel kernel_stack pagetables percpu sock vmalloc shmem file_mapped file_dirty " +
  "file_writeback swapcached inactive_file active_file unevictable slab_reclaimable " +
  "slab_unreclaimable slab";

export const MEMORY_FILES: readonly FileSpec[] = [
  { name: "memory.current", controller: MEMORY, read: (g) => `${currentBytes(g)}\n` },
  {
    name: "memory.events",
    controller: MEMORY,
    changes: (g) => g.memory.events,
    read: (g) => eventsText(rootCounts(g) ?? g.memory.counts),
  },
  {
    name: "memory.events.local",
    controller: MEMORY,
    changes: (g) => g.memory.localEvents,
    read: (g) => eventsText(g.memory.ownCounts),
  },
  limit("memory.high", (g) => outside(g)?.memoryHigh ?? g.memory.high, (g, n) => {
    g.memory.setHigh(n);
  }),
  limit("memory.low", (g) => outside(g)?.memoryLow ?? g.memory.low, (g, n) => g.memory.low = n),
  limit("memory.max", (g) => outside(g)?.memoryMax ?? g.memory.memoryMax, (g, n) => {
    g.memory.setMax(n);
  }),
  limit("memory.min", (g) => g.memory.min, (g, n) => g.memory.min = n),
  {
    name: "memory.oom.group",
    controller: MEMORY,
    isDelegated: true,
    read: (g) => g.memory.isOomGroup ? "1\n" : "0\n",
    write: storeOomGroup,
  },
  {
    name: "memory.peak",
    controller: MEMORY,
    read: (g) => {
      g.memory.onMeasured(currentBytes(g));
      return `${g.memory.peakBytes}\n`;
    },
  },
  { name: "memory.reclaim", controller: MEMORY, isDelegated: true, write: reclaim },
  { name: "memory.stat", controller: MEMORY, read: memoryStat },
  { name: "memory.swap.current", controller: MEMORY, read: () => "0\n" },
  { name: "memory.swap.events", controller: MEMORY, read: () => "high 0\nmax 0\nfail 0\n" },
  limit("memory.swap.high", (g) => g.memory.swapHigh, (g, n) => g.memory.swapHigh = n),
  limit("memory.swap.max", (g) => outside(g)?.swapMax ?? g.memory.swapMax, (g, n) => {
    g.memory.swapMax = n;
  }),
  { name: "memory.swap.peak", controller: MEMORY, read: () => "0\n" },
];

function limit(
  name: string,
  get: (group: Cgroup) => number,
  set: (group: Cgroup, bytes: number) => void,
): FileSpec {
  return {
    name,
    controller: MEMORY,
    read: (group) => `${shown(get(group))}\n`,
    write: (group, text) => {
      const bytes = bytesOrMax(text);
      if (bytes < 0) return -EINVAL;
      set(group, bytes);
      return 0;
    },
  };
}

/** The limits that a container has, at its root. */
function outside(group: Cgroup): CgroupLimits | null {
  return group.parent === null ? group.hierarchy.owner.limits : null;
}

/**
 * Bytes that the host has given for what is charged to the group.
 *
 * DIFFERS: at the root, what is reserved in the whole sandbox.
 */
export function currentBytes(group: Cgroup): number {
  const { memory } = group.hierarchy.owner.kernel;
  if (group.parent === null) return memory.frames.usedBytes;
  return residentIn(memory.arena, group.memory.frameRuns());
}

/** What a container is killed for is counted by the kernel. */
function rootCounts(group: Cgroup): MemoryEvents | null {
  if (group.parent !== null) return null;
  const { kills } = group.hierarchy.owner.kernel.oom;
  return { ...group.memory.counts, oom: kills, kills };
}

function eventsText(counts: MemoryEvents): string {
  const { high, max, oom, kills, groupKills } = counts;
  return `low 0\nhigh ${high}\nmax ${max}\noom ${oom}\noom_kill ${kills}\n` +
    `oom_group_kill ${groupKills}\n`;
}

/** Frames are not told apart by what they are for. */
function memoryStat(group: Cgroup): string {
  const anon = Math.floor(currentBytes(group) / PAGE) * PAGE;
  let minor = 0, major = 0;
  for (const { usage } of group.memory.groups) {
    minor += usage.minorFaults;
    major += usage.majorFaults;
  }
  const zeros = UNCOUNTED.split(" ").map((name) => `${name} 0\n`).join("");
  return `anon ${anon}\nfile 0\n${zeros}inactive_anon 0\nactive_anon ${anon}\n` +
    `pgfault ${minor + major}\npgmajfault ${major}\n`;
}

function storeOomGroup(group: Cgroup, text: string): number {
  const n = integer(text);
  if (n !== 0 && n !== 1) return -EINVAL;
  group.memory.isOomGroup = n === 1;
  return 0;
}

/** Nothing can be reclaimed. */
function reclaim(_group: Cgroup, text: string): number {
  return bytesOrMax(text) < 0 ? -EINVAL : -EAGAIN;
}
