/**
 * ProcSource of proc/fs: the tasks of this kernel as one PID namespace sees them, and totals. Most
 * mounts have one each; what they share is in proc_facts.ts.
 */

import type { NamespaceCounts } from "../cred/namespace_counts.ts";
import { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EPERM } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCapIn } from "../cred/credentials.ts";
import type { Account } from "../core/account.ts";
import type { Host } from "../core/host.ts";
import type { CpuInfo } from "./fs/cpu_info.ts";
import type { NetTables } from "./fs/net_tables.ts";
import type {
  MachineStat,
  NetSettings,
  ProcCaller,
  ProcSource,
  ProcTask,
  ProcViewer,
} from "./fs/source.ts";
import type { NsFs } from "./fs/ns_fs.ts";
import type { SysctlStore } from "./fs/sysctl_store.ts";
import { msgText, semText, shmText } from "../ipc/sysv/proc_text.ts";
import { keysText, keyUsersText } from "../keys/proc_text.ts";
import { NetSettingsView } from "../net/net_settings.ts";
import type { Caller } from "../vfs/caller.ts";
import type { FileSystem } from "../vfs/inode.ts";
import type { Vfs } from "../vfs/vfs.ts";
import { controllersText } from "../cgroup/proc_text.ts";
import { loadsOf, totalCpuNs } from "../task/cpu_clock.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { hasNamespaces, type Namespaces } from "../task/namespaces.ts";
import { numberOf, type PidNamespace } from "../task/pid_namespace.ts";
import { BLOCKED, DEAD, FROZEN, STOPPED } from "../task/task.ts";
import { UTS_RELEASE, UTS_VERSION } from "../task/uts.ts";
import type { ProcFacts } from "./proc_facts.ts";
import { netTablesOf } from "./socket_tables.ts";
import { TaskView } from "./task_view.ts";

/** File systems that cannot be mounted; Linux lists them too. */
const INTERNAL_TYPES = "nodev\tsockfs\nnodev\tpipefs\n";

export class KernelProcSource implements ProcSource {
  readonly release = UTS_RELEASE;
  readonly version = UTS_VERSION;
  private readonly kernel: Kernel;
  private readonly facts: ProcFacts;
  readonly pids: PidNamespace;

  constructor(kernel: Kernel, facts: ProcFacts, pids: PidNamespace) {
    this.kernel = kernel;
    this.facts = facts;
    this.pids = pids;
  }

  seenBy(caller: Caller): ProcSource {
    const pids = hasNamespaces(caller) ? caller.pids : this.pids;
    return pids === this.pids ? this : new KernelProcSource(this.kernel, this.facts, pids);
  }

  get viewers(): Set<ProcViewer> {
    return this.pids.viewers;
  }
  forgetName(fs: FileSystem, name: string): void {
    this.kernel.vfs.dentries.onRootEntryGone(fs, name);
  }

  get userCounts(): NamespaceCounts {
    return this.kernel.userCounts;
  }
  get cpuInfo(): CpuInfo {
    return this.facts.cpuInfo;
  }
  get net(): NetTables {
    return netTablesOf(this.callerNs.net);
  }
  get netSettings(): NetSettings {
    return new NetSettingsView(this.callerNs.net);
  }
  get sysctl(): SysctlStore {
    return this.facts.sysctl;
  }
  get namespaces(): NsFs {
    return this.facts.namespaces;
  }
  /** Names and IPC objects are those of the caller's namespaces. */
  private get callerNs(): Namespaces {
    return this.kernel.current?.ns ?? this.kernel.namespaces;
  }
  get vfs(): Vfs {
    return this.kernel.vfs;
  }
  get account(): Account {
    return this.kernel.accounts.root;
  }
  get host(): Host {
    return this.kernel.host;
  }
  get hostname(): string {
    return this.callerNs.uts.hostname;
  }
  set hostname(name: string) {
    this.callerNs.uts.hostname = name;
  }
  get domainname(): string {
    return this.callerNs.uts.domainname;
  }
  set domainname(name: string) {
    this.callerNs.uts.domainname = name;
  }

  caller(): ProcCaller | null {
    const task = this.kernel.current;
    return task === null ? null : new TaskView(this.kernel, this.pids, task.group, task);
  }

  current(): ProcTask | null {
    const task = this.kernel.current;
    if (task === null || task.state === DEAD || !this.pids.encloses(task.pids)) return null;
    return new TaskView(this.kernel, this.pids, task.group, task);
  }

  currentCred(): Credentials | null {
    return this.kernel.current?.cred ?? null;
  }

  task(id: number): ProcTask | null {
    const { pids } = this;
    const task = pids.tasks.get(id);
    if (task !== undefined) return new TaskView(this.kernel, pids, task.group, task);
    const group = pids.groups.get(id);
    return group === undefined ? null : new TaskView(this.kernel, pids, group, null);
  }

  processNumber(kernelPid: number): number {
    return numberOf(kernelPid, this.kernel.pids, this.pids);
  }

  processIds(): number[] {
    return [...this.pids.groups.keys()].sort((a, b) => a - b);
  }

  chooseLastPid(pid: number): number {
    const { current } = this.kernel, owner = current?.pids.owner;
    if (current === null || owner === null || owner === undefined) return -EPERM;
    const may = hasCapIn(current.cred, owner, CAP_CHECKPOINT_RESTORE) ||
      hasCapIn(current.cred, owner, CAP_SYS_ADMIN);
    if (!may) return -EPERM;
    current.pids.lastId = pid;
    return 0;
  }

  machine(): MachineStat {
    const { clock, memory, pids, bootNs } = this.kernel, now = this.kernel.now();
    const [userNs, systemNs] = totalCpuNs(this.kernel);
    let contextSwitches = clock.endedSwitches, runningTasks = 0;
    for (const task of pids.tasks.values()) {
      contextSwitches += task.blockCount;
      if (task.state !== BLOCKED && task.state !== STOPPED && task.state !== FROZEN) runningTasks++;
    }
    return {
      uptimeNs: now - bootNs + this.callerNs.time.boottimeNs,
      userNs,
      systemNs,
      forks: pids.lastId,
      lastPid: (this.kernel.current?.pids ?? this.pids).lastId,
      contextSwitches,
      runningTasks,
      tasks: pids.tasks.size,
      loads: loadsOf(this.kernel),
      usedBytes: memory.frames.usedBytes,
      faults: memory.faults,
      oomKills: this.kernel.oom.kills,
    };
  }

  cgroups(): string {
    return controllersText(this.callerNs.cgroup.roots.unified.hierarchy.owner);
  }

  sysvipc(kind: "shm" | "sem" | "msg"): string {
    const { ipc } = this.callerNs;
    return kind === "shm" ? shmText(ipc) : kind === "sem" ? semText(ipc) : msgText(ipc);
  }

  keys(): string {
    const { current } = this.kernel;
    return current === null ? "" : keysText(current);
  }

  keyUsers(): string {
    const { current, keys } = this.kernel;
    return current === null ? "" : keyUsersText(current, keys);
  }

  filesystems(): string {
    return this.kernel.fsTypes.list() + INTERNAL_TYPES;
  }
}
