/**
 * The file system types of a sandbox: what mount(2) can mount, and how each type is made from its
 * options. The file systems are in fs/ and in the features' folders.
 */

import type { Caller } from "./vfs/caller.ts";
import type { FileSystem } from "./vfs/inode.ts";
import { DevtmpfsType } from "./fs/devfs/devtmpfs.ts";
import type { LoopDevices } from "./fs/devfs/loop.ts";
import { FsType } from "./fs/fs_types.ts";
import { overlayFromOptions } from "./fs/overlay/options.ts";
import type { MqueueFs } from "./ipc/mqueue/mqueue_fs.ts";
import { ProcFsType } from "./proc/fs/procfs.ts";
import type { ProcSource } from "./proc/fs/source.ts";
import { SysFsType } from "./fs/sysfs/sysfs.ts";
import { RamFs } from "./fs/tmpfs/ramfs.ts";
import { TmpfsFs } from "./fs/tmpfs/tmpfs.ts";
import { CgroupType } from "./cgroup/legacy_mount.ts";
import { Cgroup2Type } from "./cgroup/mount_types.ts";
import { hasNamespaces } from "./task/namespaces.ts";
import type { Kernel } from "./task/kernel_services.ts";

/** Registers every type with the kernel. `source` supplies the contents of /proc and /sys. */
export function registerFileSystems(
  kernel: Kernel,
  source: ProcSource,
  loops: LoopDevices,
): void {
  const types = kernel.fsTypes;
  types.register(new TmpfsType(kernel));
  types.register(new RamFsType(kernel));
  types.register(new OverlayType(kernel));
  types.register(new DevtmpfsType(kernel.memory.frames, kernel.vfs, loops));
  types.register(new ProcFsType(source));
  types.register(new SysFsType(source));
  types.register(new CgroupType(kernel));
  types.register(new Cgroup2Type(kernel));
  types.register(new MqueueType(kernel));
}

export class TmpfsType extends FsType {
  override readonly name: string = "tmpfs";
  override readonly isForUsers = true;
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  override create(caller: Caller, _source: string, options: string): FileSystem | number {
    const { memory, vfs } = this.kernel;
    return TmpfsFs.fromOptions(caller.account, memory.frames, vfs, options, caller.cred);
  }
}

export class RamFsType extends TmpfsType {
  override readonly name = "ramfs";

  override create(caller: Caller, _source: string, options: string): FileSystem | number {
    const { memory, vfs } = this.kernel;
    return RamFs.ofOptions(caller.account, memory.frames, vfs, options, caller.cred);
  }
}

export class OverlayType extends FsType {
  override readonly name = "overlay";
  override readonly isForUsers = true;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  override create(caller: Caller, _source: string, options: string): FileSystem | number {
    return overlayFromOptions(caller, options, this.kernel.memory.frames, this.kernel);
  }
}

/** mqueue: a mount shows the queues of the mounting task's IPC namespace. */
export class MqueueType extends FsType {
  override readonly name = "mqueue";
  override readonly isForUsers = true;
  override readonly shows = "ipc";
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  override create(caller: Caller, _source: string, _options: string): MqueueFs {
    const { ipc } = hasNamespaces(caller) ? caller.ns : this.kernel.namespaces;
    return ipc.mq.fs;
  }
}
