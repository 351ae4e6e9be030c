/** Texts of the files of /proc about the machine: proc_stat(5), proc_meminfo(5) and others. */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { kibLine, right, ticks } from "../../fs/generated/format.ts";
import { locksText } from "./lock_text.ts";
import type { ProcSource } from "./source.ts";

/** A file of /proc about the machine. */
interface SystemFile {
  readonly permissions: number;
  render(source: ProcSource): string;
}

function text(value: string): SystemFile {
  return { permissions: 0o444, render: () => value };
}
function made(render: (source: ProcSource) => string): SystemFile {
  return { permissions: 0o444, render };
}

/** Files by path below /proc; directories on the way are made. */
export const SYSTEM_FILES: ReadonlyMap<string, SystemFile> = new Map([
  ["cgroups", made((s) => s.cgroups())],
  ["cmdline", text("BOOT_IMAGE=dvisor\n")],
  ["cpuinfo", made((s) => s.cpuInfo.text(s.host.cpuCount))],
  [
    "devices",
    text(
      "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n" +
        " 10 misc\n128 ptm\n136 pts\n\nBlock devices:\n  7 loop\n",
    ),
  ],
  ["diskstats", text("")],
  ["execdomains", text("0-0\tLinux           \t[kernel]\n")],
  ["filesystems", made((s) => s.filesystems())],
  ["interrupts", made((s) => cpuHeader(11, "", s))],
  ["key-users", made((s) => s.keyUsers())],
  ["keys", made((s) => s.keys())],
  ["loadavg", made(loadavg)],
  ["locks", made(locksText)],
  ["meminfo", made(meminfo)],
  ["modules", text("")],
  ["partitions", text("")],
  ["softirqs", made((s) => cpuHeader(20, "", s))],
  ["stat", made(stat)],
  ["swaps", text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")],
  ["sysvipc/msg", made((s) => s.sysvipc("msg"))],
  ["sysvipc/sem", made((s) => s.sysvipc("sem"))],
  ["sysvipc/shm", made((s) => s.sysvipc("shm"))],
  [
    "tty/drivers",
    text(
      "/dev/tty             /dev/tty        5       0 system:/dev/tty\n" +
        "/dev/console         /dev/console    5       1 system:console\n" +
        "/dev/ptmx            /dev/ptmx       5       2 system\n" +
        "pty_slave            /dev/pts      136 0-1048575 pty:slave\n" +
        "pty_master           /dev/ptm      128 0-1048575 pty:master\n",
    ),
  ],
  ["tty/ldiscs", text("n_tty       0\n")],
  ["uptime", made(uptime)],
  ["version", made((s) => `Linux version ${s.release} (dvisor@dvisor) (deno) ${s.version}\n`)],
  ["vmstat", made(vmstat)],
]);

function cpuHeader(indent: number, name: string, source: ProcSource): string {
  let line = name.padEnd(indent);
  for (let cpu = 0; cpu < source.host.cpuCount; cpu++) line += `CPU${cpu}`.padEnd(11);
  return line + "\n";
}

/** "0.78 1.40 1.31 1/103 3777". */
function loadavg(source: ProcSource): string {
  const m = source.machine();
  const loads = m.loads.map((load) => load.toFixed(2)).join(" ");
  return `${loads} ${m.runningTasks}/${m.tasks} ${m.lastPid}\n`;
}

/** The idle time of all CPUs together. */
function idleNs(source: ProcSource): number {
  const m = source.machine();
  return Math.max(0, m.uptimeNs * source.host.cpuCount - m.userNs - m.systemNs);
}

function uptime(source: ProcSource): string {
  const seconds = (ns: number): string => (Math.floor(ns / 1e7) / 100).toFixed(2);
  return `${seconds(source.machine().uptimeNs)} ${seconds(idleNs(source))}\n`;
}

function stat(source: ProcSource): string {
  const m = source.machine(), { host } = source, cpus = host.cpuCount;
  const user = ticks(m.userNs), system = ticks(m.systemNs), idle = ticks(idleNs(source));
  let text = `cpu  ${user} 0 ${system} ${idle} 0 0 0 0 0 0\n`;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const share = (total: number): number => Math.floor((total + cpu) / cpus);
    text += `cpu${cpu} ${share(user)} 0 ${share(system)} ${share(idle)} 0 0 0 0 0 0\n`;
  }
  const boot = Math.floor(host.realtimeSec() + host.realtimeNsec() / 1e9 - m.uptimeNs / 1e9);
  return text + `intr 0\nctxt ${m.contextSwitches}\nbtime ${boot}\nprocesses ${m.forks}\n` +
    `procs_running ${m.runningTasks}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`;
}

