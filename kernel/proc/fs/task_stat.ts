/** /proc/PID/stat, statm and status: proc_pid_stat(5), proc_pid_statm(5), proc_pid_status(5). */

import { RLIMIT_RSS, RLIMIT_SIGPENDING } from "../../../ffi/abi/resource.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EAGAIN } from "../../../ffi/abi/errno.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import type { CapSet } from "../../cred/credentials.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { mayInspect } from "./access.ts";
import { cpuList, cpuMask, hex64, right, ticks } from "../../fs/generated/format.ts";
import { memoryUse } from "./memory_use.ts";
import type { ProcSource, ProcTask, SignalBits, TaskStat } from "./source.ts";

const INFINITY_TEXT = "18446744073709551615";
/** PF_RANDOMIZE; PF_EXITING and PF_FORKNOEXEC of a zombie. */
const FLAGS_LIVE = 4194304, FLAGS_ZOMBIE = 4194304 | 4;

const STATE_NAMES: Readonly<Record<string, string>> = {
  R: "R (running)",
  S: "S (sleeping)",
  D: "D (disk sleep)",
  T: "T (stopped)",
  t: "t (tracing stop)",
  Z: "Z (zombie)",
  X: "X (dead)",
};

/** The priority of Linux's scheduler: 20 + nice, or below 0 for real time. */
function priorityOf(stat: TaskStat): number {
  if (stat.policy === 6) return -101;
  return stat.policy === 1 || stat.policy === 2 ? -1 - stat.rtPriority : 20 + stat.nice;
}

/** The low 31 bits of a signal set, as stat shows them. */
function lowBits(set: SignalBits): number {
  return set.lo & 0x7fffffff;
}

/** The line; -EAGAIN, here and below: counting the memory takes another turn. */
export function statLine(task: ProcTask, source: ProcSource, whole: boolean): string | number {
  const { mm } = task, use = mm === null ? null : memoryUse(mm, source);
  if (mm !== null && use === null) return -EAGAIN;
  const s = task.stat(whole);
  const isPermitted = mayInspect(source, task);
  const rss = use?.resident ?? 0;
  const rssLimit = task.limits.soft[RLIMIT_RSS] ?? Infinity;
  const program = mm?.program;
  const own = isPermitted && program !== undefined;
  const fields = [
    s.ppid,
    s.pgrp,
    s.session,
    s.tty,
    s.foreground,
    mm === null ? FLAGS_ZOMBIE : FLAGS_LIVE,
    s.minorFaults,
    s.childMinorFaults,
    s.majorFaults,
    s.childMajorFaults,
    ticks(s.userNs),
    ticks(s.systemNs),
    ticks(s.childUserNs),
    ticks(s.childSystemNs),
    priorityOf(s),
    s.nice,
    s.threads,
    0,
    ticks(s.startNs),
    mm === null ? 0 : mm.counters.total * PAGE_SIZE,
    rss,
    rssLimit === Infinity ? INFINITY_TEXT : rssLimit,
    own ? program.codeStart : program === undefined ? 0 : 1,
    own ? program.codeEnd : program === undefined ? 0 : 1,
    own ? program.stackStart : 0,
    0,
    0,
    lowBits(s.pending),
    lowBits(s.blocked),
    lowBits(s.ignored),
    lowBits(s.caught),
    isPermitted && s.state !== "R" ? 1 : 0,
    0,
    0,
    s.exitSignal,
    0,
    s.rtPriority,
    s.policy,
    0,
    0,
    0,
    own ? program.dataStart : 0,
    own ? program.dataEnd : 0,
    own && mm !== null ? mm.break.start : 0,
    own ? program.argStart : 0,
    own ? program.argEnd : 0,
    own ? program.envStart : 0,
    own ? program.envEnd : 0,
    isPermitted ? s.exitCode : 0,
  ];
  return `${task.tid} (${task.comm}) ${s.state} ${fields.join(" ")}\n`;
}

/** Pages of program text, from its first and last address. */
function textPages(mm: MemoryManager): number {
  const { codeStart, codeEnd } = mm.program;
  return Math.ceil(codeEnd / PAGE_SIZE) - Math.floor(codeStart / PAGE_SIZE);
}

/** The line of /proc/PID/statm, or -EAGAIN. */
export function statmLine(task: ProcTask, source: ProcSource): string | number {
  const { mm } = task;
  if (mm === null) return "0 0 0 0 0 0 0\n";
  const use = memoryUse(mm, source), { counters } = mm;
  if (use === null) return -EAGAIN;
  return `${counters.total} ${use.resident} ${use.file + use.shared} ${textPages(mm)} 0 ` +
    `${counters.data + counters.stack} 0\n`;
}

