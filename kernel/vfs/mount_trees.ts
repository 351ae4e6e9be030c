/**
 * Whole trees of mounts: going through one, copying it, locking it. A guest nests mounts as deep as
 * the limit of a namespace lets it, so nothing here recurses. Single steps: mount_links.ts; what is
 * attached where: mounts.ts.
 */

import { EPERM } from "../../ffi/abi/errno.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../ffi/abi/mount.ts";
import type { Dentry, Mount } from "./dentry.ts";
import { duplicate, linkMount } from "./mount_links.ts";
import { makeShared } from "./propagation.ts";
import type { Vfs } from "./vfs.ts";

/** A mount and all below it: each behind its parent, a branch at a time. */
export function treeOf(top: Mount): Mount[] {
  const tree: Mount[] = [], left = [top];
  for (let mount = left.pop(); mount !== undefined; mount = left.pop()) {
    tree.push(mount);
    pushChildren(mount, left);
  }
  return tree;
}

/** The last child first, so that it is taken off last. */
function pushChildren(mount: Mount, left: Mount[]): void {
  if (mount.children.size === 0) return;
  const first = left.length;
  for (const child of mount.children.values()) left.push(child);
  for (let i = first, j = left.length - 1; i < j; i++, j--) {
    const child = left[i]!;
    left[i] = left[j]!;
    left[j] = child;
  }
}

/** Which mounts below the first one are copied. */
export interface CopyRule {
  /** Those that cannot be bound elsewhere too. */
  readonly unbindable: boolean;
  /** Files of mount namespaces too: a copy of a namespace must not keep others alive. */
  readonly namespaceFiles: boolean;
  /** How a copy listens and tells. */
  readonly inherit: (copy: Mount, from: Mount) => void;
}

/**
 * A pair is what was copied, and its copy, each behind its parent's. The first one's copy shows
 * `root`.
 */
export type CopiedPairs = readonly (readonly [Mount, Mount])[];

export function copyTree(vfs: Vfs, from: Mount, root: Dentry, rule: CopyRule): CopiedPairs {
  const pairs: [Mount, Mount][] = [], copies = new Map<Mount, Mount>();
  for (const mount of copiedOf(from, root, rule)) {
    const copy = duplicate(vfs, mount, mount === from ? root : mount.root);
    rule.inherit(copy, mount);
    copies.set(mount, copy);
    pairs.push([mount, copy]);
    const parent = mount === from || mount.parent === null ? undefined : copies.get(mount.parent);
    if (parent !== undefined && mount.mountpoint !== null) {
      linkMount(copy, parent, mount.mountpoint);
    }
  }
  return pairs;
}

/** What `copyTree` copies: `from`, and what is mounted within `root`. */
function copiedOf(from: Mount, root: Dentry, rule: CopyRule): Mount[] {
  const tree: Mount[] = [], left = [from];
  for (let mount = left.pop(); mount !== undefined; mount = left.pop()) {
    if (mount !== from) {
      if (mount.isUnbindable && !rule.unbindable) continue;
      if (!rule.namespaceFiles && isMountNamespaceFile(mount)) continue;
      const isInside = mount.parent !== from || root === from.root ||
        (mount.mountpoint !== null && root.isAncestorOf(mount.mountpoint));
      if (!isInside) continue;
    }
    tree.push(mount);
    pushChildren(mount, left);
  }
  return tree;
}

/**
 * How many mounts a copy has; -EPERM: it would show what an unbindable mount of another namespace
 * covers.
 */
export function sizeOfCopy(from: Mount, root: Dentry, rule: CopyRule): number {
  const copied = copiedOf(from, root, rule);
  if (rule.unbindable) return copied.length;
  for (const mount of copied) {
    for (const child of mount.children.values()) {
      if (child.isUnbindable && child.isLocked && isWithin(child, mount, from, root)) return -EPERM;
    }
  }
  return copied.length;
}

function isWithin(child: Mount, mount: Mount, from: Mount, root: Dentry): boolean {
  return mount !== from || (child.mountpoint !== null && root.isAncestorOf(child.mountpoint));
}

function isMountNamespaceFile(mount: Mount): boolean {
  return mount.root.inode?.standsFor?.kind === "mnt";
}

/** All of a tree that came to a shared mount are shared. */
export function shareTree(top: Mount, vfs: Vfs): void {
  for (const mount of treeOf(top)) makeShared(mount, vfs);
}

/**
 * A less privileged namespace neither loosens flags nor takes single mounts away; the first one may
 * go.
 */
export function lockTree(top: Mount): void {
  for (const mount of treeOf(top)) {
    mount.isLocked = mount !== top;
    mount.lock(mount.flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC), true);
  }
}

export function hasUnbindable(top: Mount): boolean {
  return treeOf(top).some((mount) => mount.isUnbindable);
}