/** Lines of meminfo that are always 0, by the line in front of them. */
const ZERO_BEHIND: Readonly<Record<string, readonly string[]>> = {
  MemAvailable: ["Buffers", "Cached", "SwapCached"],
  "Inactive(file)": [
    "Unevictable",
    "Mlocked",
    "SwapTotal",
    "SwapFree",
    "Zswap",
    "Zswapped",
    "Dirty",
    "Writeback",
  ],
  AnonPages: [
    "Mapped",
    "Shmem",
    "KReclaimable",
    "Slab",
    "SReclaimable",
    "SUnreclaim",
    "KernelStack",
    "PageTables",
    "SecPageTables",
    "NFS_Unstable",
    "Bounce",
    "WritebackTmp",
  ],
  VmallocTotal: [
    "VmallocUsed",
    "VmallocChunk",
    "Percpu",
    "HardwareCorrupted",
    "AnonHugePages",
    "ShmemHugePages",
    "ShmemPmdMapped",
    "FileHugePages",
    "FilePmdMapped",
  ],
};

/**
 * Total memory is what the sandbox may have; used memory is what it has reserved, which may be more
 * than it touched.
 *
 * DIFFERS: there is no page cache: files are the host's.
 */
function meminfo(source: ProcSource): string {
  const { memoryBytes } = source.host, { usedBytes } = source.machine();
  const used = Math.min(usedBytes, memoryBytes), free = memoryBytes - used;
  const lines: readonly (readonly [string, number])[] = [
    ["MemTotal", memoryBytes],
    ["MemFree", free],
    ["MemAvailable", free],
    ["Active", used],
    ["Inactive", 0],
    ["Active(anon)", used],
    ["Inactive(anon)", 0],
    ["Active(file)", 0],
    ["Inactive(file)", 0],
    ["AnonPages", used],
    ["CommitLimit", memoryBytes / 2],
    ["Committed_AS", used],
    ["VmallocTotal", 34359738367 * 1024],
  ];
  let text = "";
  for (const [name, bytes] of lines) {
    text += kibLine(name, bytes);
    for (const zero of ZERO_BEHIND[name] ?? []) text += kibLine(zero, 0);
  }
  for (const kind of ["Total", "Free", "Rsvd", "Surp"]) {
    text += `${`HugePages_${kind}:`.padEnd(16)}${right(0, 8)}\n`;
  }
  return text + kibLine("Hugepagesize", 2048 * 1024) + kibLine("Hugetlb", 0) +
    kibLine("DirectMap4k", memoryBytes);
}

function vmstat(source: ProcSource): string {
  const { memoryBytes } = source.host, { usedBytes, faults, oomKills } = source.machine();
  const free = Math.floor(Math.max(0, memoryBytes - usedBytes) / PAGE_SIZE);
  const used = Math.floor(usedBytes / PAGE_SIZE);
  return `nr_free_pages ${free}\nnr_zone_active_anon ${used}\nnr_active_anon ${used}\n` +
    `nr_anon_pages ${used}\nnr_mapped 0\nnr_file_pages 0\nnr_dirty 0\nnr_writeback 0\n` +
    "nr_shmem 0\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n" +
    `pgfault ${faults}\npgmajfault 0\noom_kill ${oomKills}\n`;
}
