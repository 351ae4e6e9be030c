/**
 * The mounts that umount2(2) detaches besides those that were named: the mounts at the same places
 * of their parents' peers and slaves (mount_namespaces(7)). A mount stays if a mount on it stays
 * that would otherwise move or show what it covers: one that is attached somewhere inside, or one
 * that is locked to it. mounts.ts calls this.
 */

import type { Dentry, Mount } from "./dentry.ts";
import { childAt, linkMount, topmost } from "./mount_links.ts";
import { listenersOf, type PeerGroup } from "./propagation.ts";

/** The mounts that one umount2(2) detaches. */
export class UmountSet {
  /** The mounts that were named, and the mounts below them. */
  readonly named: ReadonlySet<Mount>;
  /** The mounts at peers and slaves that are detached too. */
  readonly copies: Set<Mount> = new Set();

  constructor(named: readonly Mount[]) {
    this.named = new Set(named);
    const namedAt = countsByMountpoint(named), seen = new Map<PeerGroup, Set<Dentry>>();
    for (const { parent, mountpoint } of named) {
      if (parent === null || parent.peers === null || mountpoint === null) continue;
      // All mounts at this place are named, whatever parents they have.
      if (namedAt.get(mountpoint) === mountpoint.mountCount) continue;
      // The members of a group have the same listeners, but for the member itself, whose mount is
      // named. A guest doubles the members by each mount: they are not walked for each other.
      const places = seen.get(parent.peers) ?? new Set();
      seen.set(parent.peers, places);
      if (places.has(mountpoint)) continue;
      places.add(mountpoint);
      for (const { mount: listener } of listenersOf(parent, mountpoint)) {
        const there = childAt(listener, mountpoint);
        if (there !== null && !this.named.has(there)) this.copies.add(there);
      }
    }
    this.removeStaying();
  }

  has(mount: Mount): boolean {
    return this.named.has(mount) || this.copies.has(mount);
  }

  /**
   * Removes the mounts that must stay from `copies`. Each mount is looked at once as one that
   * stays.
   */
  private removeStaying(): void {
    const staying: Mount[] = [];
    for (const copy of this.copies) {
      if (copy.isLocked && (copy.parent === null || !this.has(copy.parent))) staying.push(copy);
      for (const child of copy.children.values()) if (!this.has(child)) staying.push(child);
    }
    for (const mount of staying) this.copies.delete(mount);
    for (let mount = staying.pop(); mount !== undefined; mount = staying.pop()) {
      const kept = this.findKeptAncestor(mount);
      if (kept !== null && this.copies.delete(kept)) staying.push(kept);
      for (const child of mount.children.values()) {
        if (child.isLocked && this.copies.delete(child)) staying.push(child);
      }
    }
  }

  /**
   * The mount that must stay because `mount` stays, as `mount` is attached inside it and cannot
   * take its place; or null.
   */
  private findKeptAncestor(mount: Mount): Mount | null {
    let above = mount, below = mount.parent;
    while (below !== null && this.copies.has(below)) {
      const isHeld = above === mount && mount.isLocked;
      if (isHeld || above.mountpoint !== below.root) return below;
      above = below;
      below = below.parent;
    }
    return null;
  }

  /**
   * Moves each mount that covers a detached copy, and stays itself, to the place of the lowest
   * detached copy.
   */
  moveCovering(): void {
    for (const copy of this.copies) {
      const child = childAt(copy, copy.root);
      if (child === null || this.has(child)) continue;
      let lowest = copy;
      while (lowest.parent !== null && this.copies.has(lowest.parent)) lowest = lowest.parent;
      const { parent, mountpoint } = lowest;
      if (parent === null || mountpoint === null) continue;
      child.unlink();
      lowest.unlink();
      linkMount(child, parent, mountpoint);
    }
  }
}

/** The number of these mounts at each place. */
function countsByMountpoint(mounts: readonly Mount[]): Map<Dentry, number> {
  const counts = new Map<Dentry, number>();
  for (const { mountpoint } of mounts) {
    if (mountpoint !== null) counts.set(mountpoint, (counts.get(mountpoint) ?? 0) + 1);
  }
  return counts;
}

/** Whether a copy of the mount at a peer or slave of its parent is in use. */
export function isBusyElsewhere({ parent, mountpoint }: Mount): boolean {
  if (parent === null || mountpoint === null) return false;
  return listenersOf(parent, mountpoint).some(({ mount: listener }) => {
    const there = childAt(listener, mountpoint);
    return there !== null && there.children.size === 0 && there.pins > 0;
  });
}

/**
 * Attaches `covering`, which was unlinked from a place, on top of the mount `came`, which was put
 * there.
 */
export function coverWith(covering: Mount, came: Mount): void {
  const top = topmost(came);
  linkMount(covering, top, top.root);
}
