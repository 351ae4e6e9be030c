/**
 * Shared subtrees (mount_namespaces(7)): peer groups of mounts that share what is mounted on them,
 * and slaves that only receive. A mount is in at most one group and a slave of at most one; groups
 * reach across namespaces.
 *
 * mount_operations.ts has the calls and their checks; mounts.ts attaches the copies that
 * `listenersOf` lists.
 */

import type { Dentry, Mount } from "./dentry.ts";

export class PeerGroup {
  /** The number in mountinfo. */
  readonly id: number;
  readonly members: Set<Mount> = new Set();
  /** Mounts that receive mounts from the group and send none. */
  readonly slaves: Set<Mount> = new Set();

  constructor(id: number) {
    this.id = id;
  }
}

/** The source of group numbers. */
interface GroupNumbers {
  nextPeerGroup(): number;
}

/**
 * MS_SHARED: puts the mount alone in a new group, unless it is in one. A slave stays a slave too.
 */
export function makeShared(mount: Mount, numbers: GroupNumbers): void {
  mount.isUnbindable = false;
  if (mount.peers !== null) return;
  mount.peers = new PeerGroup(numbers.nextPeerGroup());
  mount.peers.members.add(mount);
}

/**
 * MS_SLAVE: makes each mount a slave of the group that it leaves. A mount that was alone in its
 * group keeps its master.
 */
export function makeSlave(mounts: Iterable<Mount>): void {
  const left: [Mount, PeerGroup][] = [], ended = new EndedGroups();
  for (const mount of mounts) {
    const { peers } = mount;
    if (peers === null) continue;
    ended.leave(mount);
    left.push([mount, peers]);
  }
  for (const [mount, group] of left) if (group.members.size > 0) setMaster(mount, group);
  ended.moveSlaves();
}

/** MS_PRIVATE and MS_UNBINDABLE. */
export function makePrivate(mounts: Iterable<Mount>, isUnbindable: boolean): void {
  const ended = new EndedGroups();
  for (const mount of mounts) {
    ended.leave(mount);
    setMaster(mount, null);
    mount.isUnbindable = isUnbindable;
  }
  ended.moveSlaves();
}

/**
 * Groups whose last members leave in one operation. Each slave moves once, however long the chain
 * of ending groups is.
 */
class EndedGroups {
  /** The master of each group's last member. */
  private readonly masters: Map<PeerGroup, PeerGroup | null> = new Map();

  leave(mount: Mount): void {
    const group = mount.peers;
    if (group === null) return;
    mount.peers = null;
    group.members.delete(mount);
    if (group.members.size === 0) this.masters.set(group, mount.master);
  }

  /** Moves the slaves of ended groups to the nearest master that still exists. */
  moveSlaves(): void {
    for (const group of this.masters.keys()) {
      if (group.slaves.size === 0) continue;
      const heir = this.heirOf(group);
      for (const slave of [...group.slaves]) setMaster(slave, heir);
    }
  }

  private heirOf(group: PeerGroup): PeerGroup | null {
    const way: PeerGroup[] = [];
    let heir: PeerGroup | null = group;
    for (let next; heir !== null && (next = this.masters.get(heir)) !== undefined; heir = next) {
      way.push(heir);
    }
    for (const passed of way) this.masters.set(passed, heir);
    return heir;
  }
}

export function setMaster(mount: Mount, master: PeerGroup | null): void {
  mount.master?.slaves.delete(mount);
  mount.master = master;
  master?.slaves.add(mount);
}

/** Gives a copy the propagation of its original: a peer of its peers, a slave of its master. */
export function copyPropagation(copy: Mount, from: Mount): void {
  if (from.peers !== null) {
    copy.peers = from.peers;
    from.peers.members.add(copy);
  }
  setMaster(copy, from.master);
}

/** Makes a copy a slave where its original is shared: for a less privileged mount namespace. */
export function copyAsSlave(copy: Mount, from: Mount): void {
  setMaster(copy, from.peers ?? from.master);
}

/** A mount that gets a copy when something is mounted at a place. */
export interface Listener {
  readonly mount: Mount;
  /** The mount whose copy is copied for this one; null: the original is copied. */
  readonly source: Mount | null;
  /** Its copy is a slave of the source's copy, not a peer. */
  readonly isSlave: boolean;
  /**
   * Whether the mount was shared before the event, which may make more mounts shared; then its copy
   * is shared too.
   */
  readonly isShared: boolean;
}

/**
 * The mounts that get a copy when something is mounted on `origin` at `at`, each after its source:
 * peers, slaves, their peers and slaves. Guests make chains of slaves of any length, so this is a
 * loop.
 */
export function listenersOf(origin: Mount, at: Dentry): readonly Listener[] {
  if (origin.peers === null) return NO_LISTENERS;
  const walk = new ListenerWalk(origin, at);
  walk.run(origin.peers);
  return walk.found;
}
const NO_LISTENERS: readonly Listener[] = [];

/** The slaves of a group; those from `next` on are not visited yet. */
interface SlavesLeft {
  readonly slaves: readonly Mount[];
  next: number;
  /** The source of their copies. */
  readonly source: Mount | null;
}

class ListenerWalk {
  readonly found: Listener[] = [];
  private readonly at: Dentry;
  private readonly seen: Set<Mount>;
  private readonly left: SlavesLeft[] = [];
  /** For each root of a mount: whether the place is within it. */
  private readonly shownBelow: Map<Dentry, boolean> = new Map();

  constructor(origin: Mount, at: Dentry) {
    this.at = at;
    this.seen = new Set([origin]);
  }

  run(group: PeerGroup): void {
    this.visitGroup(group, null, false);
    for (let top = this.left.at(-1); top !== undefined; top = this.left.at(-1)) {
      const slave = top.slaves[top.next++];
      if (slave === undefined) this.left.pop();
      else this.visitSlave(slave, top.source);
    }
  }

  private visitSlave(slave: Mount, source: Mount | null): void {
    if (this.seen.has(slave)) return;
    this.seen.add(slave);
    const listens = this.shows(slave);
    if (listens) {
      this.found.push({ mount: slave, source, isSlave: true, isShared: slave.peers !== null });
    }
    if (slave.peers !== null) this.visitGroup(slave.peers, listens ? slave : source, !listens);
  }

  /**
   * @param isSlave the first copy in the group is a slave of the source's copy, not a peer
   */
  private visitGroup(group: PeerGroup, source: Mount | null, isSlave: boolean): void {
    let from = source, isFirstSlave = isSlave;
    for (const mount of group.members) {
      if (this.seen.has(mount)) continue;
      this.seen.add(mount);
      if (!this.shows(mount)) continue;
      this.found.push({ mount, source: from, isSlave: isFirstSlave, isShared: true });
      if (isFirstSlave) from = mount;
      isFirstSlave = false;
    }
    if (group.slaves.size > 0) this.left.push({ slaves: [...group.slaves], next: 0, source: from });
  }

  /** Whether the mount is attached and shows the place. */
  private shows({ namespace, root }: Mount): boolean {
    if (namespace === null) return false;
    let isShown = this.shownBelow.get(root);
    if (isShown === undefined) {
      isShown = root.isAncestorOf(this.at);
      this.shownBelow.set(root, isShown);
    }
    return isShown;
  }
}
