/**
 * Dentries, mounts and paths: the tree of names (path_resolution(7), mount_namespaces(7)). A dentry
 * names an inode in a parent; a negative dentry (inode null) remembers that a name is missing. A
 * path is a (mount, dentry) pair.
 *
 * Lifetime: a dentry holds its inode while it is in the tree or pinned. Code that keeps a Path
 * longer than one call (open files, working directories, mounts) pins it with `holdPath` and unpins
 * it with `dropPath`.
 *
 * dentry_cache.ts fills and prunes the tree; mounts.ts attaches mounts.
 */

import type { Account } from "../core/account.ts";
import { WorkList } from "../core/deferred_work.ts";
import { MOUNTS } from "../core/quota.ts";
import type { FileSystem, Inode } from "./inode.ts";
import { endMarks, type Mark } from "./marks.ts";
import type { MountNamespace } from "./mounts.ts";
import type { PeerGroup } from "./propagation.ts";
import type { Vfs } from "./vfs.ts";

export class Dentry {
  name: string;
  /** The dentry itself for the root of a file system. */
  parent: Dentry;
  inode: Inode | null;
  readonly fs: FileSystem;
  /** Children that were looked up; null until the first. */
  children: Map<string, Dentry> | null = null;
  /** Whether it is in its parent's `children`; always true for roots. */
  isHashed: boolean = false;
  /** The name was removed (unlink, rmdir) and the dentry still has users. */
  isUnlinked: boolean = false;
  /**
   * Number of mounts on this dentry, over all namespaces: the walk looks for a mount only when > 0.
   */
  mountCount: number = 0;
  /** Users that outlive a call. */
  pins: number = 0;
  /** It is one of the users of its inode. */
  holdsInode: boolean = false;

  /** The cache's list of unused dentries (dentry_cache.ts). */
  lruPrev: Dentry | null = null;
  lruNext: Dentry | null = null;
  wasUsed: boolean = false;

  constructor(fs: FileSystem, parent: Dentry | null, name: string, inode: Inode | null) {
    this.fs = fs;
    this.name = name;
    this.parent = parent ?? this;
    this.inode = inode;
    if (inode !== null) {
      inode.hold();
      this.holdsInode = true;
    }
  }

  get isRoot(): boolean {
    return this.parent === this;
  }

  /** Makes a negative dentry positive. */
  instantiate(inode: Inode): void {
    this.inode = inode;
    inode.hold();
    this.holdsInode = true;
  }

  pin(): void {
    this.pins++;
    if (!this.holdsInode && this.inode !== null) {
      this.inode.hold();
      this.holdsInode = true;
    }
  }

  unpin(): void {
    if (--this.pins === 0 && !this.isHashed) this.releaseInode();
  }

  /**
   * Drops the reference to the inode of a dentry that is out of the tree and unused. The field
   * stays set for code that still reads it.
   */
  releaseInode(): void {
    if (!this.holdsInode || this.inode === null) return;
    this.holdsInode = false;
    this.inode.drop();
  }

  /** Whether this dentry is `other` or above it. */
  isAncestorOf(other: Dentry): boolean {
    for (let d = other;; d = d.parent) {
      if (d === this) return true;
      if (d.parent === d) return false;
    }
  }
}

/**
 * A mount of a file system. `flags` are the MS_* bits of the mount itself: MS_RDONLY, MS_NOSUID,
 * MS_NODEV, MS_NOEXEC, MS_NOATIME, ...
 */
export class Mount {
  /** The account that it is charged to. */
  readonly account: Account;
  readonly vfs: Vfs;
  readonly id: number;
  readonly fs: FileSystem;
  /** The dentry of `fs` at the mount's root; with a bind mount this may be any dentry. */
  readonly root: Dentry;
  /**
   * Null for the root of a namespace, and for a detached mount that is not connected to another
   * one.
   */
  parent: Mount | null;
  /** The dentry in `parent` that it is attached to. */
  mountpoint: Dentry | null;
  flags: number;
  source: string;
  /** Mounts that are attached to this one, by their mountpoint; each place has at most one. */
  readonly children: Map<Dentry, Mount> = new Map();
  /** Null for mounts that no path leads to: internal ones of the kernel, and detached ones. */
  namespace: MountNamespace | null = null;
  /**
   * Users that outlive a call: open files, working directories. umount2(2) gives EBUSY while there
   * are any.
   */
  pins: number = 0;
  /** Files that are open for writing; remounting read-only gives EBUSY while there are any. */
  writers: number = 0;
  /** Marks of fanotify on the mount. */
  readonly marks: Mark[] = [];
  /** Not attached any more: the last unpin frees it. */
  isDetached: boolean = false;
  private isRetired: boolean = false;
  /** umount2(2) with MNT_EXPIRE was called, and the mount was not used since. */
  isExpiring: boolean = false;
  /**
   * The group of mounts that share what is mounted on them, or null; and the group that this mount
   * is a slave of, or null (propagation.ts).
   */
  peers: PeerGroup | null = null;
  master: PeerGroup | null = null;
  /** It cannot be bound elsewhere (MS_UNBINDABLE). */
  isUnbindable: boolean = false;
  /**
   * It came from a more privileged namespace: it cannot be unmounted alone, so that what it covers
   * stays hidden.
   */
  isLocked: boolean = false;
  /**
   * MS_* bits that the more privileged namespace locked, and whether it locked the access time
   * bits.
   */
  lockedFlags: number = 0;
  hasLockedAtime: boolean = false;

