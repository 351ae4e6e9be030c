/**
 * `mount -t cgroup2`: the hierarchy of the caller's container, from the root of its cgroup
 * namespace on.
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { hasCapIn } from "../cred/credentials.ts";
import { CgroupView } from "./fs/cgroup_fs.ts";
import type { CgroupLimits } from "./fs/limits.ts";
import { FsType } from "../fs/fs_types.ts";
import type { Caller } from "../vfs/caller.ts";
import type { FileSystem } from "../vfs/inode.ts";
import type { CgroupNamespace } from "./namespace.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { hasNamespaces } from "../task/namespaces.ts";

/**
 * Options without an effect: all mounts have nsdelegate, and events count as with
 * memory_recursiveprot.
 */
const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  "",
  "nsdelegate",
  "favordynmods",
  "memory_localevents",
  "memory_recursiveprot",
  "memory_hugetlb_accounting",
  "pids_localevents",
]);

/** The cgroup namespace of the calling task. */
export function cgroupNamespaceOf(kernel: Kernel, caller: Caller): CgroupNamespace {
  return (hasNamespaces(caller) ? caller.ns : kernel.namespaces).cgroup;
}

/** The mount that a container sees, whose root shows these limits. */
export function containerView(kernel: Kernel, caller: Caller, limits: CgroupLimits): FileSystem {
  const { unified } = cgroupNamespaceOf(kernel, caller).roots;
  unified.hierarchy.owner.limits = limits;
  return new CgroupView(kernel.vfs.devices, unified.hierarchy.fs, unified);
}

export class Cgroup2Type extends FsType {
  override readonly name = "cgroup2";
  override readonly isForUsers = true;
  override readonly shows = "cgroup";
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  override create(caller: Caller, _source: string, options: string): FileSystem | number {
    const ns = cgroupNamespaceOf(this.kernel, caller);
    if (ns.owner === null || !hasCapIn(caller.cred, ns.owner, CAP_SYS_ADMIN)) return -EPERM;
    for (const option of options.split(",")) if (!KNOWN_OPTIONS.has(option)) return -EINVAL;
    const { unified } = ns.roots;
    return new CgroupView(this.kernel.vfs.devices, unified.hierarchy.fs, unified);
  }
}
