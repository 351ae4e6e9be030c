/**
 * Hierarchies of control groups. A container has one of version 2, always, and those of version 1
 * that were mounted; it sees no other container's.
 *
 * The root group stands for what the container is in: its limits come from outside (fs/limits.ts).
 * Without a container it is the root of a machine.
 */

import type { Account } from "../core/account.ts";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import { CGROUPS } from "../core/quota.ts";
import { CgroupFs, GroupDir } from "./fs/cgroup_fs.ts";
import { type CgroupLimits, noLimits } from "./fs/limits.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { Cgroup } from "./cgroup.ts";
import { UNIFIED } from "./controllers.ts";

/** One tree of groups, with its root. */
export class Hierarchy {
  /** 0: the hierarchy of version 2. */
  readonly id: number;
  /** The controllers of the hierarchy; of version 2 those that groups may have. */
  controllers: number;
  /** The option name= of version 1. */
  readonly name: string;
  readonly owner: Cgroups;
  readonly root: Cgroup;
  readonly fs: CgroupFs;
  /** The number of mounts of version 1. */
  views: number = 0;

  constructor(owner: Cgroups, id: number, controllers: number, name: string, options: string) {
    this.owner = owner;
    this.id = id;
    this.controllers = controllers;
    this.name = name;
    this.root = new Cgroup(owner.account, this, null, "");
    const type = id === 0 ? "cgroup2" : "cgroup";
    this.fs = new CgroupFs(owner.kernel.vfs, type, this.root, options);
  }

  get isUnified(): boolean {
    return this.id === 0;
  }
}

/** All hierarchies of one container. */
export class Cgroups {
  readonly kernel: Kernel;
  /** The account that its hierarchies are charged to. */
  readonly account: Account;
  readonly unified: Hierarchy;
  /** The hierarchies of version 1, in the order of their ids. */
  readonly legacy: Hierarchy[] = [];
  /** The limits from outside, as the files of the root show them. */
  limits: CgroupLimits = noLimits();
  /** The owner of frames that no group is charged for (charges.ts); 0: none. */
  chargeId: number = 0;
  /** Groups whose tasks stand still: frozen, or over their CPU quota. */
  stillGroups: number = 0;
  /**
   * The root is that of a machine: it has no limits from outside, and has the files of Linux's
   * root.
   */
  isMachine: boolean = false;
  private lastId: number = 0;

  constructor(kernel: Kernel, account: Account) {
    this.kernel = kernel;
    this.account = account;
    this.unified = new Hierarchy(this, 0, UNIFIED, "", "nsdelegate");
  }

  becomeMachine(): void {
    this.isMachine = true;
    this.unified.root.forgetFiles();
  }

  /** Adds a hierarchy of version 1, whose controllers are in no other; or -ENOMEM. */
  addLegacy(controllers: number, name: string, options: string): Hierarchy | number {
    if (!CGROUPS.take(1, this.account)) return -ENOMEM;
    this.unified.controllers &= ~controllers;
    const hierarchy = new Hierarchy(this, ++this.lastId, controllers, name, options);
    this.legacy.push(hierarchy);
    return hierarchy;
  }

  /** Removes a hierarchy without mounts and groups. */
  dropLegacy(hierarchy: Hierarchy): void {
    this.legacy.splice(this.legacy.indexOf(hierarchy), 1);
    CGROUPS.give(1, hierarchy.root.account);
    hierarchy.fs.end();
    this.unified.controllers |= hierarchy.controllers & UNIFIED;
  }

  /** Called when the container has ended: none of its groups is used any more. */
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

  /** The hierarchy that has a controller. */
  of(controller: number): Hierarchy {
    return this.legacy.find((h) => (h.controllers & controller) !== 0) ?? this.unified;
  }
}
