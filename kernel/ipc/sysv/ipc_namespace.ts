/**
 * An IPC namespace (ipc_namespaces(7)): the System V objects that its processes find, and their POSIX message queues.
 * One a sandbox.
 */

import type { MemoryContext } from "../../mm/memory_context.ts";
import type { IpcClock } from "./ipc_clock.ts";
import { IpcLimits, type IpcSettings } from "./ipc_limits.ts";
import { IpcMessages } from "./messages.ts";
import { Semaphores } from "./semaphores.ts";
import { SharedMemory } from "./shm.ts";

export class IpcNamespace {
  readonly limits: IpcLimits;
  readonly shm: SharedMemory;
  readonly sem: Semaphores;
  readonly msg: IpcMessages;

  constructor(memory: MemoryContext, clock: IpcClock, settings: IpcSettings) {
    this.limits = new IpcLimits(settings);
    this.shm = new SharedMemory(memory, clock, this.limits);
    this.sem = new Semaphores(clock, this.limits);
    this.msg = new IpcMessages(clock, this.limits);
  }
}
