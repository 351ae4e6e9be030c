/**
 * A control group: its place in a hierarchy, the number of its tasks, and the state of its
 * controllers. Files: files.ts; members: membership.ts.
 */

import type { Account } from "../core/account.ts";
import { CGROUPS } from "../core/quota.ts";
import { EAGAIN, EBUSY, EEXIST, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { ChangeSignal, type GroupFile, type GroupNode } from "./fs/group_node.ts";
import type { Inode } from "../vfs/inode.ts";
import { MEMORY, THREADED } from "./controllers.ts";
import { CpuState } from "./cpu.ts";
import { CpusetState } from "./cpuset.ts";
import { DeviceState } from "./devices.ts";
import { filesOf } from "./files.ts";
import { FreezeState, isFreezing, noteThaw } from "./freezer.ts";
import type { Hierarchy } from "./hierarchy.ts";
import { IoState } from "./io.ts";
import { MemoryState } from "./memory.ts";
import { PidsState } from "./pids.ts";

/** LIMIT: levels of groups, whatever cgroup.max.depth says. */
const DEPTH_MAX = 256;

export class Cgroup implements GroupNode {
  /** The account that the group is charged to. */
  readonly account: Account;
  readonly hierarchy: Hierarchy;
  readonly parent: Cgroup | null;
  name: string;
  readonly depth: number;
  readonly children: Map<string, Cgroup> = new Map();
  isGone: boolean = false;
  inode: Inode | null = null;
  /** Live tasks in the group, and in it and the groups below. */
  ownTasks: number = 0;
  tasks: number = 0;
  /** The number of groups below it. */
  descendants: number = 0;
  /** The controllers that its children have (version 2). */
  subtreeControl: number = 0;
  /**
   * Of a threaded group: the domain whose processes its threads belong to. Null: the group is a
   * domain.
   */
  threadedIn: Cgroup | null = null;
  threadedChildren: number = 0;
  maxDepth: number = Infinity;
  maxDescendants: number = Infinity;
  /** Changes of cgroup.events; version 1 has none. */
  readonly events: ChangeSignal = new ChangeSignal("cgroup.events");
  readonly freeze: FreezeState = new FreezeState(this);
  readonly cpu: CpuState = new CpuState(this);
  readonly io: IoState = new IoState();
  readonly pids: PidsState = new PidsState(this);
  readonly memory: MemoryState = new MemoryState(this);
  readonly cpuset: CpusetState = new CpusetState();
  readonly devices: DeviceState = new DeviceState(this);
  private files: readonly GroupFile[] = [];
  private filesFor: number = -1;

  constructor(account: Account, hierarchy: Hierarchy, parent: Cgroup | null, name: string) {
    this.account = account;
    this.hierarchy = hierarchy;
    this.parent = parent;
    this.name = name;
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  /** The controllers that are active in the group. */
  get controllers(): number {
    const { parent, hierarchy } = this;
    if (parent === null || !hierarchy.isUnified) return hierarchy.controllers;
    return this.threadedIn === null ? parent.subtreeControl : parent.subtreeControl & THREADED;
  }

  /** The group that has the processes of the threads in this one. */
  get domain(): Cgroup {
    return this.threadedIn ?? this;
  }

  get parentNode(): Cgroup | null {
    return this.parent;
  }

  /** The path from the root of the hierarchy; the root itself is "/". */
  get path(): string {
    return this.parent === null
      ? "/"
      : `${this.parent.parent === null ? "" : this.parent.path}/${this.name}`;
  }

  /** Whether the group is `top` or below it. */
  isWithin(top: Cgroup): boolean {
    if (this.depth <= top.depth) return this === top;
    return this.parent !== null && this.parent.isWithin(top);
  }

  /** The group and all groups below it. */
  subtree(): Cgroup[] {
    const groups: Cgroup[] = [this];
    for (let i = 0; i < groups.length; i++) {
      for (const child of groups[i]!.children.values()) groups.push(child);
    }
    return groups;
  }

  listFiles(): readonly GroupFile[] {
    const { controllers } = this;
    if (this.filesFor !== controllers) {
      const before = new Map(this.files.map((file) => [file.name, file]));
      this.files = filesOf(this).map((file) => before.get(file.name) ?? file);
      this.filesFor = controllers;
    }
    return this.files;
  }

  /** Called when the list of files has changed. */
  forgetFiles(): void {
    this.filesFor = -1;
  }

  child(name: string): Cgroup | null {
    return this.children.get(name) ?? null;
  }

  childNodes(): Iterable<Cgroup> {
    return this.children.values();
  }

  makeChild(name: string, account: Account): Cgroup | number {
    if (this.children.has(name) || this.listFiles().some((f) => f.name === name)) return -EEXIST;
    if (!hasRoom(this, 1) || this.depth >= DEPTH_MAX) return -EAGAIN;
    if (!CGROUPS.take(1, account)) return -ENOMEM;
    const child = new Cgroup(account, this.hierarchy, this, name);
    this.children.set(name, child);
    countBelow(this, 1);
    child.memory.follow();
    // A new group is empty: it is frozen at once if an ancestor freezes.
    child.freeze.isFrozen = isFreezing(this);
    return child;
  }

  remove(): number {
    const { parent } = this;
    if (parent === null || this.children.size > 0 || this.tasks > 0) return -EBUSY;
    this.isGone = true;
    parent.children.delete(this.name);
    if (this.threadedIn !== null) parent.threadedChildren--;
    countBelow(parent, -1);
    CGROUPS.give(1, this.account);
    noteThaw(this);
    this.cpu.endInto(parent.cpu);
    this.memory.end();
    this.devices.end();
    return 0;
  }

  renameTo(name: string): number {
    const { parent } = this;
    if (this.hierarchy.isUnified || parent === null) return -EPERM;
    if (parent.child(name) !== null) return -EEXIST;
    parent.children.delete(this.name);
    this.name = name;
    parent.children.set(name, this);
    return 0;
  }

  /** The parent changed its controllers; the state of lost ones is reset. */
  onControllersChange(lost: number): void {
    this.pids.onLoss(lost);
    this.cpu.onLoss(lost);
    this.cpuset.onLoss(lost);
    this.io.onLoss(lost);
    if ((lost & MEMORY) !== 0) this.memory.clear();
    for (const group of this.subtree()) group.memory.follow();
  }
}

/** Whether a group may be added that many levels below `group`. */
function hasRoom(group: Cgroup, level: number): boolean {
  if (group.descendants >= group.maxDescendants || level > group.maxDepth) return false;
  return group.parent === null || hasRoom(group.parent, level + 1);
}

function countBelow(group: Cgroup, sign: number): void {
  for (let up: Cgroup | null = group; up !== null; up = up.parent) up.descendants += sign;
}
