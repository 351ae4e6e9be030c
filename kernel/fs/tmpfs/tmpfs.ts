/**
 * A tmpfs instance (tmpfs(5)): options, limits and accounting. Its inodes are in the other files of
 * this folder; the bytes of its files are in arena frames.
 *
 * Neighbours: directory.ts, regular.ts, nodes.ts (inodes), file_data.ts (pages), memfd.ts.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { TmpfsInode } from "./tmpfs_inode.ts";
import { EINVAL, ENOSPC } from "../../../ffi/abi/errno.ts";
import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import { TMPFS_MAGIC } from "../../../ffi/abi/statfs.ts";
import { TMPFS_BYTES, TMPFS_INODES } from "../../core/quota.ts";
import type { Host } from "../../core/host.ts";
import { type Credentials, rootCredentials } from "../../cred/credentials.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { FileSystem, type Inode, type StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { parseTmpfsOptions, type TmpfsOptions } from "./options.ts";
import { type DirEntries, EntryCursor } from "./dir_entries.ts";
import { TmpfsDirectory } from "./directory.ts";
import { FileRecords } from "./records/file_records.ts";
import type { TmpfsSpace } from "./space.ts";

const ROOT = rootCredentials();

export class TmpfsFs extends FileSystem implements TmpfsSpace {
  override readonly type: string;
  override readonly root: TmpfsDirectory;
  readonly frames: FrameAllocator;
  readonly host: Host;
  readonly isRam: boolean;
  /** The limits: pages of data and number of inodes; Infinity for none. */
  maxPages: number;
  maxInodes: number;
  usedPages: number = 0;
  usedInodes: number = 0;
  /** Requests for pages that found no room at all. */
  refusedWrites: number = 0;
  private lastIno: number = 0;
  private readonly defaultPages: number;
  private readonly defaultInodes: number;
  /** While its tree is freed: for each level the place in its directory. */
  private ending: EntryCursor<TmpfsDirectory>[] | null = null;
  records: FileRecords | null = null;
  private readonly vfs: Vfs;

  constructor(
    account: Account,
    frames: FrameAllocator,
    vfs: Vfs,
    options: TmpfsOptions,
    type: string = "tmpfs",
    isRam: boolean = false,
  ) {
    super(vfs.devices);
    this.isRam = isRam;
    this.type = type;
    this.frames = frames;
    const { host } = vfs;
    this.host = host;
    this.vfs = vfs;
    vfs.inMemory.add(this);
    const pages = Math.floor(host.memoryBytes / PAGE_SIZE);
    this.defaultPages = Math.floor(pages / 2);
    this.defaultInodes = Math.min(TMPFS_INODES.limit, Math.floor(pages / 2));
    this.maxPages = limitOf(options.pages, this.defaultPages);
    this.maxInodes = limitOf(options.inodes, this.defaultInodes);
    this.source = type;
    this.usedInodes = 1;
    TMPFS_INODES.add(1, account);
    this.root = new TmpfsDirectory(account, this, S_IFDIR | (options.mode ?? 0o1777), null);
    this.root.uid = options.uid ?? 0;
    this.root.gid = options.gid ?? 0;
  }

  /**
   * Makes a tmpfs from the data string of mount(2), or -EINVAL. Sizes in percent are of the
   * sandbox's memory; the root belongs to `cred`, the mounter, unless options say otherwise.
   */
  static fromOptions(
    account: Account,
    frames: FrameAllocator,
    vfs: Vfs,
    text: string,
    cred: Credentials = ROOT,
  ): TmpfsFs | number {
    const options = parseTmpfsOptions(text, vfs.host.memoryBytes);
    if (typeof options === "number") return options;
    const { userNs, fsuid, fsgid } = cred;
    const uid = options.uid === undefined ? fsuid : userNs.kernelUid(options.uid);
    const gid = options.gid === undefined ? fsgid : userNs.kernelGid(options.gid);
    if (uid === NO_ID || gid === NO_ID) return -EINVAL;
    return new TmpfsFs(account, frames, vfs, { ...options, uid, gid });
  }

  nextIno(): number {
    return ++this.lastIno;
  }

  /** The records of all inodes as they are now. From the first call on they are kept. */
  settleRecords(): FileRecords {
    this.records ??= new FileRecords(this, this.root);
    this.records.settle();
    return this.records;
  }

  inodeOf(ino: number): TmpfsInode {
    return this.records!.inodeOf(ino);
  }
  modeOf(ino: number): number {
    return this.records!.modeOf(ino);
  }
  entriesOf(ino: number): DirEntries {
    return this.records!.entriesOf(ino);
  }

  /** Takes room for an inode (or a further name): 0 or -ENOSPC. */
  takeInode(account: Account): number {
    if (this.usedInodes >= this.maxInodes || !TMPFS_BYTES.hasRoom(1, account)) return -ENOSPC;
    if (!TMPFS_INODES.take(1, account)) return -ENOSPC;
    this.usedInodes++;
    return 0;
  }
  giveInode(account: Account): void {
    this.usedInodes--;
    TMPFS_INODES.give(1, account);
  }

  /** Takes room for pages of data: how many of `count` fit now; they count as used. */
  takePages(count: number): number {
    const n = Math.min(count, Math.max(0, this.maxPages - this.usedPages));
    if (n === 0) this.refusedWrites++;
    this.usedPages += n;
    return n;
  }
  givePages(count: number): void {
    this.usedPages -= count;
  }

  override statfs(out: StatFs): number {
    out.type = TMPFS_MAGIC;
    out.blockSize = PAGE_SIZE;
    out.nameMax = 255;
    out.fsid = this.dev;
    const hasSize = this.maxPages !== Infinity, hasInodes = this.maxInodes !== Infinity;
    out.blocks = hasSize ? this.maxPages : 0;
    out.blocksFree = out.blocksAvailable = hasSize
      ? Math.max(0, this.maxPages - this.usedPages)
      : 0;
    out.files = hasInodes ? this.maxInodes : 0;
    out.filesFree = hasInodes ? Math.max(0, this.maxInodes - this.usedInodes) : 0;
    return 0;
  }

  override superOptions(): string {
    const root = this.root, parts: string[] = [];
    if (this.maxPages !== this.defaultPages && this.maxPages !== Infinity) {
      parts.push(`size=${this.maxPages * 4}k`);
    }
    if (this.maxInodes !== this.defaultInodes && this.maxInodes !== Infinity) {
      parts.push(`nr_inodes=${this.maxInodes}`);
    }
    const mode = root.mode & 0o7777;
    if (mode !== 0o1777) parts.push(`mode=${mode.toString(8).padStart(3, "0")}`);
    if (root.uid !== 0) parts.push(`uid=${root.uid}`);
    if (root.gid !== 0) parts.push(`gid=${root.gid}`);
    parts.push("inode64");
    return parts.join(",");
  }

  override remount(text: string): number {
    const options = parseTmpfsOptions(text, this.host.memoryBytes);
    if (typeof options === "number") return options;
    const pages = options.pages === undefined ? this.maxPages : options.pages || Infinity;
    const inodes = options.inodes === undefined ? this.maxInodes : options.inodes || Infinity;
    if (pages < this.usedPages || inodes < this.usedInodes) return -EINVAL;
    this.maxPages = pages;
    this.maxInodes = inodes;
    return 0;
  }

  override destroy(): void {
    this.free(Infinity);
  }
  override get isFreedInSlices(): boolean {
    return true;
  }

  /**
   * Frees a slice of the tree, which no path leads to any more; returns the units that are left.
   */
  override free(units: number): number {
    const ending = this.ending ??= [new EntryCursor(this.root)];
    for (; units > 0 && ending.length > 0; units--) {
      const { dir } = ending[ending.length - 1]!, entry = ending[ending.length - 1]!.next();
      if (entry !== null) this.freeOne(dir.entries.inodeOf(entry), ending);
      else {
        ending.pop();
        dir.evict();
      }
    }
    if (ending.length === 0) {
      this.records?.end();
      this.vfs.inMemory.delete(this);
    }
    return units;
  }

  private freeOne(inode: Inode, ending: EntryCursor<TmpfsDirectory>[]): void {
    if (inode instanceof TmpfsDirectory) {
      ending.push(new EntryCursor(inode));
      return;
    }
    if (inode.nlink > 1) {
      // The inode is visited once for each of its names.
      if (inode instanceof TmpfsInode) inode.noteChange();
      inode.nlink--;
      this.giveInode(inode instanceof TmpfsInode ? inode.account : this.root.account);
      return;
    }
    inode.evict();
  }
}

function limitOf(option: number | undefined, byDefault: number): number {
  return option === undefined ? byDefault : option === 0 ? Infinity : option;
}
