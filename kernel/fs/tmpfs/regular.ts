/**
 * Regular files of a tmpfs: size, holes, fallocate(2), seals (memfd_create(2)), and the notice to
 * mappings when pages go away. file_data.ts has the bytes, regular_file.ts the open files.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EBUSY, EFBIG, EINVAL, ENOMEM, ENXIO, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import {
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from "../../../ffi/abi/fcntl.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import { SEEK_DATA } from "../../../ffi/abi/fs.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Backing } from "../../mm/backing.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { FileData } from "./file_data.ts";
import { TmpfsFile } from "./regular_file.ts";
import type { InodeRecord } from "./records/inode_record.ts";
import type { TmpfsSpace } from "./space.ts";
import { NEW_INO, TmpfsInode } from "./tmpfs_inode.ts";

const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |
  F_SEAL_EXEC;
/** LIMIT: as far as numbers are exact. */
const MAX_FILE_BYTES: number = Number.MAX_SAFE_INTEGER;

export class TmpfsRegular extends TmpfsInode {
  readonly data: FileData;
  /** The backings that are mapped now. */
  readonly mapped: Set<Backing> = new Set();
  /** The mappings that may write to the file: F_SEAL_WRITE is EBUSY while there are any. */
  writableMappings: number = 0;
  /** F_SEAL_*; only files of memfd_create(2) can get more. */
  seals: number = F_SEAL_SEAL;
  mayBeLinked: boolean = false;
  /** Whether F_ADD_SEALS and F_GET_SEALS work. */
  readonly isSealable: boolean = true;

  constructor(
    account: Account,
    space: TmpfsSpace,
    mode: number,
    uid: number,
    gid: number,
    ino: number = NEW_INO,
  ) {
    super(account, space, S_IFREG | (mode & 0o7777), uid, gid, ino);
    this.data = new FileData(this, space);
  }

  override record(account: number): InodeRecord {
    const record = super.record(account);
    record.pages = this.data.lend();
    return record;
  }

  override load(record: InodeRecord): void {
    super.load(record);
    this.data.borrow(record.pages!);
  }

  dropRecord(): void {
    this.space.records!.drop(this.ino);
    this.noteChange();
  }

  override get isLinkable(): boolean {
    return this.mayBeLinked;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new TmpfsFile(account, this, flags);
  }

  /** Sets st_blocks by the pages. */
  updateBlocks(): void {
    if (!this.isChanged) this.noteChange();
    this.blocks = this.data.pages.count * (PAGE_SIZE / 512);
  }

  /** The bytes that fit behind `at`. */
  roomAt(at: number): number {
    return MAX_FILE_BYTES - at;
  }

  /** Whether bytes may be written up to `end`: 0 or -EPERM. */
  checkWrite(end: number): number {
    if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    return (this.seals & F_SEAL_GROW) !== 0 && end > this.size ? -EPERM : 0;
  }

  protected override mayChangeMode(mode: number): number {
    return (this.seals & F_SEAL_EXEC) !== 0 && ((this.mode ^ mode) & 0o111) !== 0 ? -EPERM : 0;
  }

