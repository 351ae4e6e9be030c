/**
 * The base class of a Gofer's inodes: attributes and their age, the way to name the file in a
 * request (a fid, or names from a directory with one), changes of attributes, extended attributes.
 */

import { EEXIST, EMFILE, ENODATA, ENOENT, EOPNOTSUPP, ESTALE } from "../../../ffi/abi/errno.ts";
import { S_IFMT } from "../../../ffi/abi/stat.ts";
import {
  XATTR_CREATE,
  XATTR_NAME_CAPS,
  XATTR_REPLACE,
  XATTR_SECURITY_PREFIX,
} from "../../../ffi/abi/xattr.ts";
import { type Attr, NOFID, OPEN_NONE, Tsetattr } from "../../../gofer/client/gofer_client.ts";
import { ATTR_NO_XATTRS } from "../../../gofer/client/scan.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { ATTR_SIZE, type AttrChange } from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./gofer_fs.ts";

/**
 * LIMIT: extended attribute values that are cached for an inode, and their largest size in bytes.
 */
const MAX_XATTRS = 16, MAX_XATTR_BYTES = 1024;
/** The most names of a route; the caller adds some more to the walk. */
const MAX_ROUTE = 48;

const tsetattr = new Tsetattr();

export abstract class GoferInode extends PlainInode {
  override readonly fs: GoferFs;
  /** Its key in the file system's table. */
  key: number | string = -1;
  fid: number = -1;
  wasFidUsed: boolean = false;
  isForgotten: boolean = false;
  /**
   * The cached attributes are out of date (after a write, or a change by the Gofer): they are
   * fetched before they are shown.
   */
  isStale: boolean = false;
  /** The Gofer reported that it has no extended attributes; only in exclusive mode. */
  private isBare: boolean = false;
  private fetchedNs: number = 0;
  /** The epoch in which a lookup last found that its name leads here. */
  placedIn: number = -1;
  /** A directory and name that lead to it; null if it has only a fid. */
  parent: GoferDirectory | null = null;
  entryName: string = "";
  /** Cached values by name; a number is the error. Only in exclusive mode. */
  private xattrs: Map<string, Uint8Array<ArrayBuffer> | number> | null = null;

  constructor(fs: GoferFs, attr: Attr) {
    super(fs, attr.qid.path, attr.mode);
    this.fs = fs;
    this.btimeSec = attr.btimeSec;
    this.btimeNsec = attr.btimeNsec;
  }

  /** It has users that `refs` does not count. */
  get isInUse(): boolean {
    return false;
  }
  /** Whether it can be found by name. */
  get hasPlace(): boolean {
    return this.parent !== null;
  }

  /**
   * Whether the attributes are of this file: the same number, type and birth time, as the host may
   * reuse a number. On an overlayfs of the host a file with another birth time is this one, copied
   * up. (If it is another one, its cached state is dropped all the same.)
   */
  isSameFile(attr: Attr): boolean {
    if ((this.mode & S_IFMT) !== (attr.mode & S_IFMT) || this.ino !== attr.qid.path) return false;
    if (this.btimeSec === attr.btimeSec && this.btimeNsec === attr.btimeNsec) return true;
    if (!this.fs.copiesUp) return false;
    this.btimeSec = attr.btimeSec;
    this.btimeNsec = attr.btimeNsec;
    this.onCopiedUp();
    return true;
  }

  /** Drops cached state that may belong to the file before the copy. */
  protected onCopiedUp(): void {
    this.xattrs = null;
    this.isBare = false;
  }

  /** Forgets what the Gofer answered, and the fid: its connection has ended. */
  forgetFetched(): void {
    this.fid = -1;
    this.wasFidUsed = false;
    this.expire();
    this.xattrs = null;
    this.isBare = false;
  }

  /** Its attributes are fetched before they are shown. */
  expire(): void {
    this.fetchedNs = -Infinity;
  }

  /** Stands for another file from now on, which a restore found in its place. */
  adopt(attr: Attr): void {
    this.ino = attr.qid.path;
    this.btimeSec = attr.btimeSec;
    this.btimeNsec = attr.btimeNsec;
    // The mappings are made after it, so there is none to be cut.
    this.size = attr.size;
    this.takeAttributes(attr);
  }

  /** Nothing leads to its file any more: requests for it are -ESTALE. */
  lose(): void {
    if (this.parent !== null) this.parent.hasLostEntry = true;
    this.parent = null;
    this.nlink = 0;
    this.fs.unmap(this);
  }

