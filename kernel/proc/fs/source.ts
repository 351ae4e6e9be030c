/**
 * What /proc and /sys want to know of the rest of the kernel. File systems may not import tasks, so the task side
 * implements these (kernel/proc/).
 *
 * Objects are views: made for one question, and not kept. An inode remembers id and start time and
 * asks again.
 */

import type { Account } from "../../core/account.ts";
import type { Host } from "../../core/host.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import type { FsContext } from "../../vfs/fs_context.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { Namespace } from "../../cred/namespace.ts";
import type { PidSpace } from "../../cred/pid.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import type { CpuInfo } from "./cpu_info.ts";
import type { NetSettings } from "./net_settings.ts";
import type { NetTables } from "./net_tables.ts";
import type { NsFs } from "./ns_fs.ts";
import type { SysctlStore } from "./sysctl_store.ts";

/** A signal set as two u32 words. */
export interface SignalBits {
  readonly lo: number;
  readonly hi: number;
}

/** The numbers of /proc/PID/stat and status. Times are ns; `startNs` counts from the start of the sandbox. */
export interface TaskStat {
  /** R S D T t Z X of proc_pid_stat(5). */
  readonly state: string;
  readonly ppid: number;
  readonly pgrp: number;
  readonly session: number;
  /** Device number of the controlling terminal, 0: none; and its foreground process group, -1: none. */
  readonly tty: number;
  readonly foreground: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly childMinorFaults: number;
  readonly childMajorFaults: number;
  readonly userNs: number;
  readonly systemNs: number;
  readonly childUserNs: number;
  readonly childSystemNs: number;
  readonly nice: number;
  /** SCHED_* and the real-time priority. */
  readonly policy: number;
  readonly rtPriority: number;
  readonly threads: number;
  readonly startNs: number;
  /** 17 (SIGCHLD) for most. */
  readonly exitSignal: number;
  /** Wait status, once it is a zombie. */
  readonly exitCode: number;
  readonly pending: SignalBits;
  readonly sharedPending: SignalBits;
  readonly blocked: SignalBits;
  readonly ignored: SignalBits;
  readonly caught: SignalBits;
  readonly queuedSignals: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** CPUs it may use, a bit each; null: all. */
  readonly affinity: Uint32Array | null;
  /** The thread that traces it, 0: none. */
  readonly tracer: number;
  /** SECCOMP_MODE_* and the number of filters. */
  readonly seccompMode: number;
  readonly seccompFilters: number;
  readonly personality: number;
}

/** Soft and hard limits by RLIMIT_*; Infinity for none. */
export interface TaskLimits {
  readonly soft: readonly number[];
  readonly hard: readonly number[];
}

/** The links of /proc/PID/ns, in their order. */
export const NAMESPACE_LINKS = [
  "cgroup",
  "ipc",
  "mnt",
  "net",
  "pid",
  "pid_for_children",
  "time",
  "time_for_children",
  "user",
  "uts",
] as const;
export type NamespaceLink = typeof NAMESPACE_LINKS[number];

/** Bytes and calls. */
export interface ProcTransfers {
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
  /** Of file systems that are stored somewhere. */
  readonly fetchedBytes: number;
  readonly storedBytes: number;
}

/**
 * A thread; with the id of its process it stands for the process. Ids are those of the PID
 * namespace of the source.
 */
