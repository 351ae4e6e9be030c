/**
 * Mount namespaces (mount_namespaces(7)): the tree of mounts, crossing from a mount to the one on
 * top, attaching and detaching (mount(2), umount2(2)), and the copies that peers and slaves get
 * (propagation.ts).
 *
 * mount_operations.ts checks permissions and calls this; mount_info.ts makes the texts. The tree is
 * changed by mount_links.ts and copied by mount_trees.ts.
 */

import type { Account } from "../core/account.ts";
import { EINVAL, ELOOP, ENOSPC, ENOTDIR } from "../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { MOUNTS } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import { type Dentry, type Mount, Path, Retirement } from "./dentry.ts";
import { rootDentryOf } from "./dentry_cache.ts";
import type { FileSystem } from "./inode.ts";
import { childAt, duplicate, linkMount, newMount } from "./mount_links.ts";
import {
  type CopiedPairs,
  type CopyRule,
  copyTree,
  lockTree,
  shareTree,
  sizeOfCopy,
  treeOf,
} from "./mount_trees.ts";
import {
  copyAsSlave,
  copyPropagation,
  type Listener,
  listenersOf,
  makePrivate,
} from "./propagation.ts";
import { coverWith, UmountSet } from "./umount_propagation.ts";
import type { Vfs } from "./vfs.ts";

/** LIMIT: /proc/sys/fs/mount-max. */
export const MOUNT_MAX = 100000;

export class MountNamespace extends Namespace {
  override readonly kind = "mnt";
  readonly vfs: Vfs;
  /** For statmount(2) and ioctl_ns(2). */
  readonly id: number;
  /** All attached mounts, oldest first. */
  readonly mounts: Set<Mount> = new Set();
  /** Woken at each change, for poll(2) of /proc/PID/mounts; `generation` counts the changes. */
  readonly changes: WaitQueue = new WaitQueue();
  generation: number = 0;
  private rootMount: Mount;

  constructor(
    vfs: Vfs,
    rootMount: Mount,
    owner: UserNamespace = INITIAL_USER_NAMESPACE,
    isInitial: boolean = false,
  ) {
    super(owner, isInitial);
    this.vfs = vfs;
    this.id = vfs.nextNamespaceId();
    vfs.namespaces.set(this.id, this);
    this.rootMount = rootMount;
    this.adopt(rootMount);
  }

  /** The first namespace of a kernel, with `fs` at its root. */
  static of(
    account: Account,
    vfs: Vfs,
    fs: FileSystem,
    flags: number,
    source: string,
  ): MountNamespace {
    const mount = newMount(account, vfs, fs, rootDentryOf(fs), flags, source);
    return new MountNamespace(vfs, mount, INITIAL_USER_NAMESPACE, true);
  }

  /**
   * The last user is gone: all mounts are detached. A mount of another namespace's file may end
   * that namespace too.
   */
  protected override release(): void {
    const { vfs } = this;
    vfs.namespaces.delete(this.id);
    detachMounts(vfs, [...this.mounts]);
  }

  get root(): Mount {
    return this.rootMount;
  }

  /** The root directory as the first process sees it: the topmost mount on the root mount. */
  rootPath(): Path {
    return this.topOf(new Path(this.rootMount, this.rootMount.root));
  }

  /** The mount on (mount, dentry), or null. HOT: called only when `dentry.mountCount` > 0. */
  mountedOn(mount: Mount, dentry: Dentry): Mount | null {
    return childAt(mount, dentry);
  }

  /** The path on top of all mounts that are mounted on `path`. */
  topOf(path: Path): Path {
    let mount = path.mount, dentry = path.dentry;
    while (dentry.mountCount > 0) {
      const above = this.mountedOn(mount, dentry);
      if (above === null) break;
      mount = above;
      dentry = above.root;
    }
    return mount === path.mount ? path : new Path(mount, dentry);
  }

  /**
   * Attaches a detached mount, with its tree, on top of `at`: 0, -EINVAL, -ENOTDIR, -ENOSPC,
   * -EPERM. `account` is charged for the copies at listeners.
   */
  attach(mount: Mount, at: Path, account: Account = mount.account): number {
    if (!this.owns(at.mount)) return -EINVAL;
    if (isDir(at.dentry) !== isDir(mount.root)) return -ENOTDIR;
    // The listeners are found before the mount is attached, as it may be a peer of the mount that
    // it goes onto.
    const top = this.topOf(at), listeners = listenersOf(top.mount, top.dentry);
    const r = this.checkRoom(mount, true, listeners, account);
    if (r < 0) return r;
    linkMount(mount, top.mount, top.dentry);
    this.adopt(mount);
    this.propagate(mount, top, listeners, account);
    return 0;
  }