  takeAttributes(attr: Attr): void {
    this.mode = attr.mode;
    this.uid = attr.uid;
    this.gid = attr.gid;
    this.nlink = attr.nlink;
    this.rdev = attr.rdev;
    this.size = attr.size;
    this.blockSize = attr.blksize;
    this.blocks = attr.blocks;
    this.atimeSec = attr.atimeSec;
    this.atimeNsec = attr.atimeNsec;
    this.mtimeSec = attr.mtimeSec;
    this.mtimeNsec = attr.mtimeNsec;
    this.ctimeSec = attr.ctimeSec;
    this.ctimeNsec = attr.ctimeNsec;
    this.isStale = false;
    if (this.fs.isExclusive && !this.isCurrent) {
      this.xattrs = null;
      this.isBare = false;
    }
    if ((attr.valid & ATTR_NO_XATTRS) !== 0 && this.fs.isExclusive) this.isBare = true;
    this.fetchedNs = this.fs.fetchTimeNs;
  }

  setEntry(parent: GoferDirectory, name: string): void {
    this.parent = parent;
    this.entryName = name;
    this.placedIn = this.fs.epoch;
  }

  /** Records that `name` in `parent` does not lead here any more. */
  clearEntry(parent: GoferDirectory, name: string): void {
    if (this.parent === parent && this.entryName === name) this.parent = null;
  }

  /** Records that a change by this sandbox made the cached attributes wrong. */
  markStale(): void {
    this.isStale = true;
    this.fs.changes++;
  }

  adoptFid(fid: number): void {
    this.fid = fid;
  }

  /** Gives back everything but the fid: the last user is gone. */
  releaseCached(): void {}

  override drop(): void {
    super.drop();
    if (this.refs <= 0 && !this.isInUse) this.fs.forget(this);
  }

  /**
   * Puts the names from a directory with a fid to here into `names`, and returns that fid; -ESTALE
   * when there is no way, or -errno.
   */
  protected route(names: string[]): number {
    return findRoute(this, names);
  }

  /** The fid, which is bound if there is none; -errno. */
  bind(): number {
    if (this.fid >= 0) {
      this.wasFidUsed = true;
      return this.fid;
    }
    const r = this.walkToBind();
    return r === -EMFILE && this.fs.fids.shrink() ? this.walkToBind() : r;
  }

  private walkToBind(): number {
    const client = this.fs.client, names: string[] = [];
    const from = this.route(names);
    if (from < 0) return from;
    const fid = client.fids.take();
    return this.bound(fid, client.walkGetattr(from, fid, names), names.length);
  }

  /**
   * Takes the result `n` of a walk here of `asked` names that was to bind `fid`: the fid or -errno.
   */
  protected bound(fid: number, n: number, asked: number): number {
    const { client } = this.fs;
    if (n !== asked) {
      if (n > 0) client.clunk(fid);
      else client.fids.release(fid);
      return n < 0 ? n : this.walkError();
    }
    const attr = client.walk.at(n - 1);
    if (!this.isSameFile(attr)) {
      client.clunk(fid);
      return -ESTALE;
    }
    this.takeAttributes(attr);
    this.fid = fid;
    this.wasFidUsed = true;
    this.fs.fids.add(this);
    return fid;
  }

  /** The reason why the last walk ended before its last name. */
  protected walkError(): number {
    const { ecode } = this.fs.client.walk;
    return ecode === 0 ? -ESTALE : -ecode;
  }

  /**
   * Makes one walk to this file that fetches its attributes, and with `open` flags a descriptor,
   * which the caller takes from the client: 0 or -errno.
   */
  protected walkHere(open: number = OPEN_NONE): number {
    const client = this.fs.client, names: string[] = [];
    const from = this.route(names);
    if (from < 0) return from;
    const n = client.walkGetattr(from, NOFID, names, 0, open);
    if (n < 0) return n;
    if (names.length > 0 && n !== names.length) return this.walkError();
    const attr = client.walk.at(n - 1);
    if (!this.isSameFile(attr)) return -ESTALE;
    this.takeAttributes(attr);
    return 0;
  }

  /** Whether its attributes were fetched in this epoch (exclusive mode). */
  get isCurrent(): boolean {
    return this.fetchedNs === this.fs.epoch;
  }

  override refresh(): number {
    this.fs.renewLease();
    if (!this.isStale && this.fs.isFresh(this.fetchedNs)) return 0;
    return this.fetch();
  }

  private fetch(): number {
    const { client } = this.fs;
    if (this.fid >= 0) {
      const r = client.getattr(this.fid);
      if (r === 0) this.takeAttributes(client.attr);
      return r;
    }
    // Without a name and a fid nothing can be fetched.
    if (this.parent === null) return 0;
    const r = this.walkHere();
    return r === -ENOENT || r === -ESTALE ? 0 : r;
  }

  override setattr(change: AttrChange, _cred: Credentials): number {
    const fid = this.bind();
    if (fid < 0) return fid;
    const { valid } = change, m = tsetattr;
    m.fid = fid;
    // The bits of `valid` are those of Tsetattr.
    m.valid = valid;
    m.mode = change.mode & 0o7777;
    m.uid = change.uid;
    m.gid = change.gid;
    m.size = change.size;
    m.atimeSec = change.atimeSec;
    m.atimeNsec = change.atimeNsec;
    m.mtimeSec = change.mtimeSec;
    m.mtimeNsec = change.mtimeNsec;
    const r = this.fs.client.setattr(m);
    if (r < 0) return r;
    this.markStale();
    this.takeChange(change);
    if ((valid & ATTR_SIZE) !== 0) {
      this.onResized(change.size);
      this.dropCapabilities();
    }
    return 0;
  }

