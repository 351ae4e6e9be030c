/**
 * Accounts of turns of the kernel's loop. Tasks of one container, one top control group in it and
 * one user share an account. The loop (fair_turns.ts) serves accounts in turn by weight when they
 * compete.
 *
 * Accounts are the leaves of a tree: containers, their top control groups, users. Each level
 * divides its part among the nodes with work, so that more users, threads or groups in one
 * container take nothing from another container. The user is the real one, as for RLIMIT_NPROC; in
 * a user namespace below the container's it is the outermost owner, because a mapping gives no
 * further share.
 *
 * Virtual time follows start-time fair queueing: the time of a node advances by its service divided
 * by its weight; a node without work begins at the time of its level, so that it neither saves up
 * turns nor loses them.
 */

import type { Context } from "../../platform/platform.ts";
import { Fifo } from "../core/fifo.ts";
import type { Cgroup } from "../cgroup/cgroup.ts";
import type { Container } from "./container.ts";
import type { Task } from "./task.ts";

/** Weight of a node that has none of its own: the default of cpu.weight. */
const WEIGHT = 100;

/** A container, a control group or a user, among the nodes of its level. */
export class TurnNode {
  readonly parent: TurnNode | null;
  /** Child nodes that have work. */
  readonly active: TurnNode[] = [];
  /** Virtual time of the node and of the level below it, ns at the default weight. */
  timeNs: number = 0;
  levelNs: number = 0;
  /** Number of live tasks below it. */
  tasks: number = 0;

  constructor(parent: TurnNode | null) {
    this.parent = parent;
  }

  get weight(): number {
    return WEIGHT;
  }
}

export class ContainerNode extends TurnNode {
  readonly groups: Map<Cgroup, GroupNode> = new Map();
  private readonly container: Container | null;

  constructor(parent: TurnNode, container: Container | null) {
    super(parent);
    this.container = container;
  }

  override get weight(): number {
    return this.container === null ? WEIGHT : this.container.turnWeight;
  }
}

export class GroupNode extends TurnNode {
  readonly users: Map<number, TurnAccount> = new Map();
  private readonly group: Cgroup;

  constructor(parent: TurnNode, group: Cgroup) {
    super(parent);
    this.group = group;
  }

  /** A container's root has the tasks that are in no group below it. */
  override get weight(): number {
    const { parent, cpu } = this.group;
    if (parent === null) return WEIGHT;
    return cpu.isIdle ? 1 : cpu.weight;
  }
}

/** A user of a control group, and the work of its tasks that waits for the loop. */
export class TurnAccount extends TurnNode {
  readonly traps: Fifo<Context> = new Fifo();
  readonly queued: Fifo<Task> = new Fifo();
  readonly container: Container | null;
  readonly group: Cgroup;
  readonly uid: number;
  /** Number of pieces of its work that are quick enough to be served without reading the clock. */
  blind: number = 1;

  constructor(parent: TurnNode, container: Container | null, group: Cgroup, uid: number) {
    super(parent);
    this.container = container;
    this.group = group;
    this.uid = uid;
  }

  get isEmpty(): boolean {
    return this.traps.length === 0 && this.queued.length === 0;
  }
}

export class TurnAccounts {
  readonly root: TurnNode = new TurnNode(null);
  /** Number of accounts with live tasks. */
  count: number = 0;
  private readonly containers: Map<Container | null, ContainerNode> = new Map();

  /** Adds the task to its account. Call again after a change of container, group or user. */
  join(task: Task): void {
    const { container } = task.group, group = topGroup(task), uid = userOf(task);
    const old = task.turnAccount;
    if (old !== null) {
      if (old.container === container && old.group === group && old.uid === uid) return;
      this.leave(task);
    }
    let top = this.containers.get(container);
    if (top === undefined) {
      this.containers.set(container, top = new ContainerNode(this.root, container));
    }
    let middle = top.groups.get(group);
    if (middle === undefined) top.groups.set(group, middle = new GroupNode(top, group));
    let account = middle.users.get(uid);
    if (account === undefined) {
      account = new TurnAccount(middle, container, group, uid);
      middle.users.set(uid, account);
      this.count++;
    }
    for (let up: TurnNode | null = account; up !== null; up = up.parent) up.tasks++;
    task.turnAccount = account;
  }

  /**
   * Removes the task from its account. An account that still has work is served until it has none.
   */
  leave(task: Task): void {
    const account = task.turnAccount;
    if (account === null) return;
    task.turnAccount = null;
    for (let up: TurnNode | null = account; up !== null; up = up.parent) up.tasks--;
    if (account.tasks > 0) return;
    const top = this.containers.get(account.container), middle = top?.groups.get(account.group);
    if (top === undefined || middle === undefined) return;
    middle.users.delete(account.uid);
    this.count--;
    if (middle.tasks === 0) top.groups.delete(account.group);
    if (top.tasks === 0) this.containers.delete(account.container);
  }
}

/** The group directly below the root of the container's hierarchy. */
function topGroup(task: Task): Cgroup {
  let group = task.cgroups.unified;
  while (group.parent !== null && group.parent.parent !== null) group = group.parent;
  return group;
}

function userOf(task: Task): number {
  const base = task.group.container?.init?.leader?.cred.userNs.level ?? 0;
  let { userNs, uid } = task.cred;
  while (userNs.level > base && userNs.parent !== null) {
    uid = userNs.ownerUid;
    userNs = userNs.parent;
  }
  return uid;
}