  protected override resize(size: number): number {
    if (size > MAX_FILE_BYTES) return -EFBIG;
    if (size < this.size && (this.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    if (size > this.size && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    const shrinks = size < this.size;
    if (shrinks && this.data.ownEdges(size, Infinity) < 0) return -ENOMEM;
    this.size = size;
    if (shrinks) {
      this.onPagesMoved(Math.ceil(size / PAGE_SIZE) * PAGE_SIZE, Infinity);
      this.data.punch(size, Infinity);
      this.updateBlocks();
    }
    return 0;
  }

  /** ftruncate(2): sets size and times. */
  truncate(size: number): number {
    const r = this.resize(size);
    if (r === 0) this.touch(true);
    return r;
  }

  /** fallocate(2) after the VFS's checks. */
  fallocate(mode: number, offset: number, len: number): number {
    if (this.space.isRam) return -EOPNOTSUPP;
    const end = offset + len;
    if (end > MAX_FILE_BYTES) return -EFBIG;
    let r: number;
    switch (mode & ~FALLOC_FL_KEEP_SIZE) {
      case 0:
        r = this.preallocate(mode, offset, end);
        break;
      case FALLOC_FL_PUNCH_HOLE:
        r = this.punchHole(offset, end);
        break;
      case FALLOC_FL_ZERO_RANGE:
        r = this.zeroRange(mode, offset, end);
        break;
      case FALLOC_FL_COLLAPSE_RANGE:
        r = this.collapse(offset, len);
        break;
      case FALLOC_FL_INSERT_RANGE:
        r = this.insert(offset, len);
        break;
      default:
        return -EOPNOTSUPP;
    }
    this.updateBlocks();
    if (r === 0) this.touch(true);
    return r;
  }

  private preallocate(mode: number, offset: number, end: number): number {
    const grows = end > this.size && (mode & FALLOC_FL_KEEP_SIZE) === 0;
    if (grows && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    const r = this.data.reserve(Math.floor(offset / PAGE_SIZE), Math.ceil(end / PAGE_SIZE));
    if (r === 0 && grows) this.size = end;
    return r;
  }

  private punchHole(offset: number, end: number): number {
    if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    return this.dropPages(offset, end);
  }

  /** Writes zeros and reserves the pages, as Linux's file systems do. */
  private zeroRange(mode: number, offset: number, end: number): number {
    const keeps = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    if (!keeps && end > this.size && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    const dropped = this.dropPages(offset, end);
    if (dropped < 0) return dropped;
    const r = this.data.reserve(Math.floor(offset / PAGE_SIZE), Math.ceil(end / PAGE_SIZE));
    if (r === 0 && !keeps && end > this.size) this.size = end;
    return r;
  }

  /** Makes bytes [offset, end) read as zeros: 0 or -ENOMEM. */
  private dropPages(offset: number, end: number): number {
    const r = this.data.ownEdges(offset, end);
    if (r < 0) return r;
    const from = Math.ceil(offset / PAGE_SIZE) * PAGE_SIZE;
    const to = Math.floor(end / PAGE_SIZE) * PAGE_SIZE;
    if (from < to) this.onPagesMoved(from, to);
    this.data.punch(offset, end);
    return 0;
  }

  private collapse(offset: number, len: number): number {
    const r = this.checkShift(offset, len);
    if (r < 0) return r;
    if (offset + len >= this.size) return -EINVAL;
    this.onPagesMoved(offset, Infinity);
    this.data.punch(offset, offset + len);
    this.data.shift((offset + len) / PAGE_SIZE, -len / PAGE_SIZE);
    this.size -= len;
    return 0;
  }

  private insert(offset: number, len: number): number {
    const r = this.checkShift(offset, len);
    if (r < 0) return r;
    if (offset >= this.size) return -EINVAL;
    if (this.size + len > MAX_FILE_BYTES) return -EFBIG;
    this.onPagesMoved(offset, Infinity);
    this.data.shift(offset / PAGE_SIZE, len / PAGE_SIZE);
    this.size += len;
    return 0;
  }

  private checkShift(offset: number, len: number): number {
    if ((this.seals & ~F_SEAL_SEAL) !== 0) return -EPERM;
    return offset % PAGE_SIZE !== 0 || len % PAGE_SIZE !== 0 ? -EINVAL : 0;
  }

  /** lseek(2) SEEK_DATA and SEEK_HOLE: the offset, or -ENXIO. */
  seekDataHole(offset: number, whence: number): number {
    if (offset < 0 || offset >= this.size) return -ENXIO;
    if (this.space.isRam) return whence === SEEK_DATA ? offset : this.size;
    const pages = this.data.pages;
    let page = Math.floor(offset / PAGE_SIZE);
    if (whence === SEEK_DATA) {
      const found = pages.nextData(page);
      if (found < 0 || found * PAGE_SIZE >= this.size) return -ENXIO;
      return Math.max(offset, found * PAGE_SIZE);
    }
    while (pages.get(page) >= 0) page++;
    return Math.min(this.size, Math.max(offset, page * PAGE_SIZE));
  }

  /**
   * The arena offset of a page for a mapping; a hole gets a page if `allocates`. -1: a hole; or
   * -errno.
   */
  frameFor(page: number, allocates: boolean): number {
    const frame = this.data.frame(page);
    if (frame >= 0 || !allocates) return frame;
    const r = this.data.allocate(page, 1);
    if (r < 0) return r;
    this.updateBlocks();
    return this.data.frame(page);
  }

  /**
   * F_ADD_SEALS: 0, -EPERM (sealed), -EINVAL, -EBUSY (writable mappings). The descriptor is open
   * for writing.
   */
  addSeals(seals: number): number {
    if ((seals & ~ALL_SEALS) !== 0) return -EINVAL;
    if ((this.seals & F_SEAL_SEAL) !== 0) return -EPERM;
    let all = seals;
    if ((seals & F_SEAL_WRITE) !== 0 && (this.seals & F_SEAL_WRITE) === 0) {
      if (this.writableMappings > 0) return -EBUSY;
    }
    // F_SEAL_EXEC on an executable also seals its contents.
    if ((seals & F_SEAL_EXEC) !== 0 && (this.mode & 0o111) !== 0) {
      all |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    }
    this.seals |= all;
    return 0;
  }

  /** Pages at bytes [from, to) get other frames, or none: mappings of the old ones end. */
  onPagesMoved(from: number, to: number): void {
    for (const backing of this.mapped) {
      for (const mapping of backing.mappings) mapping.onPagesGone(from, to);
    }
  }

  protected override freeData(): void {
    this.data.punch(0, Infinity);
    this.updateBlocks();
  }
}
