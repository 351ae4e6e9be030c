/**
 * The file system of one hierarchy of control groups: directories are groups, and the task side
 * makes their files (group_node.ts). All mounts of a hierarchy show the same inodes; the root of a
 * mount may be any group.
 */

import type { Account } from "../../core/account.ts";
import { EACCES, EINVAL, ENODEV, ENOENT, EPERM } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFREG } from "../../../ffi/abi/stat.ts";
import { CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { DeviceNumbers } from "../../vfs/device_numbers.ts";
import { FileSystem, type Inode, type StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FIRST_OFFSET, GeneratedDir, type Listed } from "../../fs/generated/generated_dir.ts";
import { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { GroupFileInode } from "./group_file.ts";
import type { GroupNode } from "./group_node.ts";
import { GroupXattrs } from "./group_xattrs.ts";

export class CgroupFs extends GeneratedFs {
  override readonly type: "cgroup" | "cgroup2";
  override readonly magic: number;
  override readonly createError = -EACCES;
  override readonly makeError = -EPERM;
  override readonly fileBlockSize = 4096;
  override readonly root: GroupDir;
  private readonly options: string;

  /** @param options the options that mountinfo shows behind `rw,` */
  constructor(
    vfs: Vfs,
    type: "cgroup" | "cgroup2",
    top: GroupNode,
    options: string,
  ) {
    super(vfs);
    this.type = type;
    this.magic = type === "cgroup2" ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
    this.source = type;
    this.hasFixedOwner = true;
    this.options = options;
    this.root = new GroupDir(this, top);
  }

  override superOptions(): string {
    return this.options;
  }

  /** Called when the hierarchy has ended. */
  end(): void {
    this.root.end();
  }

  /** The inode of a group's file, or -ENOENT. */
  fileOf(node: GroupNode, name: string): Inode | number {
    return dirOf(this, node).lookup(name);
  }
}

/** A mount of a part of a hierarchy, from the root of a cgroup namespace on. */
export class CgroupView extends FileSystem {
  override readonly type: string;
  override readonly root: Inode;
  private readonly whole: CgroupFs;

  constructor(devices: DeviceNumbers, whole: CgroupFs, top: GroupNode) {
    super(devices);
    this.whole = whole;
    this.type = whole.type;
    this.source = whole.type;
    this.root = dirOf(whole, top);
  }

  override statfs(out: StatFs): number {
    return this.whole.statfs(out);
  }
  override superOptions(): string {
    return this.whole.superOptions();
  }
}

function dirOf(fs: CgroupFs, node: GroupNode): Inode {
  return node.inode ?? new GroupDir(fs, node);
}

/** The group of a directory; null: the inode is no group. */
export function groupNodeOf(inode: Inode): GroupNode | null {
  return inode instanceof GroupDir ? inode.node : null;
}

export class GroupDir extends GeneratedDir {
  readonly node: GroupNode;
  private readonly cgroups: CgroupFs;
  private readonly attributes: GroupXattrs;
  private readonly files: Map<string, GroupFileInode> = new Map();
  /** The user who made the group owns its files, whatever the later owner of the directory. */
  private makerUid: number = 0;
  private makerGid: number = 0;

  constructor(fs: CgroupFs, node: GroupNode) {
    super(fs, fs.nextIno(), 0o755);
    this.cgroups = fs;
    this.attributes = new GroupXattrs(node.account);
    this.node = node;
    node.inode = this;
    // Files without an inode report changes too, through their directory.
    for (const { changes } of node.listFiles()) if (changes !== null) changes.dir = this;
    for (const _child of node.childNodes()) this.nlink++;
  }

  /** Controllers add and remove files, and other mounts show the same directory. */
  override get dentriesAreStable(): boolean {
    return false;
  }
  override get parentIno(): number {
    const above = this.node.parentNode;
    return above === null ? this.ino : dirOf(this.cgroups, above).ino;
  }

  override lookup(name: string): Inode | number {
    if (this.node.isGone) return -ENOENT;
    const child = this.node.child(name);
    return child === null ? this.fileNamed(name) : dirOf(this.cgroups, child);
  }

  private fileNamed(name: string): Inode | number {
    const file = this.node.listFiles().find((f) => f.name === name);
    const known = this.files.get(name);
    if (known !== undefined && known.file === file) return known;
    known?.end();
    if (file === undefined) {
      this.files.delete(name);
      return -ENOENT;
    }
    const inode = new GroupFileInode(this.cgroups, this.node, file, this);
    inode.uid = this.makerUid;
    inode.gid = this.makerGid;
    this.files.set(name, inode);
    return inode;
  }

  override list(): readonly Listed[] | number {
    if (this.node.isGone) return -ENODEV;
    const entries: Listed[] = [];
    let offset = FIRST_OFFSET;
    for (const { name } of this.node.listFiles()) {
      const ino = this.files.get(name)?.ino ?? this.ino;
      entries.push({ name, ino, type: S_IFREG >> 12, offset: offset++ });
    }
    for (const child of this.node.childNodes()) {
      const { ino } = dirOf(this.cgroups, child);
      entries.push({ name: child.name, ino, type: S_IFDIR >> 12, offset: offset++ });
    }
    return entries;
  }

  /** Directory and files belong to the user who makes the group. */
  override mkdir(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    if (this.node.isGone) return -ENODEV;
    if (name.includes("\n")) return -EINVAL;
    const child = this.node.makeChild(name, account);
    if (typeof child === "number") return child;
    const dir = new GroupDir(this.cgroups, child);
    dir.mode = mode;
    dir.uid = dir.makerUid = uid;
    dir.gid = dir.makerGid = gid;
    this.nlink++;
    return dir;
  }

  override rmdir(_name: string, target: Inode): number {
    if (!(target instanceof GroupDir)) return -EPERM;
    const r = target.node.remove();
    if (r < 0) return r;
    target.nlink = 0;
    target.end();
    this.nlink--;
    return 0;
  }

  protected override get xattrs(): GroupXattrs {
    return this.attributes;
  }

  /** Called when the group is removed. */
  end(): void {
    this.attributes.close();
    for (const file of this.files.values()) file.end();
  }

  override rename(
    _name?: string,
    source?: Inode,
    newDir?: Inode,
    newName?: string,
    target?: Inode | null,
    flags?: number,
  ): number {
    if (!(source instanceof GroupDir) || newName === undefined || flags !== 0) return -EPERM;
    if (newDir !== this || (target !== null && target !== undefined)) return -EPERM;
    return source.node.renameTo(newName);
  }
}