  /**
   * Checks that there is room for a tree (`isNew`: it is not in this namespace yet) and for its
   * copies at the listeners: 0, -ENOSPC, or -EPERM for a tree that cannot be copied. Changes
   * nothing.
   */
  private checkRoom(
    mount: Mount,
    isNew: boolean,
    listeners: readonly Listener[],
    account: Account,
  ): number {
    const added = new Map<MountNamespace, number>();
    if (isNew) added.set(this, treeOf(mount).length);
    if (listeners.length > 0) {
      const size = sizeOfCopy(mount, mount.root, AS_PEER);
      if (size < 0) return size;
      if (!MOUNTS.hasRoom(size * listeners.length, account)) return -ENOSPC;
      for (const { mount: { namespace } } of listeners) {
        if (namespace !== null) added.set(namespace, (added.get(namespace) ?? 0) + size);
      }
    }
    for (const [namespace, count] of added) {
      if (namespace.mounts.size + count > MOUNT_MAX) return -ENOSPC;
    }
    return 0;
  }

  /**
   * A copy of `from` that shows `root`, not attached; with `recursive`, copies of the mounts below
   * it too. -ENOSPC, -EPERM.
   */
  cloneTree(from: Mount, root: Dentry, recursive: boolean, account: Account): Mount | number {
    const size = recursive ? sizeOfCopy(from, root, BOUND) : 1;
    if (size < 0) return size;
    if (!MOUNTS.hasRoom(size, account)) return -ENOSPC;
    let copy: Mount;
    if (recursive) copy = firstCopy(copyTree(account, this.vfs, from, root, BOUND));
    else {
      copy = duplicate(account, this.vfs, from, root);
      copyPropagation(copy, from);
    }
    copy.isLocked = false;
    return copy;
  }

  /**
   * Moves an attached mount: 0, -EINVAL, -ELOOP, -ENOSPC, -EPERM. `account`: the mover's, which is
   * charged for the copies at listeners.
   */
  move(mount: Mount, to: Path, account: Account): number {
    const parent = mount.parent;
    if (parent === null || !this.owns(mount)) return -EINVAL;
    if (isDir(to.dentry) !== isDir(mount.root)) return -EINVAL;
    for (let m: Mount | null = to.mount; m !== null; m = m.parent) {
      if (m === mount) return -ELOOP;
    }
    const top = this.topOf(to), listeners = listenersOf(top.mount, top.dentry);
    const r = this.checkRoom(mount, false, listeners, account);
    if (r < 0) return r;
    mount.unlink();
    linkMount(mount, top.mount, top.dentry);
    this.changed();
    this.propagate(mount, top, listeners, account);
    return 0;
  }

  /**
   * Puts a mount, attached or not, at the place of `top`, which then covers it: 0, -ENOSPC or
   * -EPERM. `account` is charged for the copies at listeners.
   */
  insertBeneath(mount: Mount, top: Mount, account: Account): number {
    const { parent, mountpoint } = top;
    if (parent === null || mountpoint === null) return -EINVAL;
    const listeners = listenersOf(parent, mountpoint), isNew = mount.namespace === null;
    const r = this.checkRoom(mount, isNew, listeners, account);
    if (r < 0) return r;
    mount.unlink();
    top.unlink();
    linkMount(mount, parent, mountpoint);
    if (isNew) this.adopt(mount);
    this.propagate(mount, new Path(parent, mountpoint), listeners, account);
    coverWith(top, mount);
    this.changed();
    return 0;
  }

  /**
   * A mount was attached at `at`. If that is shared, the mount and its tree become shared, and each
   * listener gets a copy.
   */
  private propagate(
    mount: Mount,
    at: Path,
    listeners: readonly Listener[],
    account: Account,
  ): void {
    if (at.mount.peers === null) return;
    shareTree(mount, this.vfs);
    const copies = new Map<Mount, Mount>();
    // All copies are made before the first is attached: a listener may be in the tree that was
    // attached.
    for (const { mount: listener, source, isSlave, isShared } of listeners) {
      const from = source === null ? mount : copies.get(source) ?? mount;
      const rule = isSlave ? AS_SLAVE : AS_PEER;
      const copy = firstCopy(copyTree(account, this.vfs, from, from.root, rule));
      if (isSlave && isShared) shareTree(copy, this.vfs);
      copies.set(listener, copy);
    }
    for (const [listener, copy] of copies) {
      const { namespace } = listener;
      if (namespace === null) throw new KernelBug("a listener is attached");
      if (namespace.owner !== this.owner) lockTree(copy);
      copy.isLocked = false;
      // A mount that was at this place before stays on top.
      const covered = childAt(listener, at.dentry);
      covered?.unlink();
      linkMount(copy, listener, at.dentry);
      namespace.adopt(copy);
      if (covered !== null) coverWith(covered, copy);
    }
  }

  /**
   * umount2(2): detaches `mount` and its tree, and their copies at the peers and slaves of their
   * parents.
   */
  unmountTree(mount: Mount): void {
    const named = treeOf(mount), leaving = new UmountSet(named);
    leaving.moveCovering();
    detachMounts(this.vfs, [...named, ...leaving.copies]);
  }

  /** Detaches a mount and its tree, in use or not. The copies at peers and slaves stay. */
  detach(mount: Mount): void {
    detachMounts(this.vfs, treeOf(mount));
  }

