/**
 * Directories of an overlay: they show the names of both layers, and changes are made in the upper
 * layer. A whiteout hides a name that was removed and that the lower layer has.
 *
 * Neighbours: rename.ts, dir_file.ts (reading), layers.ts, overlay_fs.ts (the table of inodes).
 */

import type { Account } from "../../core/account.ts";
import { NEEDS_TURN } from "../../core/result.ts";
import { EAGAIN, EEXIST, EINVAL, ENOENT, EPERM, EROFS } from "../../../ffi/abi/errno.ts";
import { S_IFCHR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { MAY_EXEC } from "../../cred/permission.ts";
import { isDirectory } from "../../vfs/access.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { COPY_META } from "./copy_up.ts";
import { OverlayDirFile } from "./dir_file.ts";
import { Emptying } from "./emptying.ts";
import { isOpaque, isWhiteout, markOpaque } from "./layers.ts";
import { OverlayInode } from "./overlay_inode.ts";
import { linkInUpper, renameInOverlay } from "./rename.ts";

/** Makes an entry of the upper layer, where the name is free. */
type Maker = (dir: Inode) => Inode | number;

export class OverlayDirectory extends OverlayInode {
  /** Counts changes of its names, so that readers see that their list is old. */
  changes: number = 0;
  /** It was marked as opaque after it became an inode. */
  private isOpaque: boolean = false;
  /** Its removal, between two turns; null: none. */
  private emptying: Emptying | null = null;

  /** The lower layer's directory where its names are visible. */
  get shownLower(): Inode | null {
    return this.isOpaque ? null : this.lower;
  }

  override get dentriesAreStable(): boolean {
    return !this.fs.isChangedBehind && (this.upper === null || this.upper.dentriesAreStable) &&
      (this.lower === null || this.lower.dentriesAreStable);
  }

  /** A directory of both layers shows 1, as its number of subdirectories is not known. */
  protected override linkCount(real: Inode): number {
    if (this.isRemoved) return 0;
    return this.upper !== null && this.lower !== null ? 1 : real.nlink;
  }

  override lookup(name: string): Inode | number {
    const upper = this.upperEntry(name);
    if (typeof upper === "number") return upper;
    if (upper !== null) {
      if (isWhiteout(upper)) return -ENOENT;
      return this.fromUpper(upper, name);
    }
    const lower = this.lowerEntry(name);
    if (typeof lower === "number") return lower;
    if (lower === null) return -ENOENT;
    return this.withEntry(this.fs.intern(null, lower, this, name), name);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached instanceof OverlayInode && cached.upper === null && cached.lower !== null) {
      const upper = this.upperEntry(name);
      if (upper === null && this.lower !== null) {
        const lower = this.lower.relookup(name, cached.lower);
        if (lower === cached.lower) return cached;
      }
    }
    return this.lookup(name);
  }

  private fromUpper(upper: Inode, name: string): Inode | number {
    const known = this.fs.findByUpper(upper);
    if (known !== null) return this.withEntry(known, name);
    let lower: Inode | null = null;
    if (isDirectory(upper) && !isOpaque(upper)) {
      const below = this.lowerEntry(name);
      if (typeof below === "number") return below;
      if (below !== null && isDirectory(below)) lower = below;
    }
    return this.fs.intern(upper, lower, this, name);
  }

  private withEntry(inode: OverlayInode, name: string): OverlayInode {
    if (inode.parent === null) inode.setEntry(this, name);
    return inode;
  }

  /**
   * The upper layer's entry `name`, which may be a whiteout; null when there is none; or -errno.
   */
  upperEntry(name: string): Inode | null | number {
    return this.upper === null ? null : this.entryIn(this.upper, name);
  }

  private entryIn(layer: Inode, name: string): Inode | null | number {
    const may = this.fs.mayUse(layer, MAY_EXEC);
    return may < 0 ? may : entryOf(layer, name);
  }

  /** The lower layer's entry `name`; null when there is none or a whiteout; or -errno. */
  lowerEntry(name: string): Inode | null | number {
    const lower = this.shownLower;
    if (lower === null) return null;
    const found = this.entryIn(lower, name);
    return found !== null && typeof found !== "number" && isWhiteout(found) ? null : found;
  }

  /**
   * Whether the lower layer would show `name` after its removal from the upper one: 1, 0 or -errno.
   */
  needsWhiteout(name: string): number {
    const below = this.lowerEntry(name);
    return typeof below === "number" ? below : below === null ? 0 : 1;
  }

  /** Called after names of this directory changed in the upper layer. */
  onNamesChanged(): void {
    this.changes++;
    this.syncAttributes();
  }

  override create(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    return this.makeEntry(name, (dir) => dir.create(name, mode, uid, gid, account));
  }
  override mkdir(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    return this.makeEntry(name, (dir) => dir.mkdir(name, mode, uid, gid, account));
  }
  override mknod(
    name: string,
    mode: number,
    rdev: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    if ((mode & S_IFMT) === S_IFREG) return this.create(name, mode, uid, gid, account);
    // A device 0/0 is a whiteout, which would hide itself.
    if ((mode & S_IFMT) === S_IFCHR && rdev === 0) return -EPERM;
    return this.makeEntry(name, (dir) => dir.mknod(name, mode, rdev, uid, gid, account));
  }
  override symlink(
    name: string,
    target: string,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    return this.makeEntry(name, (dir) => dir.symlink(name, target, uid, gid, account));
  }

  override tmpfile(
    mode: number,
    uid: number,
    gid: number,
    linkable: boolean,
    account: Account,
  ): Inode | number {
    const r = this.copyUp(COPY_META);
    if (r < 0) return r;
    const upper = this.upper!.tmpfile(mode, uid, gid, linkable, account);
    if (typeof upper === "number") return upper;
    const inode = this.fs.intern(upper, null, this, "");
    inode.clearEntry(this, "");
    return inode;
  }

  /** Makes a new file `name`, in place of a whiteout that may be there. */
  private makeEntry(name: string, maker: Maker): Inode | number {
    const hidden = this.prepareName(name);
    if (typeof hidden === "number") return hidden;
    const upper = maker(this.upper!);
    if (typeof upper === "number") {
      this.restoreWhiteout(name, hidden !== null);
      return upper;
    }
    if (isDirectory(upper) && hidden !== null) markOpaque(upper);
    const inode = this.fs.intern(upper, null, this, name);
    this.onNamesChanged();
    return inode;
  }

  /**
   * Copies the directory up and removes a whiteout at `name`: returns the whiteout, null, or
   * -errno.
   */
  private prepareName(name: string): Inode | null | number {
    const r = this.copyUp(COPY_META);
    if (r < 0) return r;
    const there = this.upperEntry(name);
    if (there === null || typeof there === "number") return there;
    if (!isWhiteout(there)) return -EEXIST;
    const removed = this.upper!.unlink(name, there);
    return removed < 0 ? removed : there;
  }

  private restoreWhiteout(name: string, wasThere: boolean): void {
    if (wasThere) this.upper!.mknod(name, S_IFCHR, 0, 0, 0, this.fs.account);
  }

  override link(name: string, target: Inode): number {
    if (!(target instanceof OverlayInode)) return -EINVAL;
    const r = target.copyUp(COPY_META);
    if (r < 0) return r;
    const hidden = this.prepareName(name);
    if (typeof hidden === "number") return hidden;
    const l = linkInUpper(this, name, target);
    if (l < 0) {
      this.restoreWhiteout(name, hidden !== null);
      return l;
    }
    if (target.parent === null) target.setEntry(this, name);
    target.syncAttributes();
    this.onNamesChanged();
    return 0;
  }

  override unlink(name: string, target: Inode): number {
    if (!(target instanceof OverlayInode)) return -EINVAL;
    const r = this.removeName(name, target);
    if (r < 0) return r;
    target.clearEntry(this, name);
    target.syncAttributes();
    this.onNamesChanged();
    this.evictIfUnused(target);
    return 0;
  }

  override rmdir(name: string, target: Inode): number {
    if (!(target instanceof OverlayDirectory)) return -EINVAL;
    const empty = target.empty();
    if (empty < 0) return empty;
    const r = this.removeName(name, target);
    if (r < 0) return r;
    this.onRemoved(target, name);
    this.onNamesChanged();
    return 0;
  }

  /** Records that the directory `target` was removed. */
  onRemoved(target: OverlayDirectory, name: string): void {
    target.isRemoved = true;
    target.clearEntry(this, name);
    target.syncAttributes();
    this.evictIfUnused(target);
  }

  /** Called after `target` lost a name: evicts it when it has neither names nor users. */
  evictIfUnused(target: OverlayInode): void {
    if (target.nlink === 0 && target.refs === 0) target.evict();
  }

  /** Removes `name` (of `target`) from the merged directory: 0 or -errno. */
  private removeName(name: string, target: OverlayInode): number {
    if (this.fs.readOnly) return -EROFS;
    const covers = this.needsWhiteout(name);
    if (covers < 0) return covers;
    const r = this.copyUp(COPY_META);
    if (r < 0) return r;
    const there = this.upperEntry(name);
    if (typeof there === "number") return there;
    if (there === null) {
      const whiteout = this.upper!.mknod(name, S_IFCHR, 0, 0, 0, this.fs.account);
      if (typeof whiteout === "number") return whiteout;
      if (!isDirectory(target)) this.fs.hideLink(target);
      return 0;
    }
    target.keepUpper();
    const removed = isDirectory(there)
      ? this.upper!.rmdir(name, there)
      : this.upper!.unlink(name, there);
    if (removed < 0 || covers === 0) return removed;
    const whiteout = this.upper!.mknod(name, S_IFCHR, 0, 0, 0, this.fs.account);
    return typeof whiteout === "number" ? whiteout : 0;
  }

  /**
   * Removes the whiteouts of an empty directory, before the directory of the upper layer goes: 0,
   * -ENOTEMPTY, NEEDS_TURN or another -errno.
   */
  empty(): number {
    this.emptying ??= new Emptying(this);
    const r = this.emptying.step();
    if (r === -EAGAIN) return NEEDS_TURN;
    this.endEmptying();
    return r;
  }

  /** Also called when the directory is forgotten: the process that removed it may have ended. */
  endEmptying(): void {
    this.emptying?.close();
    this.emptying = null;
  }

  /** Shows no names of the lower layer any more: a layer that takes no mark does so in memory. */
  makeOpaque(): void {
    if (this.isOpaque) return;
    this.isOpaque = true;
    if (this.lower !== null && this.upper !== null) markOpaque(this.upper);
  }

  override rename(
    name: string,
    source: Inode,
    newDir: Inode,
    newName: string,
    target: Inode | null,
    flags: number,
  ): number {
    if (!(source instanceof OverlayInode) || !(newDir instanceof OverlayDirectory)) return -EINVAL;
    const victim = target instanceof OverlayInode ? target : null;
    return renameInOverlay(this, name, source, newDir, newName, victim, flags);
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new OverlayDirFile(account, this, flags);
  }
}

function entryOf(dir: Inode, name: string): Inode | null | number {
  const found = dir.lookup(name);
  return found === -ENOENT ? null : found;
}
