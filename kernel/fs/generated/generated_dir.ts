/**
 * Directories of generated files (/proc, /sys, cgroup): no call adds or removes names. Subclasses
 * list their entries.
 */

import type { Account } from "../../core/account.ts";
import { ENOENT, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { DirSink, Inode } from "../../vfs/inode.ts";
import { DirFile } from "../../vfs/dir_file.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "./generated_fs.ts";
import { GeneratedInode } from "./generated_inode.ts";

/** The first position of an entry: 0 and 1 are "." and "..". */
export const FIRST_OFFSET = 2;

/** An entry as readdir gives it. */
export interface Listed {
  readonly name: string;
  readonly ino: number;
  /** DT_*: the file type bits of the mode, shifted down by 12. */
  readonly type: number;
  /** Its position, from FIRST_OFFSET on; it stays the same while the entry exists. */
  readonly offset: number;
}

export abstract class GeneratedDir extends GeneratedInode {
  constructor(fs: GeneratedFs, ino: number, permissions: number) {
    super(fs, ino, S_IFDIR | permissions);
    this.nlink = 2;
  }

  /** The inode number of "..". */
  abstract get parentIno(): number;
  /** All entries, ascending by offset; or -errno. */
  abstract list(): readonly Listed[] | number;

  override create(
    _name: string,
    _mode: number,
    _uid: number,
    _gid: number,
    _account: Account,
  ): Inode | number {
    return this.generated.createError;
  }
  override mkdir(
    _name: string,
    _mode: number,
    _uid: number,
    _gid: number,
    _account: Account,
  ): Inode | number {
    return this.generated.makeError;
  }
  override mknod(_n: string, _m: number, _r: number, _u: number, _g: number): Inode | number {
    return this.generated.makeError;
  }
  override symlink(_name: string, _target: string, _uid: number, _gid: number): Inode | number {
    return this.generated.makeError;
  }
  override link(_name: string, _target: Inode): number {
    return this.generated.makeError;
  }
  override unlink(_name: string, _target: Inode): number {
    return -EPERM;
  }
  override rmdir(_name: string, _target: Inode): number {
    return -EPERM;
  }
  override rename(): number {
    return -EPERM;
  }
  override tmpfile(): Inode | number {
    return -EOPNOTSUPP;
  }
  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new GeneratedDirFile(account, this, flags);
  }
}

/** A directory whose entries are added while the file system is made. */
export class FixedDir extends GeneratedDir {
  private readonly children: Map<string, Inode> = new Map();
  private readonly parent: GeneratedDir | null;
  private readonly isFixed: boolean;

  /** `parent` null: a root. `isFixed`: mode and owner cannot be changed. */
  constructor(
    fs: GeneratedFs,
    parent: GeneratedDir | null,
    permissions: number,
    isFixed: boolean = false,
    ino: number = fs.nextIno(),
  ) {
    super(fs, ino, permissions);
    this.parent = parent;
    this.isFixed = isFixed;
  }

  protected override get isModeFixed(): boolean {
    return this.isFixed;
  }
  protected override get isOwnerFixed(): boolean {
    return this.isFixed;
  }
  override get parentIno(): number {
    return this.parent === null ? this.ino : this.parent.ino;
  }

  /** Adds an entry; the name must be new. */
  put<T extends Inode>(name: string, inode: T): T {
    this.children.set(name, inode);
    if ((inode.mode & S_IFMT) === S_IFDIR) this.nlink++;
    return inode;
  }

  override lookup(name: string): Inode | number {
    return this.children.get(name) ?? -ENOENT;
  }

  override list(): readonly Listed[] {
    const entries: Listed[] = [];
    let offset = FIRST_OFFSET;
    for (const [name, inode] of this.children) {
      entries.push({ name, ino: inode.ino, type: (inode.mode & S_IFMT) >> 12, offset: offset++ });
    }
    return entries;
  }
}

/** An open directory, for getdents64(2). */
export class GeneratedDirFile extends DirFile {
  readonly inode: GeneratedDir;

  constructor(account: Account, dir: GeneratedDir, flags: number) {
    super(account, flags);
    this.inode = dir;
  }

  override readdir(sink: DirSink): number {
    const dir = this.inode, type = S_IFDIR >> 12;
    const entries = dir.list();
    if (typeof entries === "number") return entries;
    if (this.pos === 0) {
      if (!sink(".", dir.ino, type, 1)) return 0;
      this.pos = 1;
    }
    if (this.pos === 1) {
      if (!sink("..", dir.parentIno, type, FIRST_OFFSET)) return 0;
      this.pos = FIRST_OFFSET;
    }
    for (const { name, ino, type, offset } of entries) {
      if (offset < this.pos) continue;
      if (!sink(name, ino, type, offset + 1)) return 0;
      this.pos = offset + 1;
    }
    return 0;
  }
}
