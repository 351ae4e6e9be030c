/**
 * The part of the file system that the inodes of a tmpfs need; tmpfs.ts implements it. The
 * interface avoids an import cycle.
 */

import type { Account } from "../../core/account.ts";
import type { Host } from "../../core/host.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import type { DirEntries } from "./dir_entries.ts";
import type { TmpfsInode } from "./tmpfs_inode.ts";

/** Keeps a record of each inode that has a name (records/file_records.ts). */
export interface RecordKeeper {
  /** The inode is new, or differs from its record from now on. */
  onChanged(inode: TmpfsInode): void;
  /** The inode of a copy takes the place of its record. */
  register(inode: TmpfsInode): void;
  onEvicted(inode: TmpfsInode): void;
  /** Drops the record of an inode. */
  drop(ino: number): void;
}

export interface TmpfsSpace extends FileSystem {
  readonly frames: FrameAllocator;
  readonly host: Host;
  /** A ramfs: no attributes but those of stat(2), no fallocate(2), directories without a size. */
  readonly isRam: boolean;
  /** What keeps records of the inodes for snapshots; null: nothing does yet. */
  readonly records: RecordKeeper | null;
  nextIno(): number;
  /** The inode of a record, for an entry that has not got it yet. */
  inodeOf(ino: number): TmpfsInode;
  /** The entries of a directory that has been a record. */
  entriesOf(ino: number): DirEntries;
  /** The mode of an inode that may be a record. */
  modeOf(ino: number): number;
  /** Takes room for an inode of the account: 0 or -ENOSPC. */
  takeInode(account: Account): number;
  giveInode(account: Account): void;
  takePages(count: number): number;
  givePages(count: number): void;
}
