/**
 * Directories of a tmpfs. Each entry has a growing cookie as its position for readdir, so a reader
 * gets every entry that exists all the time exactly once, whatever entries come and go. devtmpfs
 * and mqueue use them too.
 */

import type { Account } from "../../core/account.ts";
import { EEXIST, ENOENT, ENOSPC, ENOTEMPTY } from "../../../ffi/abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from "../../../ffi/abi/fcntl.ts";
import { S_IFCHR, S_IFDIR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { TmpfsDirFile } from "./dir_file.ts";
import { DirEntries } from "./dir_entries.ts";
import { TmpfsNode, TmpfsSymlink } from "./nodes.ts";
import { TmpfsRegular } from "./regular.ts";
import type { InodeRecord } from "./records/inode_record.ts";
import type { TmpfsSpace } from "./space.ts";
import { NEW_INO, TmpfsInode } from "./tmpfs_inode.ts";

/** The bytes that Linux counts for an entry of a tmpfs (BOGO_DIRENT_SIZE). */
const ENTRY_SIZE = 20;

export class TmpfsDirectory extends TmpfsInode {
  /** Null: those of its record, and nothing has needed them yet. */
  private known: DirEntries | null;
  /** The directory itself for the root. */
  parent: TmpfsDirectory;

  constructor(
    account: Account,
    space: TmpfsSpace,
    mode: number,
    parent: TmpfsDirectory | null,
    ino: number = NEW_INO,
  ) {
    super(account, space, mode, 0, 0, ino);
    this.known = ino === NEW_INO ? new DirEntries(space) : null;
    this.parent = parent ?? this;
    this.nlink = 2;
    this.size = 2 * this.entrySize;
  }

  get entries(): DirEntries {
    return this.known ??= this.space.entriesOf(this.ino);
  }

  override record(account: number): InodeRecord {
    const record = super.record(account);
    record.entries = this.entries.record();
    record.parent = this.parent.ino;
    return record;
  }

  private get entrySize(): number {
    return this.space.isRam ? 0 : ENTRY_SIZE;
  }

  children(): Inode[] {
    return this.entries.inodes();
  }

  override lookup(name: string): Inode | number {
    return this.entries.get(name) ?? -ENOENT;
  }

  override create(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    const r = this.mayAdd(name, account);
    if (r < 0) return r;
    return this.add(name, new TmpfsRegular(account, this.space, mode, uid, gid));
  }

  override mkdir(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    const r = this.mayAdd(name, account);
    if (r < 0) return r;
    const dir = new TmpfsDirectory(account, this.space, S_IFDIR | (mode & 0o7777), this);
    dir.uid = uid;
    dir.gid = gid;
    this.nlink++;
    return this.add(name, dir);
  }

  override mknod(
    name: string,
    mode: number,
    rdev: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    if ((mode & S_IFMT) === S_IFREG) return this.create(name, mode, uid, gid, account);
    const r = this.mayAdd(name, account);
    if (r < 0) return r;
    return this.add(name, new TmpfsNode(account, this.space, mode, rdev, uid, gid));
  }

  override symlink(
    name: string,
    target: string,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    const r = this.mayAdd(name, account);
    if (r < 0) return r;
    return this.add(name, new TmpfsSymlink(account, this.space, target, uid, gid));
  }

  override tmpfile(
    mode: number,
    uid: number,
    gid: number,
    linkable: boolean,
    account: Account,
  ): Inode | number {
    const r = this.space.takeInode(account);
    if (r < 0) return r;
    const file = new TmpfsRegular(account, this.space, mode, uid, gid);
    file.nlink = 0;
    file.mayBeLinked = linkable;
    return file;
  }

  override link(name: string, target: Inode): number {
    if (this.nlink === 0) return -ENOENT;
    if (this.entries.get(name) !== null) return -EEXIST;
    // A further name counts as an inode, as in Linux.
    if (target.nlink === 0 && target instanceof TmpfsInode) this.space.records?.onChanged(target);
    else {
      const r = this.space.takeInode(this.accountOf(target));
      if (r < 0) return r;
    }
    target.nlink++;
    if (target instanceof TmpfsInode) target.touch(false);
    this.addEntry(name, target);
    return 0;
  }

  override unlink(name: string, target: Inode): number {
    if (this.entries.get(name) !== target) return -ENOENT;
    this.removeEntry(name);
    this.dropLink(target);
    return 0;
  }

  override rmdir(name: string, target: Inode): number {
    if (this.entries.get(name) !== target || !(target instanceof TmpfsDirectory)) return -ENOENT;
    if (target.entries.count > 0) return -ENOTEMPTY;
    this.removeEntry(name);
    this.nlink--;
    this.dropLink(target);
    return 0;
  }

  override rename(
    name: string,
    source: Inode,
    newDir: Inode,
    newName: string,
    target: Inode | null,
    flags: number,
    account: Account,
  ): number {
    if (!(newDir instanceof TmpfsDirectory) || newDir.nlink === 0) return -ENOENT;
    if (this.entries.get(name) !== source) return -ENOENT;
    if ((flags & RENAME_EXCHANGE) !== 0) {
      return target === null ? -ENOENT : this.exchange(name, source, newDir, newName, target);
    }
    if (target instanceof TmpfsDirectory && target.entries.count > 0) return -ENOTEMPTY;
    const whiteout = (flags & RENAME_WHITEOUT) !== 0;
    if (whiteout && this.space.takeInode(account) < 0) return -ENOSPC;
    this.removeEntry(name);
    if (target !== null) {
      newDir.removeEntry(newName);
      if (target instanceof TmpfsDirectory) newDir.nlink--;
      this.dropLink(target);
    }
    newDir.addEntry(newName, source);
    if (source instanceof TmpfsDirectory) source.moveTo(newDir);
    touchChanged(source);
    if (whiteout) this.add(name, new TmpfsNode(account, this.space, S_IFCHR, 0, 0, 0));
    return 0;
  }

  private exchange(
    name: string,
    source: Inode,
    newDir: TmpfsDirectory,
    newName: string,
    target: Inode,
  ): number {
    this.removeEntry(name);
    newDir.removeEntry(newName);
    this.addEntry(name, target);
    newDir.addEntry(newName, source);
    if (source instanceof TmpfsDirectory) source.moveTo(newDir);
    if (target instanceof TmpfsDirectory) target.moveTo(this);
    touchChanged(source);
    touchChanged(target);
    return 0;
  }

  /** The caller touches the directories: they differ from their records. */
  private moveTo(parent: TmpfsDirectory): void {
    if (parent === this.parent) return;
    this.parent.nlink--;
    parent.nlink++;
    this.parent = parent;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new TmpfsDirFile(account, this, flags);
  }

  /** Takes room for a new inode in a directory that was not removed. */
  protected mayAdd(name: string, account: Account): number {
    if (this.nlink === 0) return -ENOENT;
    if (this.entries.get(name) !== null) return -EEXIST;
    return this.space.takeInode(account);
  }

  protected add(name: string, inode: Inode): Inode {
    this.addEntry(name, inode);
    return inode;
  }

  private addEntry(name: string, inode: Inode): void {
    this.entries.add(name, inode);
    this.size += this.entrySize;
    this.touch(true);
  }

  private removeEntry(name: string): void {
    this.entries.remove(name);
    this.size -= this.entrySize;
    this.touch(true);
  }

  /** The account that further names of `target` are charged to. */
  private accountOf(target: Inode): Account {
    return target instanceof TmpfsInode ? target.account : this.account;
  }

  /** Records that `target` lost a name; the last one evicts the inode unless it is in use. */
  private dropLink(target: Inode): void {
    touchChanged(target);
    if (target instanceof TmpfsDirectory) target.nlink = 0;
    else if (--target.nlink > 0) this.space.giveInode(this.accountOf(target));
    if (target.nlink === 0 && target.refs === 0) target.evict();
  }
}

function touchChanged(inode: Inode): void {
  if (inode instanceof TmpfsInode) inode.touch(false);
}
