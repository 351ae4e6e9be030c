/** An open regular file of a tmpfs, and the backing of its mappings. */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EFAULT, EFBIG, EINVAL, ENOMEM, EPERM } from "../../../ffi/abi/errno.ts";
import {
  F_SEAL_FUTURE_WRITE,
  F_SEAL_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
} from "../../../ffi/abi/fcntl.ts";
import { Backing } from "../../mm/backing.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { mountedText } from "../../vfs/pathname.ts";
import type { TmpfsRegular } from "./regular.ts";

export class TmpfsFile extends OpenFile {
  readonly inode: TmpfsRegular;
  /**
   * The backings, made at the first mmap(2): of mappings that may write to the file, and of all
   * others.
   */
  private writer: TmpfsBacking | null = null;
  private reader: TmpfsBacking | null = null;

  constructor(account: Account, inode: TmpfsRegular, flags: number) {
    super(account, flags);
    this.inode = inode;
  }

  override get canDirect(): boolean {
    return true;
  }
  override get isSeekable(): boolean {
    return true;
  }

  /** HOT */
  override read(io: IoCursor, offset: number): number {
    const inode = this.inode, size = inode.size;
    if (offset >= size || io.remaining === 0) return 0;
    const n = inode.data.read(io, offset, size);
    if (n > 0) touchFileAtime(this);
    return n;
  }

  /** HOT */
  override write(io: IoCursor, offset: number): number {
    const inode = this.inode;
    if (io.remaining === 0) return 0;
    const at = this.isAppending ? inode.size : offset;
    const room = inode.roomAt(at);
    if (room <= 0) return -EFBIG;
    io.limit(room);
    const len = io.remaining;
    const r = inode.checkWrite(at + len);
    if (r < 0) return r;
    const before = inode.data.pages.count;
    const n = inode.data.write(io, at, len);
    if (n <= 0) return n;
    if (at + n > inode.size) inode.size = at + n;
    if (inode.data.pages.count !== before) inode.updateBlocks();
    inode.touch(true);
    if (this.isAppending) this.pos = at + n;
    return n;
  }

  override seek(offset: number, whence: number): number {
    return this.inode.seekDataHole(offset, whence);
  }
  override truncate(size: number): number {
    return this.canWrite ? this.inode.truncate(size) : -EINVAL;
  }
  override fallocate(mode: number, offset: number, len: number): number {
    return this.inode.fallocate(mode, offset, len);
  }
  override fsync(_dataOnly: boolean): number {
    return 0;
  }

  override cachedPages(from: number, to: number): number {
    return this.inode.data.pages.countIn(from, to);
  }

  override mmap(writable: boolean, shared: boolean): Backing | number {
    const sealed = (this.inode.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0;
    if (sealed && writable && shared) return -EPERM;
    if (shared && this.canWrite && !sealed) return (this.writer ??= new TmpfsBacking(this, true));
    return (this.reader ??= new TmpfsBacking(this, false));
  }
}

/** The backing of the mappings that were made through one open file, which it holds. */
export class TmpfsBacking extends Backing {
  override readonly isMemory: boolean = true;
  override readonly canOwn: boolean = true;
  override readonly inode: TmpfsRegular;
  override readonly platformFile = -1;
  override readonly hostFd = -1;
  private readonly file: TmpfsFile;
  private readonly mayWrite: boolean;
  private users: number = 0;

  constructor(file: TmpfsFile, mayWrite: boolean) {
    super();
    this.file = file;
    this.inode = file.inode;
    this.mayWrite = mayWrite;
  }

  override get isWriteSealed(): boolean {
    return !this.mayWrite;
  }

  override describe(): string {
    const path = this.file.path;
    if (path === null) return this.file.describe();
    const text = mountedText(path);
    return path.dentry.isUnlinked ? text + " (deleted)" : text;
  }

  override size(): number {
    return this.inode.size;
  }

  /**
   * The frame of a page. With `write` a hole gets one, also for a read fault, as in Linux's tmpfs:
   * the mapped page must be the file's.
   */
  override frame(offset: number, write: boolean): number {
    if (offset >= this.inode.size) return -EFAULT;
    const frame = this.inode.frameFor(offset / PAGE_SIZE, write);
    return frame >= -1 ? frame : frame === -ENOMEM ? -ENOMEM : -EFAULT;
  }

  override own(offset: number): number {
    return Math.min(0, this.inode.data.own(offset / PAGE_SIZE, 1));
  }

  override contiguous(offset: number, _frame: number, maxPages: number): number {
    return this.inode.data.pages.run(offset / PAGE_SIZE, Math.max(1, maxPages));
  }

  override punch(offset: number, len: number): number {
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return this.inode.fallocate(mode, offset, len);
  }

  override touch(): void {
    this.inode.touch(true);
  }

  override readInto(hostAddr: number, offset: number, len: number): number {
    const n = Math.min(len, this.inode.size - offset);
    return n <= 0 ? 0 : this.inode.data.copyTo(hostAddr, offset, n);
  }

  override hold(): void {
    this.file.hold();
    if (this.users++ > 0) return;
    this.inode.mapped.add(this);
    if (this.mayWrite) this.inode.writableMappings++;
  }

  override drop(): void {
    if (--this.users === 0) {
      this.inode.mapped.delete(this);
      if (this.mayWrite) this.inode.writableMappings--;
    }
    this.file.drop();
  }
}
