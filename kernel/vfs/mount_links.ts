/**
 * Single steps on the tree of mounts: making a mount, copying it, attaching it to a parent.
 * mounts.ts and mount_trees.ts build their operations of these.
 */

import type { Account } from "../core/account.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import type { Dentry } from "./dentry.ts";
import { Mount } from "./dentry.ts";
import { rootDentryOf } from "./dentry_cache.ts";
import type { FileSystem } from "./inode.ts";
import type { Vfs } from "./vfs.ts";

/** A mount that is not attached yet. */
export function newMount(
  account: Account,
  vfs: Vfs,
  fs: FileSystem,
  root: Dentry,
  flags: number,
  source: string,
): Mount {
  return new Mount(account, vfs, fs, root, null, null, flags, source);
}

/**
 * A mount that no path leads to, for file systems that the kernel keeps for itself (pipes, sockets,
 * memfds). It is pinned for good.
 */
export function internalMount(account: Account, vfs: Vfs, fs: FileSystem): Mount {
  const mount = new Mount(account, vfs, fs, rootDentryOf(fs), null, null, 0, fs.source);
  mount.pins++;
  return mount;
}

/** A copy of a mount that shows `root`: private and not attached. */
export function duplicate(account: Account, vfs: Vfs, from: Mount, root: Dentry): Mount {
  const copy = newMount(account, vfs, from.fs, root, from.flags, from.source);
  copy.isLocked = from.isLocked;
  copy.lockedFlags = from.lockedFlags;
  copy.hasLockedAtime = from.hasLockedAtime;
  return copy;
}

/** Attaches a mount that has no parent, at a place where nothing is mounted. */
export function linkMount(mount: Mount, parent: Mount, at: Dentry): void {
  if (parent.children.has(at)) throw new KernelBug("two mounts at one place");
  mount.parent = parent;
  mount.mountpoint = at;
  parent.children.set(at, mount);
  at.mountCount++;
  at.pin();
}

/** The mount on (mount, dentry), or null. HOT: called only when `dentry.mountCount` > 0. */
export function childAt(mount: Mount, dentry: Dentry): Mount | null {
  return mount.children.get(dentry) ?? null;
}

/** The topmost of the mounts that are stacked on `mount`. */
export function topmost(mount: Mount): Mount {
  let top = mount;
  for (let m = childAt(top, top.root); m !== null; m = childAt(top, top.root)) top = m;
  return top;
}
