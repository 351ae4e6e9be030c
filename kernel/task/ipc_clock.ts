/** Time and process for what IPC objects note of their use. */

import type { IpcClock } from "../ipc/sysv/ipc_clock.ts";
import type { Kernel } from "./kernel_services.ts";

export class TaskIpcClock implements IpcClock {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  nowSec(): number {
    return this.kernel.host.realtimeSec();
  }
  currentPid(): number {
    return this.kernel.current?.pid ?? 0;
  }
}
