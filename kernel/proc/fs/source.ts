/**
 * The interfaces by which /proc and /sys see the rest of the kernel. File systems may not import
 * tasks, so kernel/proc implements them.
 *
 * Objects are views: made for one use and not kept. An inode keeps id and start time of a task and
 * looks it up again.
 */

import type { LinkFamily } from "./link_fields.ts";
import type { NamespaceCounts } from "../../cred/namespace_counts.ts";
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
import type { NetTables } from "./net_tables.ts";
import type { NsFs } from "./ns_fs.ts";
import type { SysctlStore } from "./sysctl_store.ts";

/** A signal set as two u32 words. */
export interface SignalBits {
  readonly lo: number;
  readonly hi: number;
}

/**
 * The fields of /proc/PID/stat and status. Times are in ns; `startNs` counts from the start of the
 * sandbox.
 */
export interface TaskStat {
  /** R S D T t Z X of proc_pid_stat(5). */
  readonly state: string;
  readonly ppid: number;
  readonly pgrp: number;
  readonly session: number;
  /** Device number of the controlling terminal, 0: none; its foreground process group, -1: none. */
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
  /** The wait status of a zombie. */
  readonly exitCode: number;
  readonly pending: SignalBits;
  readonly sharedPending: SignalBits;
  readonly blocked: SignalBits;
  readonly ignored: SignalBits;
  readonly caught: SignalBits;
  readonly queuedSignals: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** The CPUs it may use, one bit each; null: all. */
  readonly affinity: Uint32Array | null;
  /** The tracing thread; 0: none. */
  readonly tracer: number;
  /** SECCOMP_MODE_* and the number of filters. */
  readonly seccompMode: number;
  readonly seccompFilters: number;
  readonly personality: number;
}

/** Soft and hard limits by RLIMIT_*; Infinity: none. */
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
  /** Bytes of file systems that are stored. */
  readonly fetchedBytes: number;
  readonly storedBytes: number;
}

/**
 * A thread; the one with the id of its process stands for the process. Ids are those in the PID
 * namespace of the source.
 */
export interface ProcTask {
  readonly tid: number;
  readonly tgid: number;
  /** CLOCK_MONOTONIC at its birth, which with the id identifies a task. */
  readonly startNs: number;
  comm: string;
  readonly cred: Credentials;
  /** The tables of its network; absent if there is one network. */
  readonly net?: NetTables | null;
  /** The text of /proc/PID/cgroup and cpuset for the caller. */
  cgroupText(): string;
  /** The text of /proc/PID/syscall and timers. */
  callText(): string;
  timersText(): string;
  cpusetText(): string;
  /** Null for zombies. */
  readonly mm: MemoryManager | null;
  readonly files: FdTable | null;
  /** The account that objects of its process are charged to. */
  readonly account: Account;
  readonly fs: FsContext | null;
  readonly exe: OpenFile | null;
  readonly limits: TaskLimits;
  /** -1000..1000; callers check the bounds. */
  oomScoreAdj: number;
  /** Only callers with CAP_SYS_RESOURCE may go below it. */
  oomScoreAdjMin: number;
  /** In ns; 0 sets the value that it was made with. */
  timerSlackNs: number;
  /** The login uid of audit; 2^32 - 1: not set. */
  loginUid: number;
  coredumpFilter: number;
  /** The task's own PID namespace. */
  readonly pidSpace: PidSpace;
  /**
   * Ids of process, thread, process group and session, in the namespace of the source and in each
   * one below it.
   */
  readonly nestedIds: readonly (readonly number[])[];
  /** A namespace of the task; null: none any more, or not yet. */
  namespaceOf(link: NamespaceLink): Namespace | null;
  /** Threads of the process, ascending, with a leader that has ended. */
  threadIds(): number[];
  /** Children that this thread made (for a leader: all of the process), ascending. */
  childIds(): number[];
  /** Its transfers; `whole`: those of the process and the children it has waited for. */
  transfers(whole: boolean): ProcTransfers;
  /** `whole`: times of the whole process. */
  stat(whole: boolean): TaskStat;
}

