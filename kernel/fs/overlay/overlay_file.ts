/**
 * An open file of an overlay, which wraps the open file of a layer. A file that was opened for
 * reading changes to the upper layer's file once its inode is copied up; existing mappings stay as
 * they were, as on Linux.
 */

import type { Account } from "../../core/account.ts";
import { O_NOATIME } from "../../../ffi/abi/fcntl.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { PidSpace } from "../../cred/pid.ts";
import type { Backing } from "../../mm/backing.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import type { Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { noteTransfer } from "../../vfs/transfers.ts";
import { LAYER_CRED, openLayer } from "./layers.ts";
import type { OverlayNode } from "./node.ts";

export class OverlayFile extends OpenFile {
  readonly inode: OverlayNode;
  /** The layer's inode and its open file. */
  private source: Inode;
  private real: OpenFile;

  constructor(account: Account, inode: OverlayNode, source: Inode, real: OpenFile, flags: number) {
    super(account, flags, false);
    this.inode = inode;
    this.source = source;
    this.real = real;
    real.isQuiet = true;
  }

  /** Only the layer's file is charged: as on Linux, file-nr counts the two as one. */
  protected override uncharge(): void {}

  override get canDirect(): boolean {
    return true;
  }
  override attach(path: Path, cred: Credentials): void {
    super.attach(path, cred);
    if (this.real.path === null) this.real.attach(path, cred);
  }

  override get isSeekable(): boolean {
    return this.real.isSeekable;
  }

  /** The layer's file to use now. HOT */
  private currentFile(): OpenFile {
    return this.source === this.inode.data ? this.real : this.switchToUpper();
  }

  /**
   * Changes to the upper file, as the inode was copied up meanwhile. If that cannot be opened, the
   * old file stays in use.
   */
  private switchToUpper(): OpenFile {
    const source = this.inode.data;
    const file = openLayer(source, this.flags | O_NOATIME, this.account);
    if (typeof file === "number") return this.real;
    file.isQuiet = true;
    if (this.path !== null) file.attach(this.path, this.cred ?? LAYER_CRED);
    this.real.drop();
    this.source = source;
    this.real = file;
    return file;
  }

  override get readsNow(): boolean {
    return true;
  }

  /** HOT */
  override read(io: IoCursor, offset: number): number {
    const n = this.currentFile().read(io, offset);
    if (n > 0 && this.inode.upper !== null) touchFileAtime(this);
    this.accountFor(n, false);
    return n;
  }

  /** HOT */
  override write(io: IoCursor, offset: number): number {
    const real = this.currentFile();
    real.flags = this.flags | O_NOATIME;
    const n = real.write(io, offset);
    if (this.isAppending) this.pos = real.pos;
    this.inode.syncAttributes();
    this.accountFor(n, true);
    return n;
  }

  /** HOT */
  private accountFor(bytes: number, isWrite: boolean): void {
    const { path, inode: { fs } } = this;
    if (path === null || !(fs.isOwned || this.source.fs.isStored)) return;
    noteTransfer(path.mount, fs, bytes, isWrite);
  }

  override poll(): number {
    return this.currentFile().poll();
  }
  override get waitQueue(): WaitQueue | null {
    return this.real.waitQueue;
  }
  override seek(offset: number, whence: number): number {
    return this.currentFile().seek(offset, whence);
  }
  /** With the overlay's own upper layer it behaves as a disk file system, not as a tmpfs. */
  override get mapsExtents(): boolean {
    return this.inode.fs.isOwned || this.currentFile().mapsExtents;
  }
  override ioctl(request: number, arg: number, user: UserMemory): number {
    return this.currentFile().ioctl(request, arg, user);
  }
  override truncate(size: number): number {
    const r = this.currentFile().truncate(size);
    this.inode.syncAttributes();
    return r;
  }
  override fallocate(mode: number, offset: number, len: number): number {
    const r = this.currentFile().fallocate(mode, offset, len);
    this.inode.syncAttributes();
    return r;
  }
  override fsync(dataOnly: boolean): number {
    return this.currentFile().fsync(dataOnly);
  }
  override cachedPages(from: number, to: number): number {
    return this.currentFile().cachedPages(from, to);
  }
  override mmap(writable: boolean, shared: boolean): Backing | number {
    const backing = this.currentFile().mmap(writable, shared);
    if (typeof backing !== "number") backing.shown = this.inode;
    return backing;
  }
  override onFdClose(ownerFiles: object): number {
    return this.real.onFdClose(ownerFiles);
  }
  protected override release(): void {
    this.real.drop();
  }
  override fdinfo(pids: PidSpace): string {
    return this.real.fdinfo(pids);
  }
}
