/**
 * The marks that overlayfs writes into its upper layer: whiteouts (a character device 0/0 hides the
 * lower name), opaque directories and other `trusted.overlay.*` attributes
 * (Documentation/filesystems/overlayfs.rst). Also opening and listing inodes of a layer without a
 * path.
 */

import type { Account } from "../../core/account.ts";
import { EAGAIN, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { O_DIRECTORY, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { S_IFCHR, S_IFMT } from "../../../ffi/abi/stat.ts";
import { type Credentials, rootCredentials } from "../../cred/credentials.ts";
import { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

/**
 * A layer that takes no `trusted.*` (a Gofer's) has the marks where the mount option `userxattr`
 * puts them.
 */
const PREFIXES = ["trusted.overlay.", "user.overlay."] as const;
const OPAQUE = "opaque";

/**
 * The credentials that layers are used with: root's. `mayUse` of overlay_fs.ts checks those of the
 * mounter.
 */
export const LAYER_CRED: Credentials = rootCredentials();

export function isWhiteout(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === 0;
}

/** Whether a directory hides the lower one. */
export function isOpaque(dir: Inode): boolean {
  for (const prefix of PREFIXES) {
    const value = dir.getxattr(prefix + OPAQUE);
    if (value === -EOPNOTSUPP) continue;
    return typeof value !== "number" && value.length === 1 && value[0] === 0x79;
  }
  return false;
}

export function markOpaque(dir: Inode): number {
  let r = -EOPNOTSUPP;
  for (const prefix of PREFIXES) {
    if (r === -EOPNOTSUPP) r = dir.setxattr(prefix + OPAQUE, new Uint8Array([0x79]), 0);
  }
  return r;
}

/**
 * Attributes that are the overlay's own: they cannot be seen or set through it. DIFFERS: both kinds
 * of it always.
 */
export function isMark(name: string): boolean {
  return PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** Opens an inode of a layer for the overlay itself. */
export function openLayer(inode: Inode, flags: number, account: Account): OpenFile | number {
  const dentry = new Dentry(inode.fs, null, "", inode);
  const file = inode.open(dentry, flags, LAYER_CRED, account);
  dentry.releaseInode();
  return file;
}

export interface LayerEntry {
  readonly name: string;
  readonly ino: number;
  readonly type: number;
}

/**
 * Lists a layer's directory without "." and "..", a number of entries at a time. The user closes
 * it.
 */
export class LayerListing {
  private readonly file: OpenFile;

  constructor(file: OpenFile) {
    this.file = file;
  }

  static open(dir: Inode, account: Account): LayerListing | number {
    const file = openLayer(dir, O_RDONLY | O_DIRECTORY, account);
    return typeof file === "number" ? file : new LayerListing(file);
  }

  /** The next entries, at most `most`; none at the end; or -errno. */
  next(most: number): LayerEntry[] | number {
    const { file } = this, entries: LayerEntry[] = [];
    let isNew = true, r = 0;
    const sink = (name: string, ino: number, type: number, offset: number): boolean => {
      if (entries.length >= most) return false;
      isNew = true;
      file.pos = offset;
      if (name !== "." && name !== "..") entries.push({ name, ino, type });
      return true;
    };
    // A remote directory may be read in pieces, and one that is an overlay itself in turns.
    while (isNew && (r === 0 || r === -EAGAIN) && entries.length < most) {
      isNew = false;
      r = file.readdir(sink);
      if (r === -EAGAIN && file.needsTurn) isNew = true;
    }
    return r < 0 ? r : entries;
  }

  close(): void {
    this.file.drop();
  }
}

/** All entries of a layer's directory without "." and ".."; or -errno. */
export function listLayer(dir: Inode, account: Account): LayerEntry[] | number {
  const listing = LayerListing.open(dir, account);
  if (typeof listing === "number") return listing;
  const entries = listing.next(Infinity);
  listing.close();
  return entries;
}
