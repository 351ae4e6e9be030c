/**
 * Mount namespaces: the tree of mounts, crossing from one to the next, attaching and detaching (mount(2),
 * umount2(2), mount_namespaces(7)), and what of that other mounts are told (propagation.ts). Checks of who may do it, and
 * texts, are elsewhere: mount_operations.ts, mount_info.ts.
 */

import { EINVAL, ELOOP, ENOSPC, ENOTDIR } from "../../ffi/abi/errno.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../ffi/abi/mount.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { WaitQueue } from "../core/wait.ts";
import { type Dentry, type Mount, Path } from "./dentry.ts";
import { rootDentryOf } from "./dentry_cache.ts";
import type { FileSystem } from "./inode.ts";
import { childAt, duplicate, linkMount, newMount, unlinkMount } from "./mount_links.ts";
import {
  copyAsSlave,
  copyPropagation,
  type Listener,
  listenersOf,
  makePrivate,
  makeShared,
} from "./propagation.ts";
import type { Vfs } from "./vfs.ts";

/** LIMIT: /proc/sys/fs/mount-max. */
export const MOUNT_MAX = 100000;

export class MountNamespace extends Namespace {
  override readonly kind = "mnt";
  readonly vfs: Vfs;
  /** For statmount(2) and ioctl_ns(2). */
  readonly id: number;
  /** All attached mounts, oldest first. */
  readonly mounts: Mount[] = [];
  /** Poll of /proc/PID/mounts; `generation` counts changes. */
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

  /** A namespace with `fs` at its root. */
  static of(vfs: Vfs, fs: FileSystem, flags: number, source: string): MountNamespace {
    const mount = newMount(vfs, fs, rootDentryOf(fs), flags, source);
    return new MountNamespace(vfs, mount, INITIAL_USER_NAMESPACE, true);
  }

  /** The last user went: all mounts go. */
  protected override release(): void {
    this.vfs.namespaces.delete(this.id);
    const all = this.mounts.slice().reverse();
    // None of them has to be looked for. One that was moved may have gone with what it is on.
    this.mounts.length = 0;
    for (const m of all) if (!m.isDetached) this.detach(m);
  }

  get root(): Mount {
    return this.rootMount;
  }

  /** The root directory, as the first process sees it: what is mounted on top of the root mount. */
  rootPath(): Path {
    return this.topOf(new Path(this.rootMount, this.rootMount.root));
  }

  /** The mount on top of (mount, dentry), or null. HOT: called only when `dentry.mountCount` > 0. */
  mountedOn(mount: Mount, dentry: Dentry): Mount | null {
    return childAt(mount, dentry);
  }

  /** Through everything that is mounted on `path`. */
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

  /** Put a detached mount (with what hangs on it) on top of `at`: 0, -EINVAL, -ENOTDIR, -ENOSPC. */
  attach(mount: Mount, at: Path): number {
    if (!this.owns(at.mount)) return -EINVAL;
    if (isDir(at.dentry) !== isDir(mount.root)) return -ENOTDIR;
    // Before the mount is here: it may be a peer of where it goes.
    const top = this.topOf(at), listeners = listenersOf(top.mount, top.dentry);
    if (this.mounts.length + sizeOf(mount) * (1 + listeners.length) > MOUNT_MAX) return -ENOSPC;
    linkMount(mount, top.mount, top.dentry);
    this.adopt(mount);
    this.tell(mount, top, listeners);
    return 0;
  }

  /** A copy of `from` (recursive: and of what is mounted below it) that shows `root`; not attached. */
  cloneTree(from: Mount, root: Dentry, recursive: boolean): Mount {
    const copy = duplicate(this.vfs, from, root);
    copyPropagation(copy, from);
    copy.isLocked = false;
    if (recursive) {
      copyChildren(this.vfs, from, copy, (child) => !child.isUnbindable, copyPropagation);
    }
    return copy;
  }

  /** Take an attached mount and put it elsewhere. */
  move(mount: Mount, to: Path): number {
    const parent = mount.parent;
    if (parent === null || !this.owns(mount)) return -EINVAL;
    if (isDir(to.dentry) !== isDir(mount.root)) return -EINVAL;
    for (let m: Mount | null = to.mount; m !== null; m = m.parent) {
      if (m === mount) return -ELOOP;
    }
    const top = this.topOf(to), listeners = listenersOf(top.mount, top.dentry);
    unlinkMount(mount);
    linkMount(mount, top.mount, top.dentry);
    this.changed();
    this.tell(mount, top, listeners);
    return 0;
  }

