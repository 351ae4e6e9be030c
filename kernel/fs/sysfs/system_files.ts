/**
 * The files of /sys about the whole system and its CPUs, and the directories without files.
 * sysfs.ts builds the tree of them.
 */

import { cpuList, cpuMask, right } from "../generated/format.ts";
import type { SysSource } from "./sys_source.ts";

type Render = (source: SysSource) => string;

/** The values by path, without their newline. */
export const SYS_FILES: ReadonlyMap<string, Render> = new Map<string, Render>([
  ["devices/system/clocksource/clocksource0/available_clocksource", () => "tsc "],
  ["devices/system/clocksource/clocksource0/current_clocksource", () => "tsc"],
  ["devices/system/cpu/isolated", () => ""],
  ["devices/system/cpu/kernel_max", (s) => String(s.host.cpuCount - 1)],
  ["devices/system/cpu/offline", () => ""],
  ["devices/system/cpu/online", allCpus],
  ["devices/system/cpu/possible", allCpus],
  ["devices/system/cpu/present", allCpus],
  ["devices/system/cpu/smt/active", () => "0"],
  ["devices/system/cpu/smt/control", () => "notsupported"],
  ["devices/system/node/has_cpu", () => "0"],
  ["devices/system/node/has_memory", () => "0"],
  ["devices/system/node/has_normal_memory", () => "0"],
  ["devices/system/node/node0/cpulist", allCpus],
  ["devices/system/node/node0/cpumap", (s) => cpuMask(null, s.host.cpuCount)],
  ["devices/system/node/node0/distance", () => "10"],
  ["devices/system/node/node0/meminfo", nodeMemory],
  ["devices/system/node/online", () => "0"],
  ["devices/system/node/possible", () => "0"],
  ["kernel/address_bits", () => "64"],
  ["kernel/cpu_byteorder", () => "little"],
  ["kernel/fscaps", () => "1"],
  ["kernel/mm/transparent_hugepage/defrag", () => "always defer defer+madvise madvise [never]"],
  ["kernel/mm/transparent_hugepage/enabled", () => "always madvise [never]"],
  ["kernel/mm/transparent_hugepage/hpage_pmd_size", () => "2097152"],
  [
    "kernel/mm/transparent_hugepage/shmem_enabled",
    () => "always within_size advise [never] deny force",
  ],
  ["kernel/mm/transparent_hugepage/use_zero_page", () => "1"],
  ["kernel/profiling", () => "0"],
  ["kernel/uevent_seqnum", () => "0"],
]);

/** Directories without files. */
export const SYS_DIRECTORIES: readonly string[] = [
  "block",
  "bus",
  "class/block",
  "class/mem",
  "class/misc",
  "class/tty",
  "dev/block",
  "dev/char",
  "firmware",
  "kernel/mm/hugepages",
  "module",
  "power",
];

/** Empty directories to mount on. */
export const SYS_MOUNT_PLACES: readonly string[] = [
  "fs/bpf",
  "fs/cgroup",
  "kernel/debug",
  "kernel/security",
  "kernel/tracing",
];

function allCpus(source: SysSource): string {
  return cpuList(null, source.host.cpuCount);
}

function nodeMemory(source: SysSource): string {
  const total = source.host.memoryBytes, used = Math.min(total, source.machine().usedBytes);
  const line = (name: string, bytes: number): string =>
    `Node 0 ${(name + ":").padEnd(16)}${right(Math.floor(bytes / 1024), 8)} kB`;
  return [line("MemTotal", total), line("MemFree", total - used), line("MemUsed", used)].join("\n");
}

/** The files of devices/system/cpu/cpuN: every CPU is a core of its own in one package. */
export const CPU_FILES: ReadonlyMap<string, (cpu: number, cpus: number) => string> = new Map([
  ["topology/cluster_id", () => "65535"],
  ["topology/core_cpus", oneMask],
  ["topology/core_cpus_list", (cpu) => String(cpu)],
  ["topology/core_id", (cpu) => String(cpu)],
  ["topology/core_siblings", (_cpu, cpus) => cpuMask(null, cpus)],
  ["topology/core_siblings_list", (_cpu, cpus) => cpuList(null, cpus)],
  ["topology/die_cpus", (_cpu, cpus) => cpuMask(null, cpus)],
  ["topology/die_cpus_list", (_cpu, cpus) => cpuList(null, cpus)],
  ["topology/die_id", () => "0"],
  ["topology/package_cpus", (_cpu, cpus) => cpuMask(null, cpus)],
  ["topology/package_cpus_list", (_cpu, cpus) => cpuList(null, cpus)],
  ["topology/physical_package_id", () => "0"],
  ["topology/thread_siblings", oneMask],
  ["topology/thread_siblings_list", (cpu) => String(cpu)],
  ["online", () => "1"],
]);

function oneMask(cpu: number, cpus: number): string {
  const words = new Uint32Array(Math.ceil(cpus / 32));
  words[cpu >> 5] = 2 ** (cpu & 31);
  return cpuMask(words, cpus);
}
