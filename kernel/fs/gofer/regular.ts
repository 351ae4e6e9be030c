/**
 * Regular files of a Gofer: at most one host descriptor for reading and one for reading and
 * writing. All open files and mappings share them, and they are kept for a while after the last
 * user.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EACCES, EMFILE, ENFILE, EPERM, EROFS, ESTALE } from "../../../ffi/abi/errno.ts";
import { O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { S_ISGID, S_ISUID } from "../../../ffi/abi/stat.ts";
import { type Attr, Tsetattr } from "../../../gofer/client/gofer_client.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { ATTR_MODE, ATTR_SIZE, type AttrChange } from "../../vfs/inode.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { GoferBacking } from "./backing.ts";
import { DonatedFile } from "./donated_file.ts";
import { CLOSE_WHEN_SHORT } from "./idle_files.ts";
import { GoferInode } from "./gofer_inode.ts";
import { GoferFile } from "./regular_file.ts";

const SETID = S_ISUID | S_ISGID;

export class GoferRegular extends GoferInode {
  private reader: DonatedFile | null = null;
  private writer: DonatedFile | null = null;
  /** The mappings that may store to the file: its times change without a call. */
  writableMappings: number = 0;
  /** It was made by O_TMPFILE, and linkat(2) may name it. */
  isUnnamed: boolean = false;
  /** In a copy until it is connected: the bytes of a file that was open and had no name. */
  unnamedBytes: Uint8Array<ArrayBuffer> | null = null;

  override get isInUse(): boolean {
    return (this.reader !== null && this.reader.users > 0) ||
      (this.writer !== null && this.writer.users > 0);
  }

  /** Whether opening it for reading needs no request. */
  get hasReader(): boolean {
    return this.reader !== null || (this.writer !== null && this.writer.canRead);
  }

  override get isLinkable(): boolean {
    return this.isUnnamed;
  }

  override takeAttributes(attr: Attr): void {
    const before = this.size;
    super.takeAttributes(attr);
    if (attr.size < before) this.unmapBeyond(attr.size);
  }

  override refresh(): number {
    if (this.writableMappings > 0) this.isStale = true;
    return super.refresh();
  }

  /** Takes over the descriptor that came with the creation of the file. */
  adoptWriter(fd: number, account: Account): void {
    this.writer = new DonatedFile(account, this, fd, true, true);
    this.fs.idle.add(this.writer);
  }

  /**
   * Takes over a descriptor for reading that came with a walk; false if it was not needed, or the
   * account has no room for it. `isAhead`: it was opened ahead.
   */
  adoptReader(fd: number, isAhead: boolean, account: Account): boolean {
    if (this.reader !== null || !this.fs.descriptors.hasRoom(account)) {
      this.fs.ctx.host.close(fd);
      return false;
    }
    this.reader = new DonatedFile(account, this, fd, true, false);
    this.reader.isAhead = isAhead;
    this.fs.idle.add(this.reader);
    return true;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const mode = flags & O_ACCMODE;
    // Access mode 3 can neither read nor write.
    const file = mode === O_WRONLY || mode === O_RDWR
      ? this.forWriting(mode === O_RDWR, account)
      : this.forReading(account);
    if (typeof file === "number") return file;
    if (!file.mayOpen(account)) return -ENFILE;
    return new GoferFile(account, this, file.addUser(), flags);
  }

  private forReading(account: Account): DonatedFile | number {
    if (this.reader !== null) return this.reader;
    if (this.writer !== null && this.writer.canRead) return this.writer;
    const fd = this.openOnHost(O_RDONLY, account);
    if (fd < 0) return fd;
    this.reader = new DonatedFile(account, this, fd, true, false);
    return this.reader;
  }

  private forWriting(reads: boolean, account: Account): DonatedFile | number {
    if (this.writer !== null && (this.writer.canRead || !reads)) return this.writer;
    let fd = this.openOnHost(O_RDWR, account), canRead = true;
    if ((fd === -EACCES || fd === -EPERM) && !reads) {
      fd = this.openOnHost(O_WRONLY, account);
      canRead = false;
    }
    if (fd < 0) return fd;
    // A descriptor of the file before the copy would map its old pages.
    if (this.fs.copiesUp) this.leaveReader();
    const file = new DonatedFile(account, this, fd, canRead, true);
    // The open files of a descriptor that could only write keep it.
    this.writer = file;
    return file;
  }

  /** Stops using the descriptor for reading for new users; its users keep it. */
  private leaveReader(): void {
    const { reader } = this;
    this.reader = null;
    if (reader !== null && reader.users === 0) this.fs.idle.close(reader);
  }

  protected override onCopiedUp(): void {
    super.onCopiedUp();
    this.leaveReader();
  }

  /** Gets a new host descriptor from the Gofer, or -errno. */
  private openOnHost(flags: number, account: Account): number {
    if (!this.fs.hasRoomForFile(account)) return -ENFILE;
    let fd = this.requestOpen(flags, account);
    if (fd === -EMFILE || fd === -ENFILE) {
      if (this.fs.idle.closeOldest(CLOSE_WHEN_SHORT) > 0) fd = this.requestOpen(flags, account);
    }
    return fd === -EMFILE ? -ENFILE : fd;
  }

  private requestOpen(flags: number, account: Account): number {
    const { client } = this.fs;
    if (this.fid >= 0 || !this.hasPlace) {
      const fid = this.bind();
      if (fid < 0) return fid;
      const fd = client.openFd(fid, flags);
      if (fd >= 0 && this.isSameFile(client.attr)) this.takeAttributes(client.attr);
      return fd;
    }
    const { opens } = this.fs;
    if (flags === O_RDONLY) opens.queueNext(this);
    const r = this.walkHere(flags), fd = client.takeFd(), { openEcode } = client.walk;
    opens.takeAnswers(account);
    if (r < 0) {
      if (fd >= 0) this.fs.ctx.host.close(fd);
      return r;
    }
    if (fd >= 0) return fd;
    return openEcode === 0 ? -ESTALE : -openEcode;
  }

  /** Called when idle_files.ts closed a descriptor. */
  onClosed(file: DonatedFile): void {
    if (this.reader === file) this.reader = null;
    if (this.writer === file) this.writer = null;
  }

  override releaseCached(): void {
    const { idle } = this.fs;
    if (this.reader !== null && this.reader.users === 0) idle.close(this.reader);
    if (this.writer !== null && this.writer.users === 0) idle.close(this.writer);
  }

  /** Records that bytes up to `end` were written. HOT */
  onWrite(file: DonatedFile, end: number): void {
    if (end > this.size) this.size = end;
    this.markStale();
    this.fs.idle.noteWrite(file);
  }

  /**
   * Restores the set-ID bits that the host clears at each change by the Sentry, or by a Gofer in a
   * user namespace: neither has the host's CAP_FSETID. The VFS decided before the change which bits
   * the guest's process may keep: `mode` has them.
   */
  keepSetid(): void { // HOT
    const wanted = this.mode & SETID;
    if (wanted === 0) return;
    const fid = this.bind(), { client } = this.fs;
    if (fid < 0) return;
    if (client.getattr(fid) < 0 || (client.attr.mode & wanted) === wanted) return;
    const m = Object.assign(new Tsetattr(), { fid, valid: ATTR_MODE });
    m.mode = (client.attr.mode & 0o7777) | wanted;
    if (client.setattr(m) === 0) this.markStale();
  }

  /** Called when the size changed by another call than a write. */
  override onResized(size: number): void {
    const before = this.size;
    this.size = size;
    this.markStale();
    if (size < before) this.unmapBeyond(size);
  }

  private unmapBeyond(size: number): void {
    this.pagesGone(Math.ceil(size / PAGE_SIZE) * PAGE_SIZE, Infinity);
  }

  /** Tells the mappings of both descriptors that pages [from, to) were truncated or punched. */
  pagesGone(from: number, to: number): void {
    notifyMappings(this.reader, from, to);
    notifyMappings(this.writer, from, to);
  }

  override setattr(change: AttrChange, cred: Credentials): number {
    if (this.fs.readOnly) return -EROFS;
    const r = super.setattr(change, cred);
    if (r === 0 && (change.valid & ATTR_SIZE) !== 0) this.keepSetid();
    return r;
  }

  backingOf(file: DonatedFile): GoferBacking {
    return file.backing ??= new GoferBacking(file);
  }
}

function notifyMappings(file: DonatedFile | null, from: number, to: number): void {
  if (file === null || file.backing === null) return;
  for (const mapping of [...file.backing.mappings]) mapping.onPagesGone(from, to);
}