export interface ProcTask {
  readonly tid: number;
  readonly tgid: number;
  /** CLOCK_MONOTONIC of its birth: with the id it tells tasks apart. */
  readonly startNs: number;
  comm: string;
  readonly cred: Credentials;
  /** Tables of its network; absent where there is one network. */
  readonly net?: NetTables | null;
  /** Text of /proc/PID/cgroup and cpuset, as the caller sees them. */
  cgroupText(): string;
  /** Text of /proc/PID/syscall and timers. */
  callText(): string;
  timersText(): string;
  cpusetText(): string;
  /** Null for zombies. */
  readonly mm: MemoryManager | null;
  readonly files: FdTable | null;
  /** What its process makes is charged to this. */
  readonly account: Account;
  readonly fs: FsContext | null;
  readonly exe: OpenFile | null;
  readonly limits: TaskLimits;
  /** -1000..1000; the caller has checked. */
  oomScoreAdj: number;
  /** Only a caller with CAP_SYS_RESOURCE goes below it. */
  oomScoreAdjMin: number;
  /** ns; 0 sets what it had when it was made. */
  timerSlackNs: number;
  /** Audit's login uid; 2^32 - 1: not set. */
  loginUid: number;
  coredumpFilter: number;
  /** Its own PID namespace. */
  readonly pidSpace: PidSpace;
  /** Ids of process, thread, process group and session, in the namespace of the source and those within it. */
  readonly nestedIds: readonly (readonly number[])[];
  /** A namespace; null: it has none any more, or not yet. */
  namespaceOf(link: NamespaceLink): Namespace | null;
  /** Threads of the process, ascending; a leader that ended is among them. */
  threadIds(): number[];
  /** Children that this thread made (all of the process for its leader), ascending. */
  childIds(): number[];
  /** What it read and wrote; of the whole process with the children that it waited for. */
  transfers(whole: boolean): ProcTransfers;
  /** With `whole` times are those of the whole process. */
  stat(whole: boolean): TaskStat;
}

/** Totals since the sandbox started. */
export interface MachineStat {
  readonly uptimeNs: number;
  readonly userNs: number;
  readonly systemNs: number;
  /** Tasks that were ever made, and the id given last. */
  readonly forks: number;
  readonly lastPid: number;
  readonly contextSwitches: number;
  readonly runningTasks: number;
  readonly tasks: number;
  /** Load averages over 1, 5 and 15 minutes. */
  readonly loads: readonly [number, number, number];
  /** Memory that is reserved; what there is in all is `host.memoryBytes`. */
  readonly usedBytes: number;
  readonly faults: number;
  /** Processes that were killed for want of memory. */
  readonly oomKills: number;
}

/** The task that makes the call which is being served, whether a PID namespace shows it or not. */
export interface ProcCaller {
  readonly cred: Credentials;
  readonly mm: MemoryManager | null;
  readonly fs: FsContext | null;
  /** `task` is of its process. */
  isOf(task: ProcTask): boolean;
}

export interface CallerSource {
  /** Null while the sandbox is set up. */
  caller(): ProcCaller | null;
  /**
   * The caller of the call that is being served; null while the sandbox is set up, and for a caller
   * that the source does not see.
   */
  current(): ProcTask | null;
}

/** A /proc that shows processes. */
export interface ProcViewer {
  /** The process was reaped. */
  onGone(id: number): void;
}

/** /proc as a task of one PID namespace sees it. */
export interface ProcSource extends CallerSource {
  readonly host: Host;
  readonly vfs: Vfs;
  /** The sandbox's: how many objects of each kind there are. */
  readonly account: Account;
  readonly cpuInfo: CpuInfo;
  readonly net: NetTables;
  readonly sysctl: SysctlStore;
  /** Of the caller's network namespace. */
  readonly netSettings: NetSettings;
  readonly namespaces: NsFs;
  /** Credentials of the task whose call is being served, seen or not; null: there is none. */
  currentCred(): Credentials | null;
  /** The namespace whose ids are shown. */
  readonly pids: PidSpace;
  /** As the caller of mount(2) sees it. */
  seenBy(caller: Caller): ProcSource;
  /** A thread that lives, or a process that was not reaped. */
  task(id: number): ProcTask | null;
  /** The next id of the caller's PID namespace is looked for behind this one: 0 or -EPERM. */
  chooseLastPid(pid: number): number;
  /** What a process is called here, whose number in the first PID namespace this is; 0: it is not seen. */
  processNumber(kernelPid: number): number;
  /** Ids of processes, zombies included, ascending. */
  processIds(): number[];
  /** Called at the ends of those processes. */
  readonly viewers: Set<ProcViewer>;
  /** A name in the root of `fs` is not going to be asked for any more. */
  forgetName(fs: FileSystem, name: string): void;
  machine(): MachineStat;
  /** Text of /proc/filesystems. */
  filesystems(): string;
  /** Text of /proc/cgroups. */
  cgroups(): string;
  /** Text of /proc/keys and /proc/key-users, as the caller sees them. */
  keys(): string;
  keyUsers(): string;
  /** Text of a file of /proc/sysvipc. */
  sysvipc(kind: "shm" | "sem" | "msg"): string;
  /** uname(2). */
  hostname: string;
  domainname: string;
  readonly release: string;
  readonly version: string;
}
