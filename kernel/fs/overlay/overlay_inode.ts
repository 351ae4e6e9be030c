/**
 * The base class of inodes of an overlay: their layers, stat fields that follow the real inode,
 * attribute changes (which copy up), lifetime.
 *
 * `upper` is set once something was changed; `real` is the inode that has the attributes. `parent`
 * and `name` are kept as the place to copy up to.
 */

import { ENODATA, EOPNOTSUPP, EROFS } from "../../../ffi/abi/errno.ts";
import { IN_DELETE_SELF } from "../../../ffi/abi/inotify.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { ATTR_SIZE, type AttrChange, type Inode } from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import { notifySelf } from "../../vfs/notify.ts";
import type { PosixAcl } from "../../vfs/posix_acl.ts";
import { COPY_DATA, COPY_META, COPY_NOTHING, copyUp, copyUpData } from "./copy_up.ts";
import { setSize } from "./copy_data.ts";
import { isMark } from "./layers.ts";
import type { OverlayDirectory } from "./directory.ts";
import type { OverlayFs } from "./overlay_fs.ts";

export abstract class OverlayInode extends PlainInode {
  declare readonly fs: OverlayFs;
  upper: Inode | null;
  readonly lower: Inode | null;
  /**
   * Names that the link count of the real inode does not include; negative for names that whiteouts
   * hide.
   */
  extraLinks: number = 0;
  /** Only the attributes were copied up: bytes are still read from the lower layer. */
  isDataLower: boolean = false;
  /** The last name was removed. */
  isRemoved: boolean = false;
  /** A name of the file; null when that one was removed. */
  parent: OverlayDirectory | null = null;
  name: string = "";
  private areLayersHeld: boolean = true;

  constructor(
    fs: OverlayFs,
    ino: number,
    upper: Inode | null,
    lower: Inode | null,
    parent: OverlayDirectory | null,
    name: string,
  ) {
    const real = upper ?? lower!;
    super(fs, ino, real.mode);
    this.upper = upper;
    this.lower = lower;
    if (upper !== null) upper.hold();
    if (lower !== null) lower.hold();
    if (parent !== null) this.setEntry(parent, name);
    this.syncAttributes();
  }

  /** The inode that has the attributes. */
  get real(): Inode {
    return this.upper ?? this.lower!;
  }

  /** Copies the stat fields of the real inode. HOT */
  syncAttributes(): void {
    const real = this.real;
    this.mode = real.mode;
    this.uid = real.uid;
    this.gid = real.gid;
    this.size = real.size;
    this.rdev = real.rdev;
    this.blockSize = real.blockSize;
    this.blocks = this.isDataLower && this.lower !== null ? this.lower.blocks : real.blocks;
    this.nlink = this.linkCount(real);
    this.atimeSec = real.atimeSec;
    this.atimeNsec = real.atimeNsec;
    this.mtimeSec = real.mtimeSec;
    this.mtimeNsec = real.mtimeNsec;
    this.ctimeSec = real.ctimeSec;
    this.ctimeNsec = real.ctimeNsec;
    this.btimeSec = real.btimeSec;
    this.btimeNsec = real.btimeNsec;
    this.fileFlags = real.fileFlags;
    this.hasCapabilities = real.hasCapabilities;
    this.accessAcl = real.accessAcl;
    this.defaultAcl = real.defaultAcl;
  }

  protected linkCount(real: Inode): number {
    return this.isRemoved ? 0 : real.nlink + this.extraLinks;
  }

  /** Records that it has this name (and maybe others). */
  setEntry(parent: OverlayDirectory, name: string): void {
    parent.hold();
    if (this.parent !== null) this.parent.drop();
    this.parent = parent;
    this.name = name;
  }

  /** Records that it does not have this name any more. */
  clearEntry(parent: OverlayDirectory, name: string): void {
    if (this.parent !== parent || this.name !== name) return;
    this.parent = null;
    parent.drop();
  }

  /**
   * Copies the inode up if it is not in the upper layer: 0 or -errno. `how`: COPY_META, COPY_DATA
   * or COPY_NOTHING.
   */
  copyUp(how: number): number {
    if (this.fs.readOnly) return -EROFS;
    if (this.upper === null) return copyUp(this, how);
    if (!this.isDataLower || how === COPY_META) return 0;
    if (how === COPY_DATA) return copyUpData(this);
    // The file is about to be truncated.
    const r = setSize(this.upper, 0);
    if (r === 0) this.isDataLower = false;
    return r;
  }

