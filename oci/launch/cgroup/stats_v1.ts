/**
 * Reads a container's use of the host from the groups of cgroup v1. A missing group counts as zero.
 */

import { readIfThere, readNumber, readTable } from "./control_files.ts";
import {
  type BlkioEntry,
  expandList,
  type HugetlbEntry,
  memoryEntry,
  nonZero,
  type Stats,
} from "./stats.ts";

/** cpuacct.stat counts in USER_HZ, 100 a second on every Linux. */
const NS_PER_TICK = 1e7;

/** @param dirs by controller */
export function readStatsV1(dirs: Readonly<Record<string, string>>): Stats {
  const dir = (controller: string) => dirs[controller] ?? "/proc/self/no-such-group";
  return {
    cpu: readCpu(dir("cpuacct"), dir("cpu")),
    cpuset: readCpuset(dir("cpuset")),
    memory: readMemory(dir("memory")),
    pids: {
      current: nonZero(readNumber(dir("pids"), "pids.current")),
      limit: finite(readNumber(dir("pids"), "pids.max")),
    },
    blkio: readBlkio(dir("blkio")),
    hugetlb: readHugetlb(dir("hugetlb"), dir("")),
    intel_rdt: {},
    network_interfaces: null,
  };
}

/** runc prints "no limit" of processes as 0. */
function finite(limit: number): number | undefined {
  return Number.isFinite(limit) ? nonZero(limit) : undefined;
}

function readCpu(acct: string, cpu: string): Stats["cpu"] {
  const ticks = readTable(acct, "cpuacct.stat");
  // A line a processor: number, user, system.
  const all = readIfThere(acct, "cpuacct.usage_all").split("\n").slice(1)
    .map((line) => line.split(" ").map(Number));
  const column = (i: number) => all.length === 0 ? undefined : all.map((row) => row[i] ?? 0);
  const percpu = readIfThere(acct, "cpuacct.usage_percpu").split(" ").filter((n) => n !== "");
  const stat = readTable(cpu, "cpu.stat");
  return {
    usage: {
      total: nonZero(readNumber(acct, "cpuacct.usage")),
      percpu: percpu.length === 0 ? undefined : percpu.map(Number),
      percpu_kernel: column(2),
      percpu_user: column(1),
      kernel: (ticks.get("system") ?? 0) * NS_PER_TICK,
      user: (ticks.get("user") ?? 0) * NS_PER_TICK,
    },
    throttling: {
      periods: nonZero(stat.get("nr_periods") ?? 0),
      throttledPeriods: nonZero(stat.get("nr_throttled") ?? 0),
      throttledTime: nonZero(stat.get("throttled_time") ?? 0),
    },
  };
}

const CPUSET_NUMBERS = [
  "cpu_exclusive",
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
  "sched_relax_domain_level",
];

function readCpuset(dir: string): Stats["cpuset"] {
  const numbers = CPUSET_NUMBERS.map((name) => [name, readNumber(dir, `cpuset.${name}`)] as const);
  return {
    cpus: expandList(readIfThere(dir, "cpuset.cpus")),
    mems: expandList(readIfThere(dir, "cpuset.mems")),
    ...Object.fromEntries(numbers),
  };
}

function readMemory(dir: string): Stats["memory"] {
  const entry = (part: string) => {
    const read = (name: string) => readNumber(dir, `memory.${part}${name}`);
    return memoryEntry(
      read("limit_in_bytes"),
      read("usage_in_bytes"),
      read("max_usage_in_bytes"),
      read("failcnt"),
    );
  };
  const raw = readTable(dir, "memory.stat");
  return {
    cache: nonZero(raw.get("cache") ?? 0),
    usage: entry(""),
    swap: entry("memsw."),
    kernel: entry("kmem."),
    kernelTCP: entry("kmem.tcp."),
    raw: raw.size === 0 ? undefined : Object.fromEntries([...raw].sort()),
  };
}

/** BFQ counts its own requests, throttling counts all: the first file with counts is used. */
function readBlkio(dir: string): Stats["blkio"] {
  const read = (name: string) => {
    const bfq = blkioEntries(readIfThere(dir, `blkio.bfq.${name}_recursive`));
    return bfq.length > 0
      ? bfq
      : blkioEntries(readIfThere(dir, `blkio.throttle.${name}_recursive`));
  };
  const bytes = read("io_service_bytes"), served = read("io_serviced");
  return {
    ...(bytes.length > 0 ? { ioServiceBytesRecursive: bytes } : {}),
    ...(served.length > 0 ? { ioServicedRecursive: served } : {}),
  };
}

/** Lines as `8:0 Read 4096`; the sum over all devices has no number. */
function blkioEntries(text: string): BlkioEntry[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op, value] = match;
    return [{
      major: Number(major),
      minor: nonZero(Number(minor)),
      op,
      value: nonZero(Number(value)),
    }];
  });
}

/** On a hybrid host the controller may be in the other tree. */
function readHugetlb(dir: string, unified: string): Stats["hugetlb"] {
  const entries: Record<string, HugetlbEntry> = {};
  for (const size of hugepageSizes()) {
    const v1 = readIfThere(dir, `hugetlb.${size}.usage_in_bytes`);
    if (v1 === "" && readIfThere(unified, `hugetlb.${size}.current`) === "") continue;
    entries[size] = v1 === "" ? hugetlbV2(unified, size) : {
      usage: nonZero(Number(v1)),
      max: nonZero(readNumber(dir, `hugetlb.${size}.max_usage_in_bytes`)),
      failcnt: readNumber(dir, `hugetlb.${size}.failcnt`),
    };
  }
  return entries;
}

/** One size's use in a group of v2. */
export function hugetlbV2(dir: string, size: string): HugetlbEntry {
  return {
    usage: nonZero(readNumber(dir, `hugetlb.${size}.current`)),
    max: undefined,
    failcnt: readTable(dir, `hugetlb.${size}.events`).get("max") ?? 0,
  };
}

/** As `2MB`, `1GB`: what the kernel calls them in file names. */
export function hugepageSizes(): string[] {
  try {
    return [...Deno.readDirSync("/sys/kernel/mm/hugepages")].flatMap((entry) => {
      const kib = Number(/^hugepages-(\d+)kB$/.exec(entry.name)?.[1] ?? 0);
      if (kib === 0) return [];
      if (kib >= 1 << 20) return [`${kib >> 20}GB`];
      return [kib >= 1 << 10 ? `${kib >> 10}MB` : `${kib}KB`];
    }).sort();
  } catch {
    return [];
  }
}
