/**
 * The text files of /proc/PID by name: their texts, and writes to them. Files about memory:
 * memory_formats.ts.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_AUDIT_CONTROL, CAP_SYS_NICE, CAP_SYS_RESOURCE } from "../../../ffi/abi/capability.ts";
import { EACCES, EAGAIN, EINVAL, EPERM, ERANGE, ESRCH } from "../../../ffi/abi/errno.ts";
import { type Credentials, hasCap, hasCapIn } from "../../cred/credentials.ts";
import { TimeNamespace } from "../../cred/time_namespace.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { parseNumber } from "../../fs/generated/format.ts";
import { memoryText } from "./memory_formats.ts";
import { memoryUse } from "./memory_use.ts";
import type { ProcSource, ProcTask } from "./source.ts";
import { limitsText } from "./task_limits.ts";
import { statLine, statmLine, statusText } from "./task_stat.ts";

/** How a file makes its text and takes writes. */
interface TaskFormat {
  /** The access check of open or read; by default none. */
  readonly needs?: "access to open" | "access to read" | "attachment to read";
  /**
   * Makes the text, or -errno. `whole`: the file is not in task/TID. `opener`: credentials of the
   * opener.
   */
  render(
    task: ProcTask,
    source: ProcSource,
    whole: boolean,
    opener: Credentials,
  ): string | number;
  /** The current task writes: bytes taken, or -errno. */
  store?(task: ProcTask, source: ProcSource, text: string, opener: Credentials): number;
}

/** LIMIT: bytes of a thread's name. */
const COMM_LENGTH = 15;
const UNSET = 0xffffffff;
/** Bounds of oom_score_adj and oom_adj. */
const OOM_SCORE_MAX = 1000, OOM_DISABLE = -17, OOM_ADJ_MAX = 15;
const SLACK_MAX = 2n ** 64n - 1n;

export const TASK_FORMATS: ReadonlyMap<string, TaskFormat> = new Map<string, TaskFormat>([
  ["cgroup", { render: (t) => t.cgroupText() }],
  ["children", { render: (t) => t.childIds().map((id) => `${id} `).join("") }],
  ["cmdline", { render: (t) => t.mm === null ? "" : commandLine(t.mm) }],
  ["comm", { render: (t) => `${t.comm}\n`, store: storeComm }],
  ["coredump_filter", { render: coredumpFilter, store: storeCoredumpFilter }],
  ["cpuset", { render: (t) => t.cpusetText() }],
  ["io", { needs: "access to read", render: ioText }],
  ["limits", { render: limitsText }],
  ["loginuid", { render: loginUid, store: storeLoginUid }],
  ["ksm_merging_pages", { needs: "access to open", render: () => "0\n" }],
  ["ksm_stat", { needs: "access to open", render: ksmStat }],
  ["oom_adj", { render: oomAdj, store: storeOomAdj }],
  ["oom_score", { render: oomScore }],
  ["oom_score_adj", { render: (t) => `${t.oomScoreAdj}\n`, store: storeOomScoreAdj }],
  ["personality", { needs: "attachment to read", render: personality }],
  ["schedstat", { render: schedstat }],
  ["sessionid", { render: () => String(UNSET) }],
  ["stat", { render: statLine }],
  ["statm", { render: statmLine }],
  ["status", { render: statusText }],
  ["syscall", { needs: "attachment to read", render: (t) => t.callText() }],
  ["timens_offsets", { render: timeOffsets, store: storeTimeOffsets }],
  ["timers", { needs: "access to open", render: (t) => t.timersText() }],
  ["timerslack_ns", { render: timerSlack, store: storeTimerSlack }],
  ["wchan", { render: () => "0" }],
]);

/**
 * The arguments. A program may have written over them up to a NUL (setproctitle(3)); they may then
 * reach into the environment.
 */
function commandLine(mm: MemoryManager): string {
  const { argStart, argEnd, envStart, envEnd } = mm.program;
  if (argEnd <= argStart) return "";
  const args = memoryText(mm, argStart, argEnd - argStart);
  if (args.length < argEnd - argStart || args.charCodeAt(args.length - 1) === 0) return args;
  const end = envStart === argEnd && envEnd > envStart ? envEnd : argEnd;
  const title = memoryText(mm, argStart, Math.min(end - argStart, PAGE_SIZE));
  const zero = title.indexOf("\0");
  return zero < 0 ? title : title.slice(0, zero + 1);
}

/** Only threads of the process may set the name. */
function storeComm(task: ProcTask, source: ProcSource, text: string): number {
  if (source.current()?.tgid !== task.tgid) return -EINVAL;
  const name = text.slice(0, COMM_LENGTH), zero = name.indexOf("\0");
  task.comm = zero < 0 ? name : name.slice(0, zero);
  return text.length;
}

function coredumpFilter(task: ProcTask): string {
  if (task.mm === null) return "";
  return task.coredumpFilter.toString(16).padStart(8, "0") + "\n";
}

function storeCoredumpFilter(task: ProcTask, _source: ProcSource, text: string): number {
  const value = parseNumber(text);
  if (value === null || value < 0 || value > 0xffffffff) return -EINVAL;
  // MMF_DUMP_FILTER_MASK.
  task.coredumpFilter = value & 0x1ff;
  return text.length;
}

function ioText(task: ProcTask, _source: ProcSource, whole: boolean): string {
  const t = task.transfers(whole);
  return `rchar: ${t.readBytes}\nwchar: ${t.writtenBytes}\n` +
    `syscr: ${t.reads}\nsyscw: ${t.writes}\n` +
    `read_bytes: ${t.fetchedBytes}\nwrite_bytes: ${t.storedBytes}\ncancelled_write_bytes: 0\n`;
}