  /**
   * Called before `upper` loses a name: when it is the last one of `upper` but not of the file,
   * `upper` stays reachable.
   */
  keepUpper(): void {
    const { upper } = this;
    if (upper !== null && upper.nlink === 1 && this.nlink > 1) upper.keepReachable();
  }

  /** Replaces `upper` by another inode that has a name. */
  replaceUpper(upper: Inode): void {
    this.upper?.drop();
    this.upper = upper;
    upper.hold();
  }

  override refresh(): number {
    const r = this.real.refresh();
    this.syncAttributes();
    return r;
  }

  override setattr(change: AttrChange, cred: Credentials): number {
    let how = COPY_META;
    if ((change.valid & ATTR_SIZE) !== 0) how = change.size === 0 ? COPY_NOTHING : COPY_DATA;
    let r = this.copyUp(how);
    if (r < 0) return r;
    r = this.upper!.setattr(change, cred);
    this.syncAttributes();
    return r;
  }

  override get hasFileFlags(): boolean {
    return this.real.hasFileFlags;
  }

  override setFileFlags(flags: number): number {
    let r = this.copyUp(COPY_META);
    if (r < 0) return r;
    r = this.upper!.setFileFlags(flags);
    this.syncAttributes();
    return r;
  }

  /** Reading does not copy up, so the access times of lower files do not change. */
  override touchAtime(relative: boolean): void {
    if (this.upper === null) return;
    this.upper.touchAtime(relative);
    this.atimeSec = this.upper.atimeSec;
    this.atimeNsec = this.upper.atimeNsec;
  }

  override inheritAcls(access: PosixAcl | null, byDefault: PosixAcl | null): void {
    if (this.upper === null) return;
    this.upper.inheritAcls(access, byDefault);
    this.syncAttributes();
  }

  override getxattr(name: string): Uint8Array<ArrayBuffer> | number {
    if (isMark(name)) return -EOPNOTSUPP;
    return this.real.getxattr(name);
  }

  override setxattr(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number {
    if (isMark(name)) return -EOPNOTSUPP;
    let r = this.copyUp(COPY_META);
    if (r < 0) return r;
    r = this.upper!.setxattr(name, value, flags);
    this.syncAttributes();
    return r;
  }

  override removexattr(name: string): number {
    if (isMark(name)) return -EOPNOTSUPP;
    // The removal of a missing attribute copies nothing up.
    const old = this.real.getxattr(name);
    if (old === -ENODATA && name.startsWith("system.posix_acl_")) return 0;
    if (typeof old === "number") return old;
    let r = this.copyUp(COPY_META);
    if (r < 0) return r;
    r = this.upper!.removexattr(name);
    this.syncAttributes();
    return r;
  }

  override listxattr(): string[] | number {
    const names = this.real.listxattr();
    if (typeof names === "number") return names;
    return names.filter((n) => !isMark(n));
  }

  override drop(): void {
    if (this.loseUser()) this.evict();
  }

  /** Drops a user. True when the inode can be evicted. */
  private loseUser(): boolean {
    if (--this.refs > 0) return false;
    if (this.nlink === 0) notifySelf(this, IN_DELETE_SELF, null);
    // An inode of the upper layer, or one that lost some of its names, is remembered while it has a
    // name.
    return this.nlink === 0 || (this.upper === null && this.extraLinks === 0);
  }

  override evict(): void {
    this.fs.forget(this);
    this.releaseLayers();
  }

  /**
   * Releases the layers of this inode and, upwards, of each directory that has no other user. A
   * loop, because a tree is as deep as a guest likes.
   */
  releaseLayers(): void {
    OverlayInode.releaseUpwards(this);
  }

  private static releaseUpwards(first: OverlayInode): void {
    for (let inode: OverlayInode | null = first; inode !== null && inode.areLayersHeld;) {
      inode.areLayersHeld = false;
      const parent: OverlayInode | null = inode.parent;
      inode.parent = null;
      inode.upper?.drop();
      inode.lower?.drop();
      inode = parent?.loseUser() === true ? parent : null;
      if (inode !== null) inode.fs.forget(inode);
    }
  }
}
