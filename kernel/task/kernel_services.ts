/**
 * The interface of the kernel object that tasks and handlers use. kernel.ts implements it; the
 * interface is a file of its own so that lower layers do not import kernel.ts.
 */

import type { NamespaceCounts } from "../cred/namespace_counts.ts";
import type { Account } from "../core/account.ts";
import type { Host } from "../core/host.ts";
import type { UserNamespace } from "../cred/user_namespace.ts";
import type { Platform } from "../../platform/platform.ts";
import type { MemoryContext } from "../mm/memory_context.ts";
import type { Vfs } from "../vfs/vfs.ts";
import type { TimerQueue } from "../time/timer.ts";
import type { AnonFiles } from "../fs/anonfd/anon_inode.ts";
import type { FsTypes } from "../fs/fs_types.ts";
import type { NsFs } from "../proc/fs/ns_fs.ts";
import type { SysctlStore } from "../proc/fs/sysctl_store.ts";
import type { MemfdStore } from "../fs/tmpfs/memfd.ts";
import type { SecretStore } from "../fs/tmpfs/secret.ts";
import type { IpcNamespace } from "../ipc/ipc_namespace.ts";
import type { NetNamespace } from "../net/net_namespace.ts";
import type { CallRecord } from "./call_record.ts";
import type { KeyStore } from "../keys/key_store.ts";
import type { SandboxAccounts } from "./accounts.ts";
import type { BpfPrograms } from "../cgroup/bpf_programs.ts";
import type { CpuClock } from "./cpu_clock.ts";
import type { FutexTable } from "../futex/futex_table.ts";
import type { ObjectRanks } from "./object_ranks.ts";
import type { OomKiller } from "../oom/oom_killer.ts";
import type { Namespaces } from "./namespaces.ts";
import type { PidNamespace } from "./pid_namespace.ts";
import type { Task } from "./task.ts";
import type { TaskStats } from "./task_stats.ts";
import type { ThreadGroup } from "./thread_group.ts";

export interface Kernel {
  /** Accounts of the kernel objects of guests. */
  readonly accounts: SandboxAccounts;
  /** Namespaces that the users of the first user namespace have. */
  readonly userCounts: NamespaceCounts;
  readonly host: Host;
  readonly platform: Platform;
  /** CPUID 1 EDX and AT_HWCAP2, for auxiliary vectors. */
  readonly cpu: { readonly hwcap: number; readonly hwcap2: number };
  readonly memory: MemoryContext;
  readonly timers: TimerQueue;
  /** Records the system calls of all tasks. */
  readonly calls: CallRecord;
  /** The first PID namespace: every task has a number in it. */
  readonly pids: PidNamespace;
  readonly futexes: FutexTable;
  readonly keys: KeyStore;
  /** Programs of bpf(2). */
  readonly bpf: BpfPrograms;
  readonly oom: OomKiller;
  /** File system types for mount(2). */
  readonly fsTypes: FsTypes;
  readonly vfs: Vfs;
  /** The namespaces that exist from the start. */
  readonly namespaces: Namespaces;
  /** The files that stand for namespaces (nsfs). */
  readonly namespaceFiles: NsFs;
  /** Pipes, and files without a name. */
  readonly anon: AnonFiles;
  /** The order of objects that kcmp(2) shows. */
  readonly ranks: ObjectRanks;
  /** The file system of memfd_create(2). */
  readonly memfds: MemfdStore;
  /** Settings of /proc/sys. */
  readonly sysctl: SysctlStore;
  /** The file system of memfd_secret(2). */
  readonly secrets: SecretStore;
  /** The task that is being served; null while timers, host events and housekeeping run. */
  current: Task | null;
  /** CPU time accounting, updated by the loop. */
  readonly clock: CpuClock;
  /** Listeners for the resource use of tasks that end. */
  readonly taskStats: TaskStats;
  /** Small buffer in which structures are built and copied out at once; its content is not kept. */
  readonly scratch: Scratch;
  /** CLOCK_MONOTONIC when uptime was zero, ns. */
  readonly bootNs: number;

  /** Reads CLOCK_MONOTONIC, ns. */
  now(): number;
  /** Puts a READY task into the run queue. */
  enqueue(task: Task): void;
  /** The last task of the init process has ended: the sandbox ends with this wait status. */
  onInitExit(init: ThreadGroup): void;
  newIpcNamespace(owner: UserNamespace, account: Account): IpcNamespace;
  /** A new network namespace, with a loopback interface that is down. */
  newNetNamespace(owner: UserNamespace, account: Account): NetNamespace;
  /** Writes a line to the debug log. */
  log(line: string): void;
}

/** 64 KiB of JS memory with both views. */
export class Scratch {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(65536);
  readonly dv: DataView = new DataView(this.u8.buffer);

  /** Zero the first `len` bytes. */
  clear(len: number): void {
    this.u8.fill(0, 0, len);
  }
  setU53(at: number, value: number): void {
    this.dv.setUint32(at, value % 0x100000000, true);
    this.dv.setInt32(at + 4, Math.floor(value / 0x100000000), true);
  }
}
