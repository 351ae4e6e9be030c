/**
 * An open regular file of a Gofer. Reads and writes move bytes between guest memory and the donated
 * host descriptor, without a copy and without a message to the Gofer.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EBADF, EINVAL, EIO } from "../../../ffi/abi/errno.ts";
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  O_DSYNC,
} from "../../../ffi/abi/fcntl.ts";
import type { Backing } from "../../mm/backing.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { noteTransfer } from "../../vfs/transfers.ts";
import type { DonatedFile } from "./donated_file.ts";
import type { GoferFs } from "./gofer_fs.ts";
import type { GoferRegular } from "./regular.ts";

/** The most struct iovec of a page. */
const MAX_SEGMENTS = 256;
/** LIMIT: bytes of one host call. */
const MAX_BYTES = 1 << 30;

export class GoferFile extends OpenFile {
  override readonly inode: GoferRegular;
  private readonly fs: GoferFs;
  private readonly file: DonatedFile;

  /** `file` counts this open file as a user already, and it may open it (`mayOpen`). */
  constructor(account: Account, inode: GoferRegular, file: DonatedFile, flags: number) {
    super(account, flags);
    this.inode = inode;
    this.fs = inode.fs;
    this.file = file;
    file.addPayer(account);
  }

  override get canDirect(): boolean {
    return true;
  }
  override get isSeekable(): boolean {
    return true;
  }

  override get readsNow(): boolean {
    return true;
  }

  /** HOT */
  override read(io: IoCursor, offset: number): number {
    if (!this.file.canRead) return -EBADF;
    const n = this.transferIn(io, offset);
    this.accountFor(n, false);
    return n;
  }

  /** Charges a transfer; an overlay charges those of its layers itself. HOT */
  private accountFor(bytes: number, isWrite: boolean): void {
    const { fs, path } = this;
    if (path !== null && path.mount.fs === fs) noteTransfer(path.mount, fs, bytes, isWrite);
  }

  private transferIn(io: IoCursor, offset: number): number {
    const fs = this.fs, host = fs.ctx.host, iov = fs.iov;
    let total = 0;
    while (io.remaining > 0) {
      if (fs.isOurs && offset + total >= this.inode.size) break;
      const want = Math.min(io.remaining, MAX_BYTES);
      const segments = io.hostSegments(true, iov, MAX_SEGMENTS, want);
      if (segments <= 0) return total > 0 ? total : segments;
      const n = host.preadv(this.file.fd, iov, segments, offset + total);
      if (n < 0) return total > 0 ? total : this.file.failure(n);
      io.advance(n);
      total += n;
      if (n < want && (segments < MAX_SEGMENTS || n === 0)) break;
    }
    return total;
  }

  /** HOT */
  override write(io: IoCursor, offset: number): number {
    if (!this.file.canWrite) return -EBADF;
    const fs = this.fs, host = fs.ctx.host, iov = fs.iov;
    const at = this.isAppending ? this.endOfFile() : offset;
    let total = 0;
    while (io.remaining > 0) {
      const want = Math.min(io.remaining, MAX_BYTES);
      const segments = io.hostSegments(false, iov, MAX_SEGMENTS, want);
      if (segments <= 0) {
        if (total === 0) return segments;
        break;
      }
      const n = host.pwritev(this.file.fd, iov, segments, at + total);
      if (n < 0) {
        if (total === 0) return this.file.failure(n);
        break;
      }
      if (n === 0) break;
      io.advance(n);
      total += n;
    }
    if (total === 0) return 0;
    this.accountFor(total, true);
    this.inode.onWrite(this.file, at + total);
    this.inode.keepSetid();
    if (this.inode.hasCapabilities) this.inode.dropCapabilities();
    if (this.isAppending) this.pos = at + total;
    if ((this.flags & O_DSYNC) !== 0) {
      const r = fs.idle.sync(this.file, true);
      if (r < 0) return r;
    }
    return total;
  }

  /** The present end of the file. */
  private endOfFile(): number {
    if (this.fs.isOurs) return this.inode.size;
    const size = this.fs.ctx.host.fileSize(this.file.fd);
    return size < 0 ? this.inode.size : size;
  }

  override seek(offset: number, whence: number): number {
    const r = this.fs.ctx.host.lseek(this.file.fd, offset, whence);
    return r < 0 ? this.file.failure(r) : r;
  }

  override get mapsExtents(): boolean {
    return true;
  }

  override truncate(size: number): number {
    if (!this.file.canWrite) return -EINVAL;
    const r = this.fs.ctx.host.ftruncate(this.file.fd, size);
    if (r < 0) return this.file.failure(r);
    this.inode.onResized(size);
    this.fs.idle.noteWrite(this.file);
    this.inode.keepSetid();
    return 0;
  }

  override fallocate(mode: number, offset: number, len: number): number {
    if (!this.file.canWrite) return -EBADF;
    const { host } = this.fs.ctx;
    const r = host.fallocate(this.file.fd, mode, offset, len);
    if (r < 0) return this.file.failure(r);
    const shifts = (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) !== 0;
    const size = host.fileSize(this.file.fd);
    if (shifts) this.inode.pagesGone(offset, Infinity);
    else if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) {
      const from = Math.ceil(offset / PAGE_SIZE) * PAGE_SIZE;
      const to = Math.floor((offset + len) / PAGE_SIZE) * PAGE_SIZE;
      if (from < to) this.inode.pagesGone(from, to);
    }
    if (size >= 0 && (shifts || (mode & FALLOC_FL_KEEP_SIZE) === 0)) this.inode.onResized(size);
    this.inode.markStale();
    this.fs.idle.noteWrite(this.file);
    this.inode.keepSetid();
    return 0;
  }

  override fsync(isDataOnly: boolean): number {
    if (this.fs.client.dead) return -EIO;
    return this.fs.idle.sync(this.file, isDataOnly);
  }

  override cachedPages(from: number, to: number): number {
    return Math.max(0, Math.min(to, Math.ceil(this.inode.size / PAGE_SIZE)) - from);
  }

  override mmap(_writable: boolean, _shared: boolean): Backing | number {
    const backing = this.inode.backingOf(this.file);
    backing.openedAt(this.path);
    return backing;
  }

  protected override release(): void {
    this.file.removePayer(this.account);
    this.file.release();
  }
}