/** The text of /proc/PID/status, or -EAGAIN. */
export function statusText(task: ProcTask, source: ProcSource, whole: boolean): string | number {
  const memory = task.mm === null ? "" : memoryLines(task.mm, source);
  if (memory === null) return -EAGAIN;
  const s = task.stat(whole), { cred, fs, files } = task;
  const cpus = source.host.cpuCount, reader = source.caller()?.cred.userNs ?? cred.userNs;
  const umask = fs === null ? "" : `Umask:\t${fs.umask.toString(8).padStart(4, "0")}\n`;
  return `Name:\t${escapeName(task.comm)}\n${umask}` +
    `State:\t${STATE_NAMES[s.state] ?? s.state}\n` +
    `Tgid:\t${task.tgid}\nNgid:\t0\nPid:\t${task.tid}\nPPid:\t${s.ppid}\n` +
    `TracerPid:\t${s.tracer}\n` +
    idLines(cred, reader, files === null ? 0 : files.size) +
    nestedIdLines(task) +
    "Kthread:\t0\n" + memory +
    `Threads:\t${s.threads}\n` + signalLines(s, task) + capabilityLines(task) +
    `NoNewPrivs:\t${cred.noNewPrivs ? 1 : 0}\n` +
    `Seccomp:\t${s.seccompMode}\nSeccomp_filters:\t${s.seccompFilters}\n` +
    "Speculation_Store_Bypass:\tvulnerable\nSpeculationIndirectBranch:\talways enabled\n" +
    `Cpus_allowed:\t${cpuMask(s.affinity, cpus)}\n` +
    `Cpus_allowed_list:\t${cpuList(s.affinity, cpus)}\n` +
    "Mems_allowed:\t1\nMems_allowed_list:\t0\n" +
    `voluntary_ctxt_switches:\t${s.voluntarySwitches}\n` +
    `nonvoluntary_ctxt_switches:\t${s.involuntarySwitches}\n`;
}

/** User and group ids as the reader's namespace shows them. */
function idLines(cred: Credentials, reader: UserNamespace, fdSize: number): string {
  const uids = [cred.uid, cred.euid, cred.suid, cred.fsuid].map((id) => reader.shownUid(id));
  const gids = [cred.gid, cred.egid, cred.sgid, cred.fsgid].map((id) => reader.shownGid(id));
  const groups = cred.groups.map((id) => reader.shownGid(id));
  return `Uid:\t${uids.join("\t")}\nGid:\t${gids.join("\t")}\nFDSize:\t${fdSize}\n` +
    `Groups:\t${groups.join(" ")} \n`;
}

/** Ids in this PID namespace and those below it, down to the task's own. */
function nestedIdLines(task: ProcTask): string {
  const names = ["NStgid", "NSpid", "NSpgid", "NSsid"];
  return task.nestedIds.map((ids, i) => `${names[i]}:\t${ids.join("\t")}\n`).join("");
}

function escapeName(name: string): string {
  return name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function memoryLines(mm: MemoryManager, source: ProcSource): string | null {
  const use = memoryUse(mm, source), { counters } = mm, text = textPages(mm);
  if (use === null) return null;
  // Estimated page tables: a page for 512 pages, and four above.
  const tables = Math.ceil(counters.total / 512) + 4;
  return size("VmPeak", counters.peak) + size("VmSize", counters.total) +
    size("VmLck", counters.locked) + size("VmPin", 0) + size("VmHWM", use.resident) +
    size("VmRSS", use.resident) + size("RssAnon", use.anonymous) + size("RssFile", use.file) +
    size("RssShmem", use.shared) + size("VmData", counters.data) + size("VmStk", counters.stack) +
    size("VmExe", text) + size("VmLib", Math.max(0, counters.exec - text)) +
    size("VmPTE", tables) + size("VmSwap", 0) + size("HugetlbPages", 0) +
    "CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n";
}

/** "VmRSS:	    1960 kB" for a number of pages. */
function size(name: string, pages: number): string {
  return `${name}:\t${right(pages * 4, 8)} kB\n`;
}

function signalLines(s: TaskStat, task: ProcTask): string {
  const limit = task.limits.soft[RLIMIT_SIGPENDING] ?? Infinity;
  return `SigQ:\t${s.queuedSignals}/${limit === Infinity ? INFINITY_TEXT : limit}\n` +
    set("SigPnd", s.pending) + set("ShdPnd", s.sharedPending) + set("SigBlk", s.blocked) +
    set("SigIgn", s.ignored) + set("SigCgt", s.caught);
}

function capabilityLines({ cred }: ProcTask): string {
  return set("CapInh", cred.inheritable) + set("CapPrm", cred.permitted) +
    set("CapEff", cred.effective) + set("CapBnd", cred.bounding) + set("CapAmb", cred.ambient);
}

function set(name: string, bits: SignalBits | CapSet): string {
  return `${name}:\t${hex64(bits.lo, bits.hi)}\n`;
}
