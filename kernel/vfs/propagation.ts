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

/** MS_SLAVE: of the group that it leaves. One that was alone there goes on as what it was besides. */
export function makeSlave(mount: Mount): void {
  const group = mount.peers;
  if (group === null) return;
  group.members.delete(mount);
  mount.peers = null;
  if (group.members.size > 0) {
    setMaster(mount, group);
    return;
  }
  for (const slave of [...group.slaves]) setMaster(slave, mount.master);
}

/** MS_PRIVATE and MS_UNBINDABLE. */
export function makePrivate(mount: Mount, isUnbindable: boolean): void {
  makeSlave(mount);
  setMaster(mount, null);
  mount.isUnbindable = isUnbindable;
}

export function setMaster(mount: Mount, master: PeerGroup | null): void {
  mount.master?.slaves.delete(mount);
  mount.master = master;
  master?.slaves.add(mount);
}

/** A copy that is what its original is: a peer of its peers, a slave of its master. */
export function copyPropagation(copy: Mount, from: Mount): void {
  copy.isUnbindable = from.isUnbindable;
  if (from.peers !== null) {
    copy.peers = from.peers;
    from.peers.members.add(copy);
  }
  setMaster(copy, from.master);
}

/** A copy in a less privileged mount namespace: a slave where the original is shared. */
export function copyAsSlave(copy: Mount, from: Mount): void {
  copy.isUnbindable = from.isUnbindable;
  setMaster(copy, from.peers ?? from.master);
}

/** A mount that an event at some place reaches, and whose copy of the news is a copy of which other one's. */
export interface Listener {
  readonly mount: Mount;
  /** Null: of the original. */
  readonly source: Mount | null;
  /** Its copy is a slave of the source's, not a peer. */
  readonly isSlave: boolean;
}

/**
 * Whoever is told of what happens below `origin` at `at`, in an order in which each source stands in front of those that
 * copy it: peers, slaves, their peers and slaves.
 */
export function listenersOf(origin: Mount, at: Dentry): Listener[] {
  const found: Listener[] = [];
  if (origin.peers !== null) collect(origin.peers, origin, null, at, found, new Set([origin]));
  return found;
}

function collect(
  group: PeerGroup,
  first: Mount,
  source: Mount | null,
  at: Dentry,
  found: Listener[],
  seen: Set<Mount>,
): void {
  for (const peer of group.members) {
    if (peer === first || seen.has(peer)) continue;
    seen.add(peer);
    if (shows(peer, at)) found.push({ mount: peer, source, isSlave: false });
  }
  for (const slave of group.slaves) {
    if (seen.has(slave)) continue;
    seen.add(slave);
    const listens = shows(slave, at);
    if (listens) found.push({ mount: slave, source, isSlave: true });
    if (slave.peers !== null) {
      collect(slave.peers, slave, listens ? slave : source, at, found, seen);
    }
  }
}

/** The place is within what the mount shows, and the mount is somewhere. */
function shows(mount: Mount, at: Dentry): boolean {
  return mount.namespace !== null && mount.root.isAncestorOf(at);
}