  /** Called when the size was set. */
  protected onResized(size: number): void {
    this.size = size;
  }

  /** Drops cached extended attributes of an earlier epoch. */
  private forgetOldXattrs(): void {
    this.fs.renewLease();
    if (this.isCurrent || !this.fs.isLeased) return;
    this.xattrs = null;
    this.isBare = false;
  }

  override getxattr(name: string): Uint8Array<ArrayBuffer> | number {
    this.forgetOldXattrs();
    const known = this.xattrs?.get(name);
    if (known !== undefined) return typeof known === "number" ? known : known.slice();
    // For the other name spaces, the host decides whether it supports them.
    if (this.isBare && name.startsWith(XATTR_SECURITY_PREFIX)) return -ENODATA;
    const fid = this.bind();
    if (fid < 0) return fid;
    const value = this.fs.client.getxattr(fid, name);
    const isLasting = typeof value === "number"
      ? value === -ENODATA || value === -EOPNOTSUPP
      : value.length <= MAX_XATTR_BYTES;
    if (this.fs.isExclusive && this.isCurrent && isLasting) this.cacheXattr(name, value);
    return value;
  }

  private cacheXattr(name: string, value: Uint8Array<ArrayBuffer> | number): void {
    const xattrs = (this.xattrs ??= new Map());
    if (xattrs.size >= MAX_XATTRS) xattrs.clear();
    xattrs.set(name, typeof value === "number" ? value : value.slice());
    // A write removes the capabilities of the host's file, so the cached ones must be dropped too.
    if (name === XATTR_NAME_CAPS) this.hasCapabilities = typeof value !== "number";
  }

  override setxattr(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number {
    // The walk may report that there are none, so it comes before the change.
    const fid = this.bind();
    if (fid < 0) return fid;
    const both = XATTR_CREATE | XATTR_REPLACE;
    if ((flags & both) === both) {
      return typeof this.getxattr(name) === "number" ? -ENODATA : -EEXIST;
    }
    const r = this.fs.client.setxattr(fid, name, value, flags);
    this.markStale();
    this.xattrs = null;
    this.isBare = false;
    return r;
  }

  override removexattr(name: string): number {
    this.forgetOldXattrs();
    const known = this.xattrs?.get(name);
    if (known === -ENODATA || known === -EOPNOTSUPP) return known;
    this.xattrs = null;
    const fid = this.bind();
    if (fid < 0) return fid;
    this.markStale();
    return this.fs.client.removexattr(fid, name);
  }

  override dropCapabilities(): void {
    this.xattrs?.delete(XATTR_NAME_CAPS);
    this.hasCapabilities = false;
  }

  override listxattr(): string[] | number {
    this.forgetOldXattrs();
    if (this.isBare) return [];
    if (this.fs.isExclusive) this.parent?.wantXattrBits();
    const fid = this.bind();
    if (fid < 0) return fid;
    const names = this.fs.client.listxattr(fid);
    return names === -EOPNOTSUPP ? [] : names;
  }

  /** The path from the root of the file system, for texts. */
  get pathText(): string {
    return textOf(this);
  }

  /** Records a rename. */
  onRenamed(parent: GoferDirectory, name: string): void {
    this.setEntry(parent, name);
    this.markStale();
  }

  /** Records that it lost a name. */
  loseName(parent: GoferDirectory, name: string): void {
    this.clearEntry(parent, name);
    this.nlink = Math.max(0, this.nlink - 1);
    this.markStale();
    if (this.nlink === 0) this.fs.unmap(this);
  }

  override keepReachable(): void {
    if (this.fid < 0) this.bind();
  }

  /** Called before it loses a name: binds a fid if it will still be used. */
  prepareToLose(): void {
    if (this.fid < 0 && (this.nlink > 1 || this.isInUse)) this.bind();
  }
}

function findRoute(start: GoferInode, names: string[]): number {
  const way: GoferInode[] = [];
  let inode = start;
  while (inode.fid < 0) {
    const above = inode.parent;
    if (above === null) return -ESTALE;
    way.push(inode);
    inode = above;
  }
  // A long way is walked in parts, from the top.
  let left = way.length;
  while (left > MAX_ROUTE) {
    left -= MAX_ROUTE;
    inode = way[left]!;
    const r = inode.bind();
    if (r < 0) return r;
  }
  while (left > 0) names.push(way[--left]!.entryName);
  inode.wasFidUsed = true;
  return inode.fid;
}

function textOf(start: GoferInode): string {
  let text = "";
  let inode = start;
  while (inode.parent !== null) {
    text = `/${inode.entryName}${text}`;
    inode = inode.parent;
  }
  return text === "" ? "/" : text;
}
