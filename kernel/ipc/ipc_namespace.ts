/** An IPC namespace (ipc_namespaces(7)): System V objects and POSIX message queues. */

import type { Account } from "../core/account.ts";
import { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import type { MemoryContext } from "../mm/memory_context.ts";
import type { Mount } from "../vfs/dentry.ts";
import { internalMount } from "../vfs/mount_links.ts";
import type { Vfs } from "../vfs/vfs.ts";
import { IpcLimits, type IpcSettings } from "./ipc_limits.ts";
import { type MakerSource, MqueueFs } from "./mqueue/mqueue_fs.ts";
import type { IpcClock } from "./sysv/ipc_object.ts";
import { IpcMessages } from "./sysv/messages.ts";
import { Semaphores } from "./sysv/semaphores.ts";
import { SharedMemory } from "./sysv/shm.ts";

/** The names of POSIX message queues, and an internal mount of their file system. */
interface QueueNames {
  readonly fs: MqueueFs;
  readonly mount: Mount;
}

export class IpcNamespace extends Namespace {
  override readonly kind = "ipc";
  readonly limits: IpcLimits;
  readonly shm: SharedMemory;
  readonly sem: Semaphores;
  readonly msg: IpcMessages;
  readonly mq: QueueNames;

  constructor(
    account: Account,
    memory: MemoryContext,
    vfs: Vfs,
    user: IpcClock & MakerSource,
    settings: IpcSettings,
    owner: UserNamespace = INITIAL_USER_NAMESPACE,
    isInitial: boolean = true,
  ) {
    super(owner, isInitial);
    this.limits = new IpcLimits(settings);
    this.shm = new SharedMemory(memory, user, this.limits);
    this.sem = new Semaphores(user, this.limits);
    this.msg = new IpcMessages(user, this.limits);
    this.shm.table.userNs = this.sem.table.userNs = this.msg.table.userNs = owner;
    const fs = new MqueueFs(account, memory.frames, vfs, this.limits, user, owner);
    this.mq = { fs, mount: internalMount(account, vfs, fs) };
  }

  /**
   * No process is in the namespace: its objects are removed; mapped memory lives until its last
   * mapping.
   */
  protected override release(): void {
    for (const segment of this.shm.table.all()) this.shm.remove(segment);
    for (const set of this.sem.table.all()) this.sem.remove(set);
    for (const queue of this.msg.table.all()) this.msg.remove(queue);
    const { mount } = this.mq;
    mount.isDetached = true;
    mount.pins--;
    mount.retireIfUnused();
  }
}
