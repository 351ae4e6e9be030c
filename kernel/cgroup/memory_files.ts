/** memory.*: the files of the memory controller of version 2. */

import { EAGAIN, EINVAL } from "../../ffi/abi/errno.ts";
import type { CgroupLimits } from "./fs/limits.ts";
import type { Cgroup } from "./cgroup.ts";
import { MEMORY } from "./controllers.ts";
import type { FileSpec } from "./files.ts";
import { currentBytes, type MemoryEvents } from "./memory.ts";
import { memoryStat, numaStat } from "./memory_stat.ts";
import { bytesOrMax, integer, shown } from "./numbers.ts";
import type { View } from "./view.ts";

export const MEMORY_FILES: readonly FileSpec[] = [
  {
    name: "memory.current",
    controller: MEMORY,
    measures: true,
    read: (_g, view) => `${view.usedBytes}\n`,
  },
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
  limit("memory.high", (g) => outside(g)?.memoryHigh ?? g.memory.high.bytes, (g, n) => {
    g.memory.setHigh(n);
  }),
  limit("memory.low", (g) => outside(g)?.memoryLow ?? g.memory.low, (g, n) => g.memory.low = n),
  limit("memory.max", (g) => outside(g)?.memoryMax ?? g.memory.memoryMax, (g, n) => {
    g.memory.setMax(n);
  }),
  limit("memory.min", (g) => g.memory.min, (g, n) => g.memory.min = n),
  { name: "memory.numa_stat", controller: MEMORY, measures: true, read: numaStat },
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
    measures: true,
    read: (g, view) => {
      g.memory.notePeak(view.usedBytes);
      return `${view.peak?.bytes ?? g.memory.peakBytes}\n`;
    },
    write: resetPeak,
    close: (g, view) => g.memory.forgetPeak(view),
  },
  { name: "memory.reclaim", controller: MEMORY, isDelegated: true, write: reclaim },
  { name: "memory.stat", controller: MEMORY, measures: true, read: memoryStat },
  { name: "memory.swap.current", controller: MEMORY, read: () => "0\n" },
  { name: "memory.swap.events", controller: MEMORY, read: () => "high 0\nmax 0\nfail 0\n" },
  limit("memory.swap.high", (g) => g.memory.swapHigh, (g, n) => g.memory.swapHigh = n),
  limit("memory.swap.max", (g) => outside(g)?.swapMax ?? g.memory.swapMax, (g, n) => {
    g.memory.swapMax = n;
  }),
  { name: "memory.swap.peak", controller: MEMORY, read: () => "0\n", write: checkPeak },
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

/** The limits of the container, at its root group; null elsewhere. */
function outside(group: Cgroup): CgroupLimits | null {
  return group.parent === null ? group.hierarchy.owner.limits : null;
}

/** The events of the root, which the kernel counts. */
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

/** This opener reads the highest usage since now. */
function resetPeak(group: Cgroup, text: string, view: View): number {
  const r = checkPeak(group, text);
  if (r === 0) group.memory.watchPeak(view, currentBytes(group));
  return r;
}

function checkPeak(_group: Cgroup, text: string): number {
  return text === "" ? -EINVAL : 0;
}

function storeOomGroup(group: Cgroup, text: string): number {
  const n = integer(text);
  if (n !== 0 && n !== 1) return -EINVAL;
  group.memory.isOomGroup = n === 1;
  return 0;
}

/** Checks "BYTES [swappiness=N]". Nothing can be reclaimed: there is no swap and no page cache. */
function reclaim(_group: Cgroup, text: string): number {
  const [size = "", ...options] = text.split(/[ \t]+/), bytes = bytesOrMax(size);
  if (bytes < 0) return -EINVAL;
  for (const option of options) {
    const swappiness = integer(/^swappiness=(.+)$/.exec(option)?.[1] ?? "");
    if (swappiness === null || swappiness < 0 || swappiness > 200) return -EINVAL;
  }
  return bytes === 0 ? 0 : -EAGAIN;
}
