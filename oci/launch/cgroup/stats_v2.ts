/**
 * Reads a container's use of the host from its cgroup v2 group, in v1's terms: swap includes
 * memory. Numbers that v2 does not have (kernel memory, time per processor) are left out.
 */

import { readIfThere, readNumber, readTable } from "./control_files.ts";
import { type BlkioEntry, expandList, memoryEntry, nonZero, type Stats } from "./stats.ts";
import { hugepageSizes, hugetlbV2 } from "./stats_v1.ts";

const NS_PER_US = 1000;

export function readStatsV2(dir: string): Stats {
  const cpu = readTable(dir, "cpu.stat");
  const ns = (name: string) => (cpu.get(name) ?? 0) * NS_PER_US;
  const pidsLimit = readNumber(dir, "pids.max");
  return {
    cpu: {
      usage: {
        total: nonZero(ns("usage_usec")),
        percpu: undefined,
        percpu_kernel: undefined,
        percpu_user: undefined,
        kernel: ns("system_usec"),
        user: ns("user_usec"),
      },
      throttling: {
        periods: nonZero(cpu.get("nr_periods") ?? 0),
        throttledPeriods: nonZero(cpu.get("nr_throttled") ?? 0),
        throttledTime: nonZero(ns("throttled_usec")),
      },
    },
    cpuset: {
      cpus: expandList(readIfThere(dir, "cpuset.cpus.effective")),
      mems: expandList(readIfThere(dir, "cpuset.mems.effective")),
    },
    memory: readMemory(dir),
    pids: {
      current: nonZero(readNumber(dir, "pids.current")),
      limit: Number.isFinite(pidsLimit) ? nonZero(pidsLimit) : undefined,
    },
    blkio: readIo(dir),
    hugetlb: Object.fromEntries(
      hugepageSizes().filter((size) => readIfThere(dir, `hugetlb.${size}.current`) !== "")
        .map((size) => [size, hugetlbV2(dir, size)]),
    ),
    intel_rdt: {},
    network_interfaces: null,
  };
}

function readMemory(dir: string): Stats["memory"] {
  const raw = readTable(dir, "memory.stat");
  const usage = readNumber(dir, "memory.current"), limit = readNumber(dir, "memory.max");
  const peak = readNumber(dir, "memory.peak");
  const swap = readNumber(dir, "memory.swap.current") + usage;
  const swapLimit = readNumber(dir, "memory.swap.max") + limit;
  const failures = readTable(dir, "memory.events").get("max") ?? 0;
  const none = memoryEntry(0, 0, 0, 0);
  return {
    cache: nonZero(raw.get("file") ?? 0),
    usage: memoryEntry(limit, usage, peak, failures),
    swap: memoryEntry(swapLimit, swap, 0, 0),
    kernel: none,
    kernelTCP: none,
    raw: raw.size === 0 ? undefined : Object.fromEntries([...raw].sort()),
  };
}

/** Lines as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
function readIo(dir: string): Stats["blkio"] {
  const bytes: BlkioEntry[] = [], served: BlkioEntry[] = [];
  for (const line of readIfThere(dir, "io.stat").split("\n")) {
    const match = /^(\d+):(\d+) (.*)$/.exec(line);
    if (match === null) continue;
    const [, major, minor, rest = ""] = match;
    const counts = new Map(
      rest.split(" ").map((pair) => {
        const [key = "", value = "0"] = pair.split("=", 2);
        return [key, Number(value)] as const;
      }),
    );
    const entry = (op: string, key: string) => ({
      major: Number(major),
      minor: nonZero(Number(minor)),
      op,
      value: nonZero(counts.get(key) ?? 0),
    });
    bytes.push(entry("Read", "rbytes"), entry("Write", "wbytes"));
    served.push(entry("Read", "rios"), entry("Write", "wios"));
  }
  if (bytes.length === 0) return {};
  return { ioServiceBytesRecursive: bytes, ioServicedRecursive: served };
}
