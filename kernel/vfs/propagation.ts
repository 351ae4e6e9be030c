/**
 * Shared subtrees (mount_namespaces(7)): groups of mounts that show each other what is mounted on them, and slaves that
 * only listen. A mount is in at most one group, and the slave of at most one; groups reach across namespaces.
 *
 * Not here: the calls and their checks (mount_operations.ts), the tree itself (mounts.ts).
 */

import type { Dentry, Mount } from "./dentry.ts";

export class PeerGroup {
  /** As mountinfo shows it. */
  readonly id: number;
  readonly members: Set<Mount> = new Set();
  /** Mounts that are told and tell nothing. */
  readonly slaves: Set<Mount> = new Set();

  constructor(id: number) {
    this.id = id;
  }
}

/** Gives out the numbers of groups. */
export interface GroupNumbers {
  nextPeerGroup(): number;
}

/** MS_SHARED: alone in a new group, unless it is in one already. A slave stays a slave too. */
export function makeShared(mount: Mount, numbers: GroupNumbers): void {
  mount.isUnbindable = false;
  if (mount.peers !== null) return;
  mount.peers = new PeerGroup(numbers.nextPeerGroup());
  mount.peers.members.add(mount);
}

/**
 * MS_SLAVE: each of the group that it leaves. One that was alone there goes on as what it was
 * besides.
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
  ended.passSlavesOn();
}

/** MS_PRIVATE and MS_UNBINDABLE. */
export function makePrivate(mounts: Iterable<Mount>, isUnbindable: boolean): void {
  const ended = new EndedGroups();
  for (const mount of mounts) {
    ended.leave(mount);
    setMaster(mount, null);
    mount.isUnbindable = isUnbindable;
  }
  ended.passSlavesOn();
}

/**
 * Groups whose last members leave together. Slaves move once, however long the chain of groups that
 * end is.
 */
class EndedGroups {
  /** What the last member of each was a slave of. */
  private readonly masters: Map<PeerGroup, PeerGroup | null> = new Map();

  leave(mount: Mount): void {
    const group = mount.peers;
    if (group === null) return;
    mount.peers = null;
    group.members.delete(mount);
    if (group.members.size === 0) this.masters.set(group, mount.master);
  }

  /** To the nearest master that is still there. */
  passSlavesOn(): void {
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

/** A copy that is what its original is: a peer of its peers, a slave of its master. */
export function copyPropagation(copy: Mount, from: Mount): void {
  if (from.peers !== null) {
    copy.peers = from.peers;
    from.peers.members.add(copy);
  }
  setMaster(copy, from.master);
}

/** A copy in a less privileged mount namespace: a slave where the original is shared. */
export function copyAsSlave(copy: Mount, from: Mount): void {
  setMaster(copy, from.peers ?? from.master);
}

/** A mount that an event at some place reaches, and whose copy of the news is a copy of which other one's. */
export interface Listener {
  readonly mount: Mount;
  /** Null: of the original. */
  readonly source: Mount | null;
  /** Its copy is a slave of the source's, not a peer. */
  readonly isSlave: boolean;
  /**
   * The mount is shared, so its copy is too: as it was before the event, which may make more mounts
   * shared.
   */
  readonly isShared: boolean;
}

/**
 * The mounts that an event below `origin` at `at` reaches, in an order in which each source stands
 * in front of those that copy it: peers, slaves, their peers and slaves. Guests make chains of
 * slaves as long as they like.
 */
export function listenersOf(origin: Mount, at: Dentry): readonly Listener[] {
  if (origin.peers === null) return NO_LISTENERS;
  const walk = new ListenerWalk(origin, at);
  walk.run(origin.peers);
  return walk.found;
}
const NO_LISTENERS: readonly Listener[] = [];

/** Slaves of a group that are still to be looked at. */
interface SlavesLeft {
  readonly slaves: Iterator<Mount>;
  /** What their copies are copies of. */
  readonly source: Mount | null;
}

class ListenerWalk {
  readonly found: Listener[] = [];
  private readonly at: Dentry;
  private readonly seen: Set<Mount>;
  private readonly left: SlavesLeft[] = [];
  /** Whether the place is within what a mount of this root shows. */
  private readonly shownBelow: Map<Dentry, boolean> = new Map();

  constructor(origin: Mount, at: Dentry) {
    this.at = at;
    this.seen = new Set([origin]);
  }

  run(group: PeerGroup): void {
    this.enter(group, null, false);
    for (let top = this.left.at(-1); top !== undefined; top = this.left.at(-1)) {
      const next = top.slaves.next();
      if (next.done === true) this.left.pop();
      else this.visitSlave(next.value, top.source);
    }
  }

  private visitSlave(slave: Mount, source: Mount | null): void {
    if (this.seen.has(slave)) return;
    this.seen.add(slave);
    const listens = this.shows(slave);
    if (listens) {
      this.found.push({ mount: slave, source, isSlave: true, isShared: slave.peers !== null });
    }
    if (slave.peers !== null) this.enter(slave.peers, listens ? slave : source, !listens);
  }

  /** @param isSlave the first copy in the group is a slave of the source's, not a peer */
  private enter(group: PeerGroup, source: Mount | null, isSlave: boolean): void {
    let from = source, isFirstSlave = isSlave;
    for (const mount of group.members) {
      if (this.seen.has(mount)) continue;
      this.seen.add(mount);
      if (!this.shows(mount)) continue;
      this.found.push({ mount, source: from, isSlave: isFirstSlave, isShared: true });
      if (isFirstSlave) from = mount;
      isFirstSlave = false;
    }
    if (group.slaves.size > 0) this.left.push({ slaves: group.slaves.values(), source: from });
  }

  /** The place is within what the mount shows, and the mount is somewhere. */
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