  constructor(
    account: Account,
    vfs: Vfs,
    fs: FileSystem,
    root: Dentry,
    parent: Mount | null,
    mountpoint: Dentry | null,
    flags: number,
    source: string,
  ) {
    this.account = account;
    this.vfs = vfs;
    this.id = vfs.nextMountId();
    this.fs = fs;
    this.root = root;
    this.parent = parent;
    this.mountpoint = mountpoint;
    this.flags = flags;
    this.source = source;
    root.pin();
    root.inode?.onMounted();
    fs.mounts++;
    MOUNTS.add(1, this.account);
  }

  /** Locks these flags, and the access time bits if `withAtime`. */
  lockFlags(flags: number, withAtime: boolean): void {
    this.lockedFlags |= flags;
    this.hasLockedAtime ||= withAtime;
  }

  /** Takes the mount off its parent. */
  unlink(): void {
    const { parent, mountpoint } = this;
    this.parent = null;
    this.mountpoint = null;
    if (parent === null || mountpoint === null) return;
    parent.children.delete(mountpoint);
    mountpoint.mountCount--;
    mountpoint.unpin();
  }

  /**
   * Frees a detached mount without users, unless it stays connected to a parent that has users. The
   * mounts that were connected to this one are unlinked.
   */
  retireIfUnused(): void {
    const { vfs } = this;
    if (!this.isDetached || this.pins > 0 || this.parent !== null || this.isRetired) return;
    this.isRetired = true;
    const children = [...this.children.values()];
    for (const child of children) child.unlink();
    this.retire();
    if (children.length > 0) vfs.deferred.begin(new Retirement(children));
  }

  /** Returns what the mount holds; the last mount of a file system ends that. */
  private retire(): void {
    MOUNTS.give(1, this.account);
    this.root.inode?.onUnmounted();
    this.root.unpin();
    endMarks(this.marks);
    if (--this.fs.mounts > 0) return;
    endMarks(this.fs.marks);
    this.vfs.dentries.endFileSystem(this.fs);
  }
}

/** The cost of freeing a mount, in units of a work item. */
const RETIREMENT_UNITS = 8;

/** The work item that frees detached mounts. */
export class Retirement extends WorkList<Mount> {
  constructor(mounts: readonly Mount[]) {
    super(mounts, RETIREMENT_UNITS);
  }
  protected override each(mount: Mount): void {
    mount.retireIfUnused();
  }
}

export class Path {
  readonly mount: Mount;
  readonly dentry: Dentry;

  constructor(mount: Mount, dentry: Dentry) {
    this.mount = mount;
    this.dentry = dentry;
  }

  isSame(other: Path): boolean {
    return this.mount === other.mount && this.dentry === other.dentry;
  }

  /** Whether `above` is this path or an ancestor of it, up to the root of all mounts. */
  isBelow(above: Path): boolean {
    let mount: Mount | null = this.mount, dentry = this.dentry;
    while (mount !== null && mount !== above.mount) {
      if (mount.mountpoint === null) return false;
      dentry = mount.mountpoint;
      mount = mount.parent;
    }
    return mount !== null && above.dentry.isAncestorOf(dentry);
  }
}

export function holdPath(path: Path): Path {
  path.mount.pins++;
  path.dentry.pin();
  return path;
}

export function dropPath(path: Path): void {
  path.dentry.unpin();
  path.mount.isExpiring = false;
  if (--path.mount.pins === 0 && path.mount.isDetached) path.mount.retireIfUnused();
}
