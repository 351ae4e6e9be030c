/**
 * The records of a tmpfs, for snapshots inside the process: each inode that has a name and differs
 * from its record is in `changed`, and `settle` makes records of these. A snapshot shares the table
 * of records, so it costs what has changed since the last one. A kernel that is made from it has no
 * inodes but those that its other objects refer to; the others are made of their records when they
 * are looked up.
 *
 * FIFOs and sockets have objects of the kernel and stay as they are; inodes without names do too.
 */

import type { Account } from "../../../core/account.ts";
import { KernelBug } from "../../../core/kernel_bug.ts";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../../../ffi/abi/stat.ts";
import { PAGE_SIZE } from "../../../../ffi/abi/mman.ts";
import { visitRuns } from "../file_pages.ts";
import { DirEntries } from "../dir_entries.ts";
import { TmpfsDirectory } from "../directory.ts";
import { TmpfsNode, TmpfsSymlink } from "../nodes.ts";
import { TmpfsRegular } from "../regular.ts";
import type { RecordKeeper, TmpfsSpace } from "../space.ts";
import { TmpfsInode } from "../tmpfs_inode.ts";
import type { InodeRecord, RecordedPages } from "./inode_record.ts";
import { RecordTable } from "./record_table.ts";

export class FileRecords implements RecordKeeper {
  readonly table: RecordTable;
  readonly space: TmpfsSpace;
  private readonly changed: Set<TmpfsInode> = new Set();
  /** Named inodes that have no records. */
  private readonly unrecorded: Set<TmpfsInode> = new Set();
  /** Inodes that were made of records, or are in place of them, by number. */
  private readonly made: Map<number, TmpfsInode> = new Map();
  /** The accounts of records by their numbers, which are from 1 on, and the records of each. */
  private readonly accounts: (Account | null)[] = [null];
  private readonly uses: number[] = [0];
  private readonly numbers: Map<Account, number> = new Map();
  /** Pages of all records, and those of files that have no inode in this kernel. */
  pages: number = 0;
  private unclaimed: number = 0;

  /** @param root of the tree as it is now */
  constructor(space: TmpfsSpace, root: TmpfsDirectory) {
    this.space = space;
    this.table = new RecordTable(space.frames);
    this.changed.add(root);
    const left = [root];
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
      for (const child of dir.children()) {
        if (child instanceof TmpfsInode) this.changed.add(child);
        if (child instanceof TmpfsDirectory) left.push(child);
      }
    }
  }

  onChanged(inode: TmpfsInode): void {
    this.changed.add(inode);
  }

  onEvicted(inode: TmpfsInode): void {
    this.changed.delete(inode);
    this.unrecorded.delete(inode);
    this.made.delete(inode.ino);
    this.drop(inode.ino);
  }

  drop(ino: number): void {
    const record = this.table.remove(ino);
    if (record !== null) this.forget(record);
  }

  /** Makes the records what the inodes are. */
  settle(): void {
    for (const inode of this.changed) {
      inode.isChanged = false;
      if (inode.isEvicted) continue;
      if (inode.nlink === 0) this.onUnlinked(inode);
      else if (isUnrecorded(inode)) this.unrecorded.add(inode);
      else this.put(inode);
    }
    this.changed.clear();
  }

  /** An inode without a name is part of its users' state; the record of a file has its pages. */
  private onUnlinked(inode: TmpfsInode): void {
    if (inode instanceof TmpfsRegular) return;
    this.unrecorded.delete(inode);
    this.drop(inode.ino);
  }

  private put(inode: TmpfsInode): void {
    let { account } = inode;
    while (account.isClosed && account.parent !== null) account = account.parent;
    if (account !== inode.account) inode.passUp(account);
    const number = this.numberOf(account), record = inode.record(number);
    this.uses[number]!++;
    if (record.pages !== null) this.pages += record.pages.count;
    const old = this.table.set(record);
    if (old !== null) this.forget(old);
  }

  private numberOf(account: Account): number {
    const known = this.numbers.get(account);
    if (known !== undefined) return known;
    const unused = this.accounts.indexOf(null, 1);
    const number = unused < 0 ? this.accounts.length : unused;
    this.accounts[number] = account;
    this.uses[number] = 0;
    this.numbers.set(account, number);
    return number;
  }

  /** The record is none of this kernel any more. */
  private forget({ account: number, pages }: InodeRecord): void {
    if (pages !== null) this.pages -= pages.count;
    if (--this.uses[number]! > 0) return;
    this.numbers.delete(this.accounts[number]!);
    this.accounts[number] = null;
  }

  /** The inode takes the place of its record. */
  register(inode: TmpfsInode): void {
    this.made.set(inode.ino, inode);
  }

  /**
   * Called for the file of a copy that takes the place of its record: the kernel holds the frames
   * for it.
   */
  claim(pages: RecordedPages): void {
    const { frames } = this.space, { count } = pages;
    this.unclaimed -= count;
    frames.countUsed(-count);
    visitRuns(pages, (page, run) => frames.share(page * PAGE_SIZE, run));
  }

  inodeOf(ino: number): TmpfsInode {
    const known = this.made.get(ino);
    if (known !== undefined) return known;
    const record = this.recordOf(ino), inode = this.make(record);
    if (record.pages !== null) this.claim(record.pages);
    inode.load(record);
    this.made.set(ino, inode);
    return inode;
  }

  modeOf(ino: number): number {
    return (this.made.get(ino) ?? this.recordOf(ino)).mode;
  }

  entriesOf(ino: number): DirEntries {
    return DirEntries.load(this.space, this.recordOf(ino).entries!);
  }

  /** The file system has ended. */
  end(): void {
    this.table.end();
    this.space.frames.countUsed(-this.unclaimed);
    this.unclaimed = 0;
  }

  private recordOf(ino: number): InodeRecord {
    const record = this.table.get(ino);
    if (record === null) throw new KernelBug(`no record of inode ${ino}`);
    return record;
  }

  private make(record: InodeRecord): TmpfsInode {
    const { ino, mode, uid, gid, rdev, target } = record, { space } = this;
    const account = this.accounts[record.account]!;
    switch (mode & S_IFMT) {
      case S_IFREG:
        return new TmpfsRegular(account, space, mode, uid, gid, ino);
      case S_IFDIR: {
        // The directory that has the entry is in use.
        const parent = this.made.get(record.parent);
        if (!(parent instanceof TmpfsDirectory)) throw new KernelBug("a directory without parent");
        return new TmpfsDirectory(account, space, mode, parent, ino);
      }
      case S_IFLNK:
        return new TmpfsSymlink(account, space, target, uid, gid, ino);
      default:
        return new TmpfsNode(account, space, mode, rdev, uid, gid, ino);
    }
  }
}

function isUnrecorded({ mode }: TmpfsInode): boolean {
  const type = mode & S_IFMT;
  return type === S_IFIFO || type === S_IFSOCK;
}
