/**
 * The backing of a mapped file of a Gofer: the host maps pages directly from the donated
 * descriptor.
 */

import type { Account } from "../../core/account.ts";
import { EFAULT, EIO } from "../../../ffi/abi/errno.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../../../ffi/abi/fcntl.ts";
import { store64 } from "../../../ffi/mem/native_memory.ts";
import { Backing } from "../../mm/backing.ts";
import type { Path } from "../../vfs/dentry.ts";
import { mountedText } from "../../vfs/pathname.ts";
import type { DonatedFile } from "./donated_file.ts";
import type { GoferRegular } from "./regular.ts";

export class GoferBacking extends Backing {
  override readonly inode: GoferRegular;
  override platformFile: number;
  private readonly file: DonatedFile;
  /** The path that it was opened by last, for texts. */
  private text: string = "";

  constructor(file: DonatedFile) {
    super();
    this.file = file;
    this.inode = file.inode;
    this.platformFile = file.inode.fs.ctx.platform.registerFile(file.fd);
  }

  override get hostFd(): number {
    return this.file.fd;
  }

  /** The file has another descriptor: the platform maps that one from now on. */
  reopen(): void {
    const { fd } = this.file;
    this.platformFile = fd < 0 ? -1 : this.inode.fs.ctx.platform.registerFile(fd);
  }

  /** Records the path of the open file that is mapped (null: it is below another file system). */
  openedAt(path: Path | null): void {
    this.text = path === null ? this.inode.pathText : mountedText(path);
  }

  override describe(): string {
    return this.inode.nlink === 0 ? this.text + " (deleted)" : this.text;
  }

  override size(): number {
    const { inode } = this;
    if (inode.fs.isOurs) return inode.size;
    const size = inode.fs.ctx.host.fileSize(this.hostFd);
    return size < 0 ? inode.size : size;
  }

  /** Never called for a page: the host maps them. */
  override frame(_offset: number, _write: boolean): number {
    return -EFAULT;
  }

  override readInto(hostAddr: number, offset: number, len: number): number {
    const { iov, ctx } = this.inode.fs;
    let done = 0;
    while (done < len) {
      store64(iov, hostAddr + done);
      store64(iov + 8, len - done);
      const n = ctx.host.preadv(this.hostFd, iov, 1, offset + done);
      if (n < 0) return done > 0 ? done : n;
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  override punch(offset: number, len: number): number {
    const { inode } = this, { host } = inode.fs.ctx;
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const r = host.fallocate(this.hostFd, mode, offset, len);
    if (r < 0) return r;
    inode.pagesGone(offset, offset + len);
    inode.markStale();
    return 0;
  }

  override sync(): number {
    const { fs } = this.inode;
    return fs.client.dead ? -EIO : fs.idle.sync(this.file, true);
  }

  override hold(): void {
    this.file.addUser();
    if (this.file.canWrite) this.inode.writableMappings++;
  }

  override onMapped(account: Account): void {
    this.file.addPayer(account);
  }
  override onUnmapped(account: Account): void {
    this.file.removePayer(account);
  }

  override drop(): void {
    if (this.file.canWrite) {
      this.inode.writableMappings--;
      this.inode.markStale();
    }
    this.file.release();
  }
}
