/** Facts about the machine for /proc and /sys, shared by the views of all PID namespaces. */

import type { CpuInfo } from "./fs/cpu_info.ts";
import { NsFs } from "./fs/ns_fs.ts";
import type { CallerSource, ProcCaller, ProcTask } from "./fs/source.ts";
import type { SysctlStore } from "./fs/sysctl_store.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { TaskView } from "./task_view.ts";

export class ProcFacts implements CallerSource {
  readonly cpuInfo: CpuInfo;
  readonly sysctl: SysctlStore;
  /** The files of namespaces. */
  readonly namespaces: NsFs;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel, cpuInfo: CpuInfo, sysctl: SysctlStore) {
    this.kernel = kernel;
    this.cpuInfo = cpuInfo;
    this.sysctl = sysctl;
    this.namespaces = new NsFs(kernel.accounts.root, kernel.vfs, this);
  }

  caller(): ProcCaller | null {
    return this.view();
  }
  current(): ProcTask | null {
    return this.view();
  }
  private view(): TaskView | null {
    const { current: task, pids } = this.kernel;
    return task === null ? null : new TaskView(this.kernel, pids, task.group, task);
  }
}
