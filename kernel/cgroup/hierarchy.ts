/**
 * Hierarchies of control groups, and all of them that a container has: the one of version 2, which
 * is always there, and those of version 1 that were mounted. No container sees another's.
 *
 * Its root is what the container is in: limits on it come from outside (cgroup/fs/limits.ts).
 * Without a container it is the root of a machine.
 */

import { ENOMEM } from "../../ffi/abi/errno.ts";
import { CGROUPS } from "../core/quota.ts";
import { CgroupFs, GroupDir } from "./fs/cgroup_fs.ts";
import { type CgroupLimits, noLimits } from "./fs/limits.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { Cgroup } from "./cgroup.ts";
import { UNIFIED } from "./controllers.ts";

export class Hierarchy {
  /** 0: the one of version 2. */
  readonly id: number;
  /** Those that it has; of version 2: that it may give to groups. */
  controllers: number;
  /** name= of version 1. */
  readonly name: string;
  readonly owner: Cgroups;
  readonly root: Cgroup;
  readonly fs: CgroupFs;
  /** Mounts of version 1. */
  views: number = 0;

  constructor(owner: Cgroups, id: number, controllers: number, name: string, options: string) {
    this.owner = owner;
    this.id = id;
    this.controllers = controllers;
    this.name = name;
    this.root = new Cgroup(this, null, "");
    const { host } = owner.kernel;
    const type = id === 0 ? "cgroup2" : "cgroup";
    this.fs = new CgroupFs(host, type, this.root, options);
  }

  get isUnified(): boolean {
    return this.id === 0;
  }
}

/** Everything of one container. */
export class Cgroups {
  readonly kernel: Kernel;
  readonly unified: Hierarchy;
  /** Of version 1, in the order of their ids. */
  readonly legacy: Hierarchy[] = [];
  /** What is allowed from outside. Whoever changes it changes what is shown. */
  limits: CgroupLimits = noLimits();
  /** Groups whose tasks stand still: frozen, or without processor time left. */
  stillGroups: number = 0;
  /**
   * Its root is that of a machine: nobody limits it from outside, and it has the files that Linux's
   * root has.
   */
  isMachine: boolean = false;
  private lastId: number = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.unified = new Hierarchy(this, 0, UNIFIED, "", "nsdelegate");
  }

  becomeMachine(): void {
    this.isMachine = true;
    this.unified.root.forgetFiles();
  }

  /** A hierarchy of version 1, whose controllers are not another one's; -ENOMEM. */
  addLegacy(controllers: number, name: string, options: string): Hierarchy | number {
    if (!CGROUPS.take(1)) return -ENOMEM;
    this.unified.controllers &= ~controllers;
    const hierarchy = new Hierarchy(this, ++this.lastId, controllers, name, options);
    this.legacy.push(hierarchy);
    return hierarchy;
  }

  /** Nobody mounts it any more, and it has no groups. */
  dropLegacy(hierarchy: Hierarchy): void {
    this.legacy.splice(this.legacy.indexOf(hierarchy), 1);
    CGROUPS.give(1, hierarchy.root.account);
    hierarchy.fs.end();
    this.unified.controllers |= hierarchy.controllers & UNIFIED;
  }

  /** The container is gone: no group of it is looked at any more. */
  release(): void {
    for (const { root } of [this.unified, ...this.legacy]) {
      for (const group of root.subtree().reverse()) {
        if (group.inode instanceof GroupDir) group.inode.end();
        if (group !== root) group.remove();
      }
    }
    for (const { root } of this.legacy) CGROUPS.give(1, root.account);
    this.legacy.length = 0;
  }

  /** The hierarchy that a controller is in. */
  of(controller: number): Hierarchy {
    return this.legacy.find((h) => (h.controllers & controller) !== 0) ?? this.unified;
  }
}
