/** What /proc and /sys show of this kernel: its tasks and its totals (ProcSource of fs/procfs). One a kernel. */

import type { Host } from "../../core/host.ts";
import type { CpuInfo } from "../../fs/procfs/cpu_info.ts";
import { NetTables } from "../../fs/procfs/net_tables.ts";
import type { MachineStat, ProcSource, ProcTask } from "../../fs/procfs/source.ts";
import { SysctlStore } from "../../fs/procfs/sysctl_store.ts";
import { msgText, semText, shmText } from "../../ipc/sysv/proc_text.ts";
import { loadsOf, totalCpuNs } from "../cpu_clock.ts";
import type { Kernel } from "../kernel_services.ts";
import { BLOCKED, DEAD, STOPPED } from "../task.ts";
import { UTS_RELEASE, UTS_VERSION } from "../uts.ts";
import { fillNetTables } from "./socket_tables.ts";
import { TaskView } from "./task_view.ts";

/** File systems that cannot be mounted but are there: Linux lists them too. */
const INTERNAL_TYPES = "nodev\tsockfs\nnodev\tpipefs\n";

export class KernelProcSource implements ProcSource {
  readonly cpuInfo: CpuInfo;
  readonly net: NetTables = new NetTables();
  readonly sysctl: SysctlStore = new SysctlStore();
  readonly release = UTS_RELEASE;
  readonly version = UTS_VERSION;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel, cpuInfo: CpuInfo) {
    this.kernel = kernel;
    this.cpuInfo = cpuInfo;
    fillNetTables(this.net, kernel);
  }

  get host(): Host {
    return this.kernel.host;
  }
  get hostname(): string {
    return this.kernel.hostname;
  }
  set hostname(name: string) {
    this.kernel.hostname = name;
  }
  get domainname(): string {
    return this.kernel.domainname;
  }
  set domainname(name: string) {
    this.kernel.domainname = name;
  }

  current(): ProcTask | null {
    const task = this.kernel.current;
    if (task === null || task.state === DEAD) return null;
    return new TaskView(this.kernel, task.group, task);
  }

  task(id: number): ProcTask | null {
    const { pids } = this.kernel;
    const task = pids.tasks.get(id);
    if (task !== undefined) return new TaskView(this.kernel, task.group, task);
    const group = pids.groups.get(id);
    return group === undefined ? null : new TaskView(this.kernel, group, null);
  }

  processIds(): number[] {
    return [...this.kernel.pids.groups.keys()].sort((a, b) => a - b);
  }

  machine(): MachineStat {
    const { clock, memory, pids, bootNs } = this.kernel, now = this.kernel.now();
    const [userNs, systemNs] = totalCpuNs(this.kernel);
    let contextSwitches = clock.endedSwitches, runningTasks = 0;
    for (const task of pids.tasks.values()) {
      contextSwitches += task.blockCount;
      if (task.state !== BLOCKED && task.state !== STOPPED) runningTasks++;
    }
    return {
      uptimeNs: now - bootNs,
      userNs,
      systemNs,
      forks: pids.lastId,
      lastPid: pids.lastId,
      contextSwitches,
      runningTasks,
      tasks: pids.tasks.size,
      loads: loadsOf(this.kernel),
      usedBytes: memory.frames.usedBytes,
    };
  }

  sysvipc(kind: "shm" | "sem" | "msg"): string {
    const { ipc } = this.kernel;
    return kind === "shm" ? shmText(ipc) : kind === "sem" ? semText(ipc) : msgText(ipc);
  }

  filesystems(): string {
    return this.kernel.fsTypes.list() + INTERNAL_TYPES;
  }
}