  /** Put a mount, from elsewhere or nowhere, where `top` is, which then covers it: 0 or -ENOSPC. */
  insertBeneath(mount: Mount, top: Mount): number {
    const { parent, mountpoint } = top;
    if (parent === null || mountpoint === null) return -EINVAL;
    const listeners = listenersOf(parent, mountpoint), isNew = mount.namespace === null;
    const added = sizeOf(mount) * ((isNew ? 1 : 0) + listeners.length);
    if (this.mounts.length + added > MOUNT_MAX) return -ENOSPC;
    unlinkMount(mount);
    linkMount(mount, parent, mountpoint);
    unlinkMount(top);
    if (isNew) this.adopt(mount);
    this.tell(mount, new Path(parent, mountpoint), listeners);
    linkMount(top, mount, mount.root);
    this.changed();
    return 0;
  }

  /** A mount came to `at`: if that is shared, it and all on it are too, and whoever listens gets a copy. */
  private tell(mount: Mount, at: Path, listeners: readonly Listener[]): void {
    if (at.mount.peers === null) return;
    shareTree(mount, this.vfs);
    const copies = new Map<Mount, Mount>();
    for (const { mount: listener, source, isSlave } of listeners) {
      const namespace = listener.namespace;
      if (namespace === null) continue;
      const from = source === null ? mount : copies.get(source) ?? mount;
      const copy = copyOfNews(this.vfs, from, isSlave);
      if (isSlave && listener.peers !== null) shareTree(copy, this.vfs);
      copies.set(listener, copy);
      if (namespace.owner !== this.owner) lockTree(copy, false);
      // What was mounted there before is seen as before, on top.
      const covered = childAt(listener, at.dentry);
      linkMount(copy, listener, at.dentry);
      namespace.adopt(copy);
      if (covered !== null) {
        unlinkMount(covered);
        linkMount(covered, copy, copy.root);
      }
    }
  }

  /**
   * umount2(2): `mount` and what is below it go, and with them what is alone at the same places of mounts that are
   * told.
   */
  takeAway(mount: Mount): void {
    const doomed: Mount[] = [];
    gather(mount, doomed);
    const all = new Set(doomed), copies = new Set<Mount>();
    for (const { parent, mountpoint } of doomed) {
      if (parent === null || mountpoint === null) continue;
      for (const { mount: listener } of listenersOf(parent, mountpoint)) {
        const there = childAt(listener, mountpoint);
        if (there !== null && !there.isLocked && !all.has(there)) copies.add(there);
      }
    }
    // Which of them can go depends on others of them.
    for (let before = -1; before !== all.size;) {
      before = all.size;
      for (const copy of copies) {
        if (all.has(copy) || !copy.children.every((c) => all.has(c) || isOnTop(c, copy))) continue;
        all.add(copy);
        doomed.push(copy);
      }
    }
    const namespaces = new Set<MountNamespace>();
    for (const m of doomed) if (m.namespace !== null) namespaces.add(m.namespace);
    for (const namespace of namespaces) namespace.forget(all);
    for (const m of doomed) {
      if (copies.has(m)) keepTop(m, all);
      m.namespace?.detach(m);
    }
  }

  /** Take many mounts off the list at once: looking for each of them would take long. */
  private forget(some: ReadonlySet<Mount>): void {
    const { mounts } = this;
    let n = 0;
    for (const m of mounts) if (!some.has(m)) mounts[n++] = m;
    mounts.length = n;
  }

  /** A copy of the mount, where others are told of it, is in use. */
  isBusyElsewhere(mount: Mount): boolean {
    const { parent, mountpoint } = mount;
    if (parent === null || mountpoint === null) return false;
    return listenersOf(parent, mountpoint).some(({ mount: listener }) => {
      const there = childAt(listener, mountpoint);
      return there !== null && there.children.length === 0 && there.pins > 0;
    });
  }

  /** Detach a mount and all below it, whoever uses them; nobody is told. */
  detach(mount: Mount): void {
    for (const child of mount.children.slice()) this.detach(child);
    unlinkMount(mount);
    const i = this.mounts.indexOf(mount);
    if (i >= 0) this.mounts.splice(i, 1);
    makePrivate(mount, false);
    mount.namespace = null;
    mount.isDetached = true;
    this.changed();
    if (mount.pins === 0) mount.retire();
  }

  /** pivot_root(2): `newRoot` takes the place of `root`, which moves to `putOld`. */
  swapRoot(root: Mount, newRoot: Mount, putOld: Path): void {
    const parent = root.parent, at = root.mountpoint;
    unlinkMount(newRoot);
    if (parent === null || at === null) {
      this.rootMount = newRoot;
    } else {
      unlinkMount(root);
      linkMount(newRoot, parent, at);
    }
    linkMount(root, putOld.mount, putOld.dentry);
    this.changed();
  }