/** Ids are those of the opener's user namespace. */
function loginUid(
  task: ProcTask,
  _source: ProcSource,
  _whole: boolean,
  { userNs }: Credentials,
): string {
  return String(userNs.uidOf(task.loginUid));
}

/** As audit does: a thread sets its own, once, unless CAP_AUDIT_CONTROL allows more. */
function storeLoginUid(
  task: ProcTask,
  source: ProcSource,
  text: string,
  { userNs }: Credentials,
): number {
  const caller = source.current(), uid = parseNumber(text);
  if (caller === null || caller.tid !== task.tid) return -EPERM;
  if (uid === null || uid < 0 || uid > UNSET) return -EINVAL;
  const kernelUid = uid === UNSET ? UNSET : userNs.kernelUid(uid);
  if (uid !== UNSET && kernelUid === UNSET) return -EINVAL;
  if (task.loginUid !== UNSET && !hasCap(caller.cred, CAP_AUDIT_CONTROL)) return -EPERM;
  task.loginUid = kernelUid;
  return text.length;
}

/**
 * The badness of Linux's OOM killer: the share of memory in tenths of a percent, plus the
 * adjustment.
 */
function oomScore(task: ProcTask, source: ProcSource): string | number {
  const { mm, oomScoreAdj } = task;
  if (mm === null || oomScoreAdj === -1000) return "0\n";
  const total = source.host.memoryBytes / PAGE_SIZE;
  const use = memoryUse(mm, source);
  if (use === null) return -EAGAIN;
  const badness = use.resident * 1000 / total + oomScoreAdj;
  return `${Math.max(0, Math.trunc((1000 + badness) * 2 / 3))}\n`;
}

function storeOomScoreAdj(task: ProcTask, source: ProcSource, text: string): number {
  const value = parseNumber(text);
  if (value === null || value < -1000 || value > 1000) return -EINVAL;
  return adjust(task, source, value, task.oomScoreAdjMin) ? text.length : -EACCES;
}

/** oom_score_adj on the old scale from -17 to 15. */
function oomAdj({ oomScoreAdj }: ProcTask): string {
  const scaled = Math.trunc(oomScoreAdj * -OOM_DISABLE / OOM_SCORE_MAX);
  return `${oomScoreAdj === OOM_SCORE_MAX ? OOM_ADJ_MAX : Math.min(scaled, OOM_ADJ_MAX)}\n`;
}

function storeOomAdj(task: ProcTask, source: ProcSource, text: string): number {
  const value = parseNumber(text);
  if (value === null || value < OOM_DISABLE || value > OOM_ADJ_MAX) return -EINVAL;
  const scaled = Math.trunc(value * OOM_SCORE_MAX / -OOM_DISABLE);
  const score = value === OOM_ADJ_MAX ? OOM_SCORE_MAX : scaled;
  return adjust(task, source, score, task.oomScoreAdj) ? text.length : -EACCES;
}

/** Sets the adjustment if the caller may; going below `least` needs CAP_SYS_RESOURCE. */
function adjust(task: ProcTask, source: ProcSource, value: number, least: number): boolean {
  const caller = source.caller();
  const isFree = caller !== null && hasCap(caller.cred, CAP_SYS_RESOURCE);
  if (value < least && !isFree) return false;
  task.oomScoreAdj = value;
  if (isFree) task.oomScoreAdjMin = value;
  return true;
}

/** No pages are merged. */
function ksmStat({ mm }: ProcTask): string {
  if (mm === null) return "";
  return "ksm_rmap_items 0\nksm_zero_pages 0\nksm_merging_pages 0\nksm_process_profit 0\n";
}

/** Whether the caller may read it: other tasks' only with the right to change their scheduling. */
function maySeeSlack(task: ProcTask, source: ProcSource): boolean {
  const caller = source.current();
  return caller !== null &&
    (caller.tid === task.tid || hasCapIn(caller.cred, task.cred.userNs, CAP_SYS_NICE));
}

function timerSlack(task: ProcTask, source: ProcSource): string | number {
  if (!maySeeSlack(task, source)) return -EPERM;
  const ns = task.timerSlackNs;
  return `${ns >= 2 ** 64 ? SLACK_MAX : BigInt(ns)}\n`;
}

/** Takes digits without a sign. */
function storeTimerSlack(task: ProcTask, source: ProcSource, text: string): number {
  if (!/^\+?\d{1,40}\n?$/.test(text)) return -EINVAL;
  const value = BigInt(text.trim().replace("+", ""));
  if (value > SLACK_MAX) return -ERANGE;
  if (!maySeeSlack(task, source)) return -EPERM;
  task.timerSlackNs = Number(value);
  return text.length;
}

function personality(task: ProcTask, _source: ProcSource, whole: boolean): string {
  return task.stat(whole).personality.toString(16).padStart(8, "0") + "\n";
}

/** Time on a CPU, time waiting for one, and the number of runs. */
function schedstat(task: ProcTask, _source: ProcSource, whole: boolean): string {
  const s = task.stat(whole);
  const ran = Math.floor(s.userNs + s.systemNs);
  return `${ran} 0 ${s.voluntarySwitches + s.involuntarySwitches}\n`;
}

function timeOffsets(task: ProcTask): string {
  const time = task.namespaceOf("time_for_children");
  return time instanceof TimeNamespace ? time.offsetsText() : "";
}

/** The opener's capability counts, because a privileged program's output may be redirected here. */
function storeTimeOffsets(
  task: ProcTask,
  source: ProcSource,
  text: string,
  opener: Credentials,
): number {
  const time = task.namespaceOf("time_for_children");
  if (!(time instanceof TimeNamespace)) return -ESRCH;
  return time.writeOffsets(text, opener, source.host.monotonicNs());
}
