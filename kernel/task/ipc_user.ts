/** The user of IPC objects: time, process and limits of the task that uses or makes them now. */

import { RLIMIT_MSGQUEUE } from "../../ffi/abi/resource.ts";
import { CAP_SYS_RESOURCE } from "../../ffi/abi/capability.ts";
import { hasCap } from "../cred/credentials.ts";
import type { MakerSource, QueueMaker } from "../ipc/mqueue/mqueue_fs.ts";
import type { IpcClock } from "../ipc/sysv/ipc_object.ts";
import type { Kernel } from "./kernel_services.ts";
import { kernelPid } from "./pid_namespace.ts";

export class TaskIpcUser implements IpcClock, MakerSource {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  nowSec(): number {
    return this.kernel.host.realtimeSec();
  }
  currentPid(): number {
    const { current } = this.kernel;
    return current === null ? 0 : kernelPid(current);
  }
  queueMaker(): QueueMaker {
    const task = this.kernel.current;
    return {
      isPrivileged: task !== null && hasCap(task.cred, CAP_SYS_RESOURCE),
      limitBytes: task?.group.limits.get(RLIMIT_MSGQUEUE) ?? Infinity,
    };
  }
}
