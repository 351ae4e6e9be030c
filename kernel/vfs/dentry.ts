/**
 * Dentries and mounts: the name tree (path_resolution(7), mount_namespaces(7)). A dentry names an inode in a
 * parent; a negative dentry (inode null) remembers that a name is missing. A path is a (mount, dentry) pair.
 */

import type { FileSystem, Inode } from "./inode.ts";

export class Dentry {
  name: string;
  /** Itself for the root of a file system. */
  parent: Dentry;
  inode: Inode | null;
  readonly fs: FileSystem;
  /** Children that were looked up; null until the first. */
  children: Map<string, Dentry> | null = null;
  /** The name was removed (unlink, rmdir) while somebody still uses the dentry. */
  isUnlinked: boolean = false;
  /** Number of mounts on top of this dentry, over all namespaces: the walk looks only when > 0. */
  mountCount: number = 0;

  constructor(fs: FileSystem, parent: Dentry | null, name: string, inode: Inode | null) {
    this.fs = fs;
    this.name = name;
    this.parent = parent ?? this;
    this.inode = inode;
    if (inode !== null) inode.hold();
  }

  get isRoot(): boolean {
    return this.parent === this;
  }
}

/** MS_* bits that live on the mount: MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, ... */
export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  /** The dentry of `fs` that is shown here (not always its root: bind mounts). */
  readonly root: Dentry;
  /** Null for the root of a namespace. */
  parent: Mount | null;
  /** Where it is attached, in `parent`. */
  mountpoint: Dentry | null;
  flags: number;
  source: string;
  /** Mounts whose parent is this one. */
  readonly children: Mount[] = [];

  constructor(
    id: number,
    fs: FileSystem,
    root: Dentry,
    parent: Mount | null,
    mountpoint: Dentry | null,
    flags: number,
    source: string,
  ) {
    this.id = id;
    this.fs = fs;
    this.root = root;
    this.parent = parent;
    this.mountpoint = mountpoint;
    this.flags = flags;
    this.source = source;
  }
}

export class Path {
  readonly mount: Mount;
  readonly dentry: Dentry;

  constructor(mount: Mount, dentry: Dentry) {
    this.mount = mount;
    this.dentry = dentry;
  }
}