/** Totals since the sandbox started. */
export interface MachineStat {
  readonly uptimeNs: number;
  readonly userNs: number;
  readonly systemNs: number;
  /** Tasks made so far, and the last id given. */
  readonly forks: number;
  readonly lastPid: number;
  readonly contextSwitches: number;
  readonly runningTasks: number;
  readonly tasks: number;
  /** Load averages over 1, 5 and 15 minutes. */
  readonly loads: readonly [number, number, number];
  /** Reserved memory; the total is `host.memoryBytes`. */
  readonly usedBytes: number;
  readonly faults: number;
  /** Processes that the OOM killer has killed. */
  readonly oomKills: number;
}

/** The task whose call is served, whether the PID namespace shows it or not. */
export interface ProcCaller {
  readonly cred: Credentials;
  readonly mm: MemoryManager | null;
  readonly fs: FsContext | null;
  /** Whether `task` is of the caller's process. */
  isOf(task: ProcTask): boolean;
  /** Whether `task` is outside of the caller's job, which has limits. */
  isOutOfReach(task: ProcTask): boolean;
}

/** Gives the caller of the call that is served. */
export interface CallerSource {
  /** Null while the sandbox starts. */
  caller(): ProcCaller | null;
  /** The caller, if the source shows it; null also while the sandbox starts. */
  current(): ProcTask | null;
}

/** A mounted /proc. */
export interface ProcViewer {
  /** A process was reaped. */
  onGone(id: number): void;
}

/** The settings of /proc/sys/net of the caller's network namespace. kernel/net implements it. */
export interface NetSettings {
  /** The namespace has ended; an open file may outlive it. */
  readonly isGone: boolean;
  /** It is the first namespace of the sandbox. */
  readonly isFirst: boolean;
  readonly store: SysctlStore;
  /** Whether these credentials may administrate it. */
  isAdministrator(cred: Credentials): boolean;
  /** The names of its links, by index. */
  links(): ReadonlyMap<number, string>;
  /** A setting of `all`, `default` or a link; null: the link is gone. */
  read(family: LinkFamily, where: string, name: string): number | null;
  /** Writes a setting: 0 or -errno. */
  write(family: LinkFamily, where: string, name: string, value: number): number;
}

/** /proc as a task of one PID namespace sees it. */
export interface ProcSource extends CallerSource {
  readonly host: Host;
  readonly vfs: Vfs;
  /** The sandbox's account: the number of objects of each kind. */
  readonly account: Account;
  readonly cpuInfo: CpuInfo;
  /** Namespaces that the users of the first user namespace have. */
  readonly userCounts: NamespaceCounts;
  readonly net: NetTables;
  readonly sysctl: SysctlStore;
  /** Settings of the caller's network namespace. */
  readonly netSettings: NetSettings;
  readonly namespaces: NsFs;
  /** Credentials of the task whose call is served, shown or not; null: none. */
  currentCred(): Credentials | null;
  /** The PID namespace whose ids are shown. */
  readonly pids: PidSpace;
  /** The source for the caller of mount(2). */
  seenBy(caller: Caller): ProcSource;
  /** A live thread, or a process that was not reaped; or null. */
  task(id: number): ProcTask | null;
  /**
   * The search for the next id in the caller's PID namespace starts behind this one: 0 or -EPERM.
   */
  chooseLastPid(pid: number): number;
  /** The id here of a process with this number in the first PID namespace; 0: not visible. */
  processNumber(kernelPid: number): number;
  /** Ids of processes, zombies included, ascending. */
  processIds(): number[];
  /** Mounts that are notified when these processes end. */
  readonly viewers: Set<ProcViewer>;
  /** Drops a name in the root of `fs`, which will not be looked up again. */
  forgetName(fs: FileSystem, name: string): void;
  machine(): MachineStat;
  /** The text of /proc/filesystems. */
  filesystems(): string;
  /** The text of /proc/cgroups. */
  cgroups(): string;
  /** The text of /proc/keys and /proc/key-users for the caller. */
  keys(): string;
  keyUsers(): string;
  /** The text of a file of /proc/sysvipc. */
  sysvipc(kind: "shm" | "sem" | "msg"): string;
  /** uname(2). */
  hostname: string;
  domainname: string;
  readonly release: string;
  readonly version: string;
}
