/**
 * Operations on whole trees of mounts: listing, copying, locking. A guest nests mounts as deep as
 * the limit of a namespace allows, so nothing here recurses. mount_links.ts has the single steps;
 * mounts.ts calls this to attach and copy trees.
 */

import type { Account } from "../core/account.ts";
import { EPERM } from "../../ffi/abi/errno.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../ffi/abi/mount.ts";
import type { Dentry, Mount } from "./dentry.ts";
import { duplicate, linkMount } from "./mount_links.ts";
import { makeShared } from "./propagation.ts";
import type { Vfs } from "./vfs.ts";

/** A mount and all mounts below it, in depth-first order: each after its parent. */
export function treeOf(top: Mount): Mount[] {
  const tree: Mount[] = [], left = [top];
  for (let mount = left.pop(); mount !== undefined; mount = left.pop()) {
    tree.push(mount);
    pushChildren(mount, left);
  }
  return tree;
}

/** Pushes the children in reverse, so that the first child is popped first. */
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

/** The rule of a copy: which mounts below the first one are copied, and how. */
export interface CopyRule {
  /** Unbindable mounts are copied too. */
  readonly unbindable: boolean;
  /**
   * Files of mount namespaces are copied too. A copy of a namespace must not keep other namespaces
   * alive.
   */
  readonly namespaceFiles: boolean;
  /** Sets the propagation of a copy. */
  readonly inherit: (copy: Mount, from: Mount) => void;
}

/**
 * Pairs of a mount and its copy, each after its parent's pair. The copy of the first mount shows
 * `root`.
 */
export type CopiedPairs = readonly (readonly [Mount, Mount])[];

export function copyTree(
  account: Account,
  vfs: Vfs,
  from: Mount,
  root: Dentry,
  rule: CopyRule,
): CopiedPairs {
  const pairs: [Mount, Mount][] = [], copies = new Map<Mount, Mount>();
  for (const mount of copiedOf(from, root, rule)) {
    const copy = duplicate(account, vfs, mount, mount === from ? root : mount.root);
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

/** The mounts that `copyTree` copies: `from`, and the mounts within `root`. */
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
 * The number of mounts of a copy; -EPERM when the copy would show what a locked unbindable mount
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

/** Makes all mounts of a tree shared, after it was attached to a shared mount. */
export function shareTree(top: Mount, vfs: Vfs): void {
  for (const mount of treeOf(top)) makeShared(mount, vfs);
}

/**
 * Locks a tree for a less privileged namespace, which may neither loosen flags nor unmount single
 * mounts; the first mount may be unmounted.
 */
export function lockTree(top: Mount): void {
  for (const mount of treeOf(top)) {
    mount.isLocked = mount !== top;
    mount.lockFlags(mount.flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC), true);
  }
}

export function hasUnbindable(top: Mount): boolean {
  return treeOf(top).some((mount) => mount.isUnbindable);
}
