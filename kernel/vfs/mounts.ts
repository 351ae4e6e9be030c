/**
 * Mount namespaces: the tree of mounts, crossing from one to the next, attaching and detaching (mount(2),
 * umount2(2), mount_namespaces(7)). Checks of who may do it, and texts, are elsewhere: mount_operations.ts,
 * mount_info.ts.
 *
 * DIFFERS: propagation types are kept and shown, and a namespace copy keeps them, but mounts do not propagate yet.
 */

import { EINVAL, ELOOP, ENOSPC, ENOTDIR } from "../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { WaitQueue } from "../core/wait.ts";
import { type Dentry, Mount, Path, UNBINDABLE } from "./dentry.ts";
import { rootDentryOf } from "./dentry_cache.ts";
import type { FileSystem } from "./inode.ts";
import type { Vfs } from "./vfs.ts";

/** LIMIT: /proc/sys/fs/mount-max. */
export const MOUNT_MAX = 100000;

export class MountNamespace extends Namespace {
  override readonly kind = "mnt";
  readonly vfs: Vfs;
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
    for (const m of this.mounts.slice().reverse()) this.detach(m);
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
    const children = mount.children;
    for (let i = children.length - 1; i >= 0; i--) {
      const child = children[i]!;
      if (child.mountpoint === dentry) return child;
    }
    return null;
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
    if (this.mounts.length >= MOUNT_MAX) return -ENOSPC;
    const top = this.topOf(at);
    this.link(mount, top.mount, top.dentry);
    this.adopt(mount);
    return 0;
  }

  /** A copy of `from` (recursive: and of what is mounted below it) that shows `root`; not attached. */
  cloneTree(from: Mount, root: Dentry, recursive: boolean): Mount {
    const copy = this.copyMount(from, root);
    if (!recursive) return copy;
    for (const child of from.children) {
      const at = child.mountpoint;
      if (at === null || !root.isAncestorOf(at) || child.propagation === UNBINDABLE) continue;
      this.link(this.cloneTree(child, child.root, true), copy, at);
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
    const top = this.topOf(to);
    this.unlink(mount);
    this.link(mount, top.mount, top.dentry);
    this.changed();
    return 0;
  }

  /** Detach a mount and all below it, whoever uses them (MNT_DETACH). */
  detach(mount: Mount): void {
    for (const child of mount.children.slice()) this.detach(child);
    this.unlink(mount);
    const i = this.mounts.indexOf(mount);
    if (i >= 0) this.mounts.splice(i, 1);
    mount.namespace = null;
    mount.isDetached = true;
    this.changed();
    if (mount.pins === 0) mount.retire();
  }

  /** pivot_root(2): `newRoot` takes the place of `root`, which moves to `putOld`. */
  swapRoot(root: Mount, newRoot: Mount, putOld: Path): void {
    const parent = root.parent, at = root.mountpoint;
    this.unlink(newRoot);
    if (parent === null || at === null) {
      this.rootMount = newRoot;
    } else {
      this.unlink(root);
      this.link(newRoot, parent, at);
    }
    this.link(root, putOld.mount, putOld.dentry);
    this.changed();
  }

  /** unshare(CLONE_NEWNS): a copy of the whole tree. `translate` finds a path of the old tree in the new. */
  copy(owner: UserNamespace): NamespaceCopy {
    const pairs = new Map<Mount, Mount>();
    const root = this.copyMount(this.rootMount, this.rootMount.root);
    const copy = new MountNamespace(this.vfs, root, owner);
    pairs.set(this.rootMount, root);
    for (const mount of this.mounts) {
      if (mount === this.rootMount || mount.mountpoint === null || mount.parent === null) continue;
      this.copyInto(copy, mount, pairs);
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

  private copyInto(copy: MountNamespace, mount: Mount, pairs: Map<Mount, Mount>): Mount | null {
    const known = pairs.get(mount);
    if (known !== undefined) return known;
    if (mount.parent === null || mount.mountpoint === null) return null;
    const parent = this.copyInto(copy, mount.parent, pairs);
    if (parent === null) return null;
    const m = copy.copyMount(mount, mount.root);
    copy.link(m, parent, mount.mountpoint);
    copy.adopt(m);
    pairs.set(mount, m);
    return m;
  }

  private copyMount(from: Mount, root: Dentry): Mount {
    const m = newMount(this.vfs, from.fs, root, from.flags, from.source);
    m.propagation = from.propagation;
    m.peerGroup = from.peerGroup;
    m.master = from.master;
    return m;
  }

  private link(mount: Mount, parent: Mount, at: Dentry): void {
    mount.parent = parent;
    mount.mountpoint = at;
    parent.children.push(mount);
    at.mountCount++;
    at.pin();
  }

  private unlink(mount: Mount): void {
    const parent = mount.parent, at = mount.mountpoint;
    mount.parent = null;
    mount.mountpoint = null;
    if (parent === null || at === null) return;
    parent.children.splice(parent.children.indexOf(mount), 1);
    at.mountCount--;
    at.unpin();
  }

  private adopt(mount: Mount): void {
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

/** A mount that is not attached yet. */
export function newMount(
  vfs: Vfs,
  fs: FileSystem,
  root: Dentry,
  flags: number,
  source: string,
): Mount {
  const mount = new Mount(vfs.nextMountId(), fs, root, null, null, flags, source);
  mount.cache = vfs.dentries;
  return mount;
}

/**
 * A mount that no path leads to, for file systems that the kernel keeps for itself (pipes, sockets, memfds). It
 * stays for good.
 */
export function internalMount(vfs: Vfs, fs: FileSystem): Mount {
  const mount = new Mount(vfs.nextMountId(), fs, rootDentryOf(fs), null, null, 0, fs.source);
  mount.pins++;
  return mount;
}

function isDir(dentry: Dentry): boolean {
  return dentry.inode !== null && (dentry.inode.mode & S_IFMT) === S_IFDIR;
}