  /** Gives up a tree that was never attached. It stays together for its users. */
  abandonTree(mount: Mount): void {
    detachMounts(this.vfs, treeOf(mount), true);
  }

  /** pivot_root(2): `newRoot` takes the place of `root`, which moves to `putOld`. */
  swapRoot(root: Mount, newRoot: Mount, putOld: Path): void {
    const parent = root.parent, at = root.mountpoint;
    newRoot.unlink();
    if (parent === null || at === null) {
      this.rootMount = newRoot;
    } else {
      root.unlink();
      linkMount(newRoot, parent, at);
    }
    const top = this.topOf(putOld);
    linkMount(root, top.mount, top.dentry);
    this.changed();
  }

  /**
   * unshare(CLONE_NEWNS): a copy of the whole tree. `translate` of the result finds a path of the
   * old tree in the new one. When the new owner is another user namespace, the copies are slaves of
   * the originals, and their mounts and flags are locked.
   */
  copy(owner: UserNamespace, account: Account): NamespaceCopy | number {
    const isLess = owner !== this.owner, rule = isLess ? TO_LESS : TO_EQUAL;
    const size = sizeOfCopy(this.rootMount, this.rootMount.root, rule);
    if (!MOUNTS.hasRoom(size, account)) return -ENOSPC;
    const copied = copyTree(account, this.vfs, this.rootMount, this.rootMount.root, rule);
    const root = firstCopy(copied), pairs = new Map(copied);
    if (isLess) lockTree(root);
    const copy = new MountNamespace(this.vfs, root, owner);
    // In the order in which they were mounted.
    copy.mounts.clear();
    for (const m of this.mounts) {
      const pair = pairs.get(m);
      if (pair !== undefined) copy.mounts.add(pair);
    }
    return new NamespaceCopy(copy, pairs);
  }

  /**
   * Whether something is mounted on `dentry` in this namespace; such a name cannot be removed or
   * renamed (EBUSY).
   */
  isMountpoint(dentry: Dentry): boolean {
    if (dentry.mountCount === 0) return false;
    for (const m of this.mounts) if (m.mountpoint === dentry) return true;
    return false;
  }

  /** Whether the mount is attached in this namespace. */
  owns(mount: Mount): boolean {
    return mount.namespace === this;
  }

  changed(): void {
    this.generation++;
    this.changes.wake(0);
  }

  /** Takes the mounts of a tree into the namespace. */
  private adopt(mount: Mount): void {
    for (const m of treeOf(mount)) {
      m.namespace = this;
      this.mounts.add(m);
    }
    this.changed();
  }
}

export class NamespaceCopy {
  readonly namespace: MountNamespace;
  private readonly pairs: Map<Mount, Mount>;

  constructor(namespace: MountNamespace, pairs: Map<Mount, Mount>) {
    this.namespace = namespace;
    this.pairs = pairs;
  }

  /** The same place in the copy; the copy's root for a path that was not in the original. */
  translate(path: Path): Path {
    const mount = this.pairs.get(path.mount);
    return mount === undefined ? this.namespace.rootPath() : new Path(mount, path.dentry);
  }
}

/**
 * The rules of copies: for MS_BIND, for peers, for slaves, and for a new namespace with the same or
 * another owner.
 */
const BOUND: CopyRule = { unbindable: false, namespaceFiles: true, inherit: copyPropagation };
const AS_PEER: CopyRule = { unbindable: false, namespaceFiles: false, inherit: copyPropagation };
const AS_SLAVE: CopyRule = { unbindable: false, namespaceFiles: false, inherit: copyAsSlave };
const TO_EQUAL: CopyRule = { unbindable: true, namespaceFiles: false, inherit: copyPropagation };
const TO_LESS: CopyRule = { unbindable: true, namespaceFiles: false, inherit: copyAsSlave };

function firstCopy(copied: CopiedPairs): Mount {
  const first = copied[0];
  if (first === undefined) throw new KernelBug("a copy of a tree has a first mount");
  return first[1];
}

/**
 * Detaches mounts. A locked one stays connected to a parent that is detached too, so that its users
 * do not see what it covers; with `isTogether` all stay connected.
 */
function detachMounts(vfs: Vfs, mounts: readonly Mount[], isTogether: boolean = false): void {
  const all = new Set(mounts), namespaces = new Set<MountNamespace>();
  for (const mount of mounts) {
    const { namespace } = mount;
    if (namespace !== null) {
      namespace.mounts.delete(mount);
      namespaces.add(namespace);
    }
    if (mount.parent === null || !(mount.isLocked || isTogether) || !all.has(mount.parent)) {
      mount.unlink();
    }
    mount.namespace = null;
    mount.isDetached = true;
  }
  makePrivate(mounts, false);
  for (const namespace of namespaces) namespace.changed();
  vfs.deferred.begin(new Retirement(mounts));
}

function isDir(dentry: Dentry): boolean {
  return dentry.inode !== null && (dentry.inode.mode & S_IFMT) === S_IFDIR;
}
