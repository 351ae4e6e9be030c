/**
 * An overlay (overlayfs of Linux): a directory tree of a lower layer, which is never changed, and
 * an upper layer, which takes all changes. Both are inodes of any file system.
 *
 * Each file has one OverlayInode, whatever layer the file is in; it keeps its number when it is
 * copied up. Inodes of the upper layer are remembered while they have names, so renamed directories
 * stay merged and hard links stay one file. DIFFERS: Linux needs redirect_dir and index for that.
 *
 * Neighbours: directory.ts, node.ts (inodes), copy_up.ts, layers.ts (marks in the upper layer).
 */

import type { Account } from "../../core/account.ts";
import { EOVERFLOW } from "../../../ffi/abi/errno.ts";
import { S_IFIFO, S_IFMT, S_IFSOCK } from "../../../ffi/abi/stat.ts";
import { OVERLAYFS_SUPER_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { MAY_READ } from "../../cred/permission.ts";
import { inodePermission, isDirectory } from "../../vfs/access.ts";
import { type Dentry, dropPath, type Path } from "../../vfs/dentry.ts";
import type { DeviceNumbers } from "../../vfs/device_numbers.ts";
import { FileSystem, type Inode, type StatFs } from "../../vfs/inode.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { CopyBuffer } from "./copy_data.ts";
import { OverlayDirectory } from "./directory.ts";
import { OverlayNode } from "./node.ts";
import type { OverlayInode } from "./overlay_inode.ts";

/**
 * The first inode number of files that only the upper layer has, and the distance of the numbers of
 * the lower layer's other devices.
 */
const UPPER_INO_BASE = 2 ** 48, DEVICE_INO_STEP = 2 ** 49;

const INDEX_UPPER = 1, INDEX_LOWER = 2;

/** FIFOs and sockets, which have objects of the kernel. */
function isSpecial({ mode }: Inode): boolean {
  const type = mode & S_IFMT;
  return type === S_IFIFO || type === S_IFSOCK;
}

/** Knows the task whose call is served. */
export interface Payers {
  readonly current: { readonly account: Account } | null;
}

interface OverlayOptions {
  /** Its own device number is taken from here. */
  readonly devices: DeviceNumbers;
  /**
   * Others see the upper tree too, and it may be mounted again, so it must hold the whole state.
   * Then renaming a directory of the lower layer is EXDEV, and attributes are not copied up without
   * data, as by Linux's defaults.
   */
  readonly isPersistent: boolean;
  /** The mounter's account. */
  readonly account: Account;
  /**
   * The kernel, whose current task pays for copies of files and whiteouts; null: the mounter does.
   */
  readonly payers?: Payers | null;
  /** The part of the mount options that names the layers, for mountinfo. */
  readonly text: string;
  /** As in FileSystem; 0 for the sandbox's own overlays, which its programs see as their disk. */
  readonly stackDepth: number;
  /** A file system that ends with the overlay (its own tmpfs); null: none. */
  readonly owned: FileSystem | null;
  /** The frames for the buffer of copies. */
  readonly frames: FrameAllocator;
  /**
   * The credentials of the task that mounted it, which the layers are used with; null for a mount
   * of the sandbox itself.
   */
  readonly mounter?: Credentials | null;
  /** The paths of the layers, which stay pinned while the overlay exists. */
  readonly pinned: readonly Path[];
}

export class OverlayFs extends FileSystem {
  override readonly type = "overlay";
  override readonly root: OverlayDirectory;
  override readonly stackDepth: number;
  readonly isPersistent: boolean;
  readonly buffer: CopyBuffer;
  /** Its upper layer belongs to it alone. */
  readonly isOwned: boolean;
  private readonly options: OverlayOptions;
  private readonly upperFs: FileSystem | null;
  private readonly lowerDev: number;
  /**
   * Inodes of the upper layer that are in use or were changed through the overlay; they stay while
   * they have a name.
   */
  private readonly byUpper: Map<Inode, OverlayInode> = new Map();
  /** Inodes of the lower layer in use: one object for each, whatever names lead to it. */
  private readonly byLower: Map<Inode, OverlayInode> = new Map();
  /** Inodes that a lookup of their names would not make as they are, even if nothing uses them. */
  private readonly lasting: Set<OverlayInode> = new Set();
  private readonly devices: Map<number, number> = new Map();

  /** `upper` null: a read-only overlay that shows `lower`, which may be an overlay itself. */
  constructor(lower: Inode, upper: Inode | null, options: OverlayOptions) {
    super(options.devices);
    this.options = options;
    this.isPersistent = options.isPersistent;
    this.stackDepth = options.stackDepth;
    this.isOwned = options.owned !== null;
    this.buffer = new CopyBuffer(this, options.frames);
    this.lowerDev = lower.dev;
    // The sandbox's own overlays count as disks.
    this.isStored = this.isOwned || lower.fs.isStored || upper?.fs.isStored === true;
    this.upperFs = upper === null ? null : upper.fs;
    this.readOnly = upper === null;
    this.source = "overlay";
    if (upper !== null && options.isPersistent) upper.fs.isChangedBehind = true;
    const ino = this.lowerIno(lower.ino, lower.dev);
    this.root = new OverlayDirectory(this, ino, upper, lower, null, "");
    if (upper !== null) this.byUpper.set(upper, this.root);
  }

  /** The file system that ends with it; null: none. */
  get owned(): FileSystem | null {
    return this.options.owned;
  }

  /**
   * The account for copies of files and whiteouts: the caller's, or the mounter's without a call.
   */
  get account(): Account {
    const { payers, account } = this.options;
    return payers?.current?.account ?? account;
  }

  /**
   * Whether the mounter may do this (MAY_*) with an inode of a layer: 0 or -errno. An inode of the
   * overlay has the owner and mode of its topmost layer, whose files a guest user may have made, so
   * the mounter needs permission on the lower ones themselves.
   */
  mayUse(layer: Inode, mask: number): number {
    const mounter = this.options.mounter ?? null;
    return mounter === null ? 0 : inodePermission(layer, mask, mounter);
  }

  /**
   * Whether a file of a lower layer may be copied to the upper one: 0 or -errno. The copy has the
   * owner of the original, which must be mapped in the mounter's user namespace: otherwise a set-ID
   * file would come to a place where its bits count (CVE-2023-0386).
   */
  mayCopyUp(lower: Inode, readsData: boolean): number {
    const mounter = this.options.mounter ?? null;
    if (mounter === null) return 0;
    const { userNs } = mounter;
    if (!userNs.hasUid(lower.uid) || !userNs.hasGid(lower.gid)) return -EOVERFLOW;
    return readsData ? this.mayUse(lower, MAY_READ) : 0;
  }

  /** The overlay's inode number of a file of the lower layer. */
  lowerIno(ino: number, dev: number): number {
    if (dev === this.lowerDev) return ino;
    let index = this.devices.get(dev);
    if (index === undefined) {
      index = this.devices.size + 1;
      this.devices.set(dev, index);
    }
    return ino % UPPER_INO_BASE + index * DEVICE_INO_STEP % Number.MAX_SAFE_INTEGER;
  }

  /** The overlay's inode number of an entry of the upper layer. */
  upperIno(upper: Inode): number {
    return this.byUpper.get(upper)?.ino ?? upper.ino + UPPER_INO_BASE;
  }

  findByUpper(upper: Inode): OverlayInode | null {
    return this.byUpper.get(upper) ?? null;
  }

  /**
   * The inode of the file `name` of a directory: in the upper layer, in the lower one, or (a
   * directory) in both.
   */
  intern(
    upper: Inode | null,
    lower: Inode | null,
    parent: OverlayDirectory,
    name: string,
  ): OverlayInode {
    if (upper !== null) {
      const known = this.byUpper.get(upper);
      if (known !== undefined) return known;
    } else if (lower !== null) {
      const known = this.byLower.get(lower);
      if (known !== undefined) return known;
    }
    const ino = lower !== null && (upper === null || isDirectory(upper))
      ? this.lowerIno(lower.ino, lower.dev)
      : upper!.ino + UPPER_INO_BASE;
    const inode = isDirectory(upper ?? lower!)
      ? new OverlayDirectory(this, ino, upper, lower, parent, name)
      : new OverlayNode(this, ino, upper, lower, parent, name);
    if (upper !== null) this.byUpper.set(upper, inode);
    else if (lower !== null) this.byLower.set(lower, inode);
    if (upper !== null && (lower !== null || isSpecial(upper))) this.lasting.add(inode);
    return inode;
  }

  /** Records that `inode` was copied up. */
  addUpper(inode: OverlayInode, upper: Inode): void {
    this.byUpper.set(upper, inode);
    this.lasting.add(inode);
  }

  /** One of its names is gone, which the lower layer still has. */
  hideLink(inode: OverlayInode): void {
    inode.extraLinks--;
    this.lasting.add(inode);
  }

  /** The tables that have the inode: INDEX_*. */
  indexOf(inode: OverlayInode): number {
    const { upper, lower } = inode;
    return (upper !== null && this.byUpper.get(upper) === inode ? INDEX_UPPER : 0) |
      (lower !== null && this.byLower.get(lower) === inode ? INDEX_LOWER : 0);
  }

  /** Adds an inode of a copy to the tables. */
  addTo(index: number, inode: OverlayInode): void {
    const { upper, lower } = inode;
    if ((index & INDEX_UPPER) !== 0 && upper !== null) this.byUpper.set(upper, inode);
    if ((index & INDEX_LOWER) !== 0 && lower !== null) this.byLower.set(lower, inode);
  }

  /** Replaces the upper inode of `inode`. */
  replaceUpper(inode: OverlayInode, upper: Inode): void {
    if (inode.upper !== null) this.byUpper.delete(inode.upper);
    inode.replaceUpper(upper);
    this.byUpper.set(upper, inode);
  }

  /** Removes an inode without users from the tables. */
  forget(inode: OverlayInode): void {
    if (inode instanceof OverlayDirectory) inode.endEmptying();
    this.lasting.delete(inode);
    if (inode.upper !== null) this.byUpper.delete(inode.upper);
    if (inode.lower !== null && this.byLower.get(inode.lower) === inode) {
      this.byLower.delete(inode.lower);
    }
  }

  override walkAhead(
    dir: Inode,
    path: string,
    from: number,
    opens: boolean,
    cached: Dentry | null,
    account: Account,
  ): number {
    const lower = dir instanceof OverlayDirectory ? dir.lower : null;
    if (lower === null || cached !== null) return 0;
    return lower.fs.walkAhead(lower, path, from, opens, null, account);
  }

  override statfs(out: StatFs): number {
    const fs = this.upperFs ?? this.root.lower?.fs ?? null;
    const r = fs === null ? 0 : fs.statfs(out);
    out.type = OVERLAYFS_SUPER_MAGIC;
    out.fsid = this.dev;
    return r;
  }

  override get unsyncedFiles(): number {
    return this.upperFs?.unsyncedFiles ?? 0;
  }
  override syncFile(): number {
    return this.upperFs?.syncFile() ?? 0;
  }

  override superOptions(): string {
    return this.options.text;
  }

  override destroy(): void {
    for (const inode of new Set(this.byUpper.values())) inode.releaseLayers();
    this.byUpper.clear();
    this.byLower.clear();
    this.lasting.clear();
    this.buffer.release();
    if (this.options.owned !== null) this.options.owned.destroy();
    for (const path of this.options.pinned) dropPath(path);
  }
}
