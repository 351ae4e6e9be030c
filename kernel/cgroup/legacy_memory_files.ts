/** memory.*: the files of the memory controller of version 1. */

import { EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import type { Cgroup } from "./cgroup.ts";
import { MEMORY } from "./controllers.ts";
import type { FileSpec } from "./files.ts";
import { bytesOrMax } from "./numbers.ts";
import type { View } from "./view.ts";

/** The number that version 1 shows for no limit, in bytes. */
const UNLIMITED = "9223372036854771712";

export const LEGACY_MEMORY_FILES: readonly FileSpec[] = [
  {
    name: "memory.failcnt",
    controller: MEMORY,
    read: (g) => `${g.memory.counts.max}\n`,
    write: (g) => {
      g.memory.counts.max = 0;
      return 0;
    },
  },
  {
    name: "memory.limit_in_bytes",
    controller: MEMORY,
    read: (g) => `${shown(g.memory.memoryMax)}\n`,
    write: (g, text) => store(g, text, (bytes) => g.memory.setMax(bytes)),
  },
  {
    name: "memory.max_usage_in_bytes",
    controller: MEMORY,
    measures: true,
    read: peak,
    write: (g) => {
      g.memory.peakBytes = 0;
      return 0;
    },
  },
  { name: "memory.oom_control", controller: MEMORY, read: oomControl, write: storeOomControl },
  {
    name: "memory.soft_limit_in_bytes",
    controller: MEMORY,
    read: (g) => `${shown(g.memory.softBytes)}\n`,
    write: (g, text) => store(g, text, (bytes) => g.memory.softBytes = bytes),
  },
  { name: "memory.stat", controller: MEMORY, measures: true, read: stat },
  {
    name: "memory.usage_in_bytes",
    controller: MEMORY,
    measures: true,
    read: (_g, view) => `${view.usedBytes}\n`,
  },
  {
    name: "memory.use_hierarchy",
    controller: MEMORY,
    read: () => "1\n",
    write: (_g, text) => text === "1" ? 0 : -EINVAL,
  },
];

function shown(bytes: number): string {
  return bytes === Infinity ? UNLIMITED : String(bytes);
}

function store(group: Cgroup, text: string, set: (bytes: number) => void): number {
  const bytes = bytesOrMax(text, "-1");
  if (bytes < 0 || group.parent === null) return -EINVAL;
  set(bytes);
  return 0;
}

function peak(group: Cgroup, view: View): string {
  group.memory.notePeak(view.usedBytes);
  return `${group.memory.peakBytes}\n`;
}

function oomControl(group: Cgroup): string {
  return `oom_kill_disable 0\nunder_oom 0\noom_kill ${group.memory.counts.kills}\n`;
}

/** memory.oom_control: the OOM killer cannot be switched off. */
function storeOomControl(_group: Cgroup, text: string): number {
  return text === "0" ? 0 : text === "1" ? -EOPNOTSUPP : -EINVAL;
}

function stat(group: Cgroup, view: View): string {
  const rss = view.usedBytes;
  let limit = Infinity;
  for (let up: Cgroup | null = group; up !== null; up = up.parent) {
    limit = Math.min(limit, up.memory.memoryMax);
  }
  const own = `cache 0\nrss ${rss}\nmapped_file 0\ninactive_anon 0\nactive_anon ${rss}\n` +
    "inactive_file 0\nactive_file 0\nunevictable 0\n";
  return `${own}hierarchical_memory_limit ${shown(limit)}\ntotal_cache 0\ntotal_rss ${rss}\n` +
    "total_inactive_file 0\n";
}
