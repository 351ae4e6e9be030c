/**
 * An inode of a tmpfs at one moment, in an object that does not change and that several kernels may
 * share: it refers to nothing of a kernel but frames. Neighbours: record_table.ts (the records of a
 * file system), file_records.ts (makes records of inodes, and inodes of records).
 */

import type { PosixAcl } from "../../../vfs/posix_acl.ts";
import type { Inode } from "../../../vfs/inode.ts";
import type { FramePool } from "../../../mm/frame_pool.ts";
import { type PagePieces, visitRuns } from "../file_pages.ts";

/** The entries of a directory, in the order of their cookies. */
export interface RecordedEntries {
  readonly nextCookie: number;
  readonly names: readonly string[];
  readonly inos: readonly number[];
  readonly cookies: readonly number[];
}

/** The pages of a file, which records of it share. Nothing changes the arrays meanwhile. */
export class RecordedPages implements PagePieces {
  /** Records that have them. Together they are a holder of the frames, as a kernel is. */
  refs: number = 0;
  readonly count: number;
  readonly first: number[];
  readonly more: Map<number, number[]> | null;

  constructor({ count, first, more }: PagePieces, pool: FramePool) {
    this.count = count;
    this.first = first;
    this.more = more;
    visitRuns(this, (page, pages) => pool.hold(page, pages));
  }
}

export class InodeRecord {
  /** Nodes of tables that hold it. */
  refs: number = 0;
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly size: number;
  readonly rdev: number;
  readonly blocks: number;
  readonly atimeSec: number;
  readonly atimeNsec: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly ctimeSec: number;
  readonly ctimeNsec: number;
  readonly btimeSec: number;
  readonly btimeNsec: number;
  readonly fileFlags: number;
  readonly writeHint: number;
  readonly hasCapabilities: boolean;
  readonly accessAcl: PosixAcl | null;
  readonly defaultAcl: PosixAcl | null;
  /** The number of its account in the file system that has the record. */
  readonly account: number;
  xattrs: ReadonlyMap<string, Uint8Array<ArrayBuffer>> | null = null;
  xattrBytes: number = 0;
  /** The bytes of TMPFS_BYTES that the inode is charged for. */
  charged: number = 0;
  /** Of a regular file. */
  pages: RecordedPages | null = null;
  /** Of a directory; `parent` is its parent's inode number. */
  entries: RecordedEntries | null = null;
  parent: number = 0;
  /** Of a symbolic link. */
  target: string = "";

  constructor(inode: Inode, account: number) {
    this.ino = inode.ino;
    this.mode = inode.mode;
    this.uid = inode.uid;
    this.gid = inode.gid;
    this.nlink = inode.nlink;
    this.size = inode.size;
    this.rdev = inode.rdev;
    this.blocks = inode.blocks;
    this.atimeSec = inode.atimeSec;
    this.atimeNsec = inode.atimeNsec;
    this.mtimeSec = inode.mtimeSec;
    this.mtimeNsec = inode.mtimeNsec;
    this.ctimeSec = inode.ctimeSec;
    this.ctimeNsec = inode.ctimeNsec;
    this.btimeSec = inode.btimeSec;
    this.btimeNsec = inode.btimeNsec;
    this.fileFlags = inode.fileFlags;
    this.writeHint = inode.writeHint;
    this.hasCapabilities = inode.hasCapabilities;
    this.accessAcl = inode.accessAcl;
    this.defaultAcl = inode.defaultAcl;
    this.account = account;
  }

  /** Gives an inode what it was recorded with. */
  copyTo(inode: Inode): void {
    inode.nlink = this.nlink;
    inode.size = this.size;
    inode.rdev = this.rdev;
    inode.blocks = this.blocks;
    inode.uid = this.uid;
    inode.gid = this.gid;
    inode.atimeSec = this.atimeSec;
    inode.atimeNsec = this.atimeNsec;
    inode.mtimeSec = this.mtimeSec;
    inode.mtimeNsec = this.mtimeNsec;
    inode.ctimeSec = this.ctimeSec;
    inode.ctimeNsec = this.ctimeNsec;
    inode.btimeSec = this.btimeSec;
    inode.btimeNsec = this.btimeNsec;
    inode.fileFlags = this.fileFlags;
    inode.writeHint = this.writeHint;
    inode.hasCapabilities = this.hasCapabilities;
    inode.accessAcl = this.accessAcl;
    inode.defaultAcl = this.defaultAcl;
  }
}