  /**
   * unshare(CLONE_NEWNS): a copy of the whole tree. `translate` finds a path of the old tree in the new. For another user
   * namespace it only listens to the old one, and keeps its mounts and their flags.
   */
  copy(owner: UserNamespace): NamespaceCopy {
    const isLess = owner !== this.owner, inherit = isLess ? copyAsSlave : copyPropagation;
    const pairs = new Map<Mount, Mount>([]);
    const root = duplicate(this.vfs, this.rootMount, this.rootMount.root);
    inherit(root, this.rootMount);
    pairs.set(this.rootMount, root);
    copyChildren(this.vfs, this.rootMount, root, () => true, inherit, pairs);
    if (isLess) lockTree(root, false);
    const copy = new MountNamespace(this.vfs, root, owner);
    // In the order in which they were mounted.
    copy.mounts.length = 0;
    for (const m of this.mounts) {
      const pair = pairs.get(m);
      if (pair !== undefined) copy.mounts.push(pair);
    }
    return new NamespaceCopy(copy, pairs);
  }

  /** Something is mounted on `dentry` in this namespace: it cannot be removed or renamed (EBUSY). */
  isMountpoint(dentry: Dentry): boolean {
    return dentry.mountCount > 0 && this.mounts.some((m) => m.mountpoint === dentry);
  }

  /** True for mounts of this namespace. */
  owns(mount: Mount): boolean {
    return mount.namespace === this;
  }

  changed(): void {
    this.generation++;
    this.changes.wake(0);
  }

  adopt(mount: Mount): void {
    mount.namespace = this;
    this.mounts.push(mount);
    for (const child of mount.children) this.adopt(child);
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

  /** The same place in the copy; the copy's root for what was not in the original. */
  translate(path: Path): Path {
    const mount = this.pairs.get(path.mount);
    return mount === undefined ? this.namespace.rootPath() : new Path(mount, path.dentry);
  }
}

type Inherit = (copy: Mount, from: Mount) => void;

/** Copy what is mounted below `from`, within what `copy` shows. */
function copyChildren(
  vfs: Vfs,
  from: Mount,
  copy: Mount,
  takes: (child: Mount) => boolean,
  inherit: Inherit,
  pairs: Map<Mount, Mount> | null = null,
): void {
  for (const child of from.children) {
    const at = child.mountpoint;
    if (at === null || !copy.root.isAncestorOf(at) || !takes(child)) continue;
    const c = duplicate(vfs, child, child.root);
    inherit(c, child);
    linkMount(c, copy, at);
    pairs?.set(child, c);
    copyChildren(vfs, child, c, takes, inherit, pairs);
  }
}

/** What a listener gets: peers of what came, or slaves of it. */
function copyOfNews(vfs: Vfs, from: Mount, isSlave: boolean): Mount {
  const inherit = isSlave ? copyAsSlave : copyPropagation;
  const copy = duplicate(vfs, from, from.root);
  inherit(copy, from);
  copy.isLocked = false;
  copyChildren(vfs, from, copy, (child) => !child.isUnbindable, inherit);
  return copy;
}

function shareTree(mount: Mount, vfs: Vfs): void {
  makeShared(mount, vfs);
  for (const child of mount.children) shareTree(child, vfs);
}

/** A less privileged namespace can neither loosen the flags nor take single mounts away (`self`: nor this one). */
function lockTree(mount: Mount, self: boolean): void {
  mount.isLocked = self;
  mount.lockedFlags = mount.flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount.hasLockedAtime = true;
  for (const child of mount.children) lockTree(child, true);
}

/** `child` covers all of `mount`. */
function isOnTop(child: Mount, mount: Mount): boolean {
  return child.mountpoint === mount.root;
}

/** `mount` goes, and what covers it takes its place. */
function keepTop(mount: Mount, doomed: ReadonlySet<Mount>): void {
  const { parent, mountpoint } = mount;
  if (parent === null || mountpoint === null) return;
  for (const child of mount.children.slice()) {
    if (doomed.has(child) || !isOnTop(child, mount)) continue;
    unlinkMount(child);
    linkMount(child, parent, mountpoint);
  }
}

/** The mount and what hangs on it. */
function sizeOf(mount: Mount): number {
  let n = 1;
  for (const child of mount.children) n += sizeOf(child);
  return n;
}

/** Children first. */
function gather(mount: Mount, out: Mount[]): void {
  for (const child of mount.children) gather(child, out);
  out.push(mount);
}

function isDir(dentry: Dentry): boolean {
  return dentry.inode !== null && (dentry.inode.mode & S_IFMT) === S_IFDIR;
}
