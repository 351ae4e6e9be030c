/**
 * Directories of a Gofer: lookup, creation and removal of names, and fetching a path ahead. A
 * lookup uses what a walk, a listing or a scan has fetched, and asks the Gofer for the rest.
 * Neighbours: gofer_fs.ts (the modes), fetched_names.ts, listing.ts, tree_scan.ts.
 */

import type { Account } from "../../core/account.ts";
import { DT_DIR } from "../../../ffi/abi/dirent.ts";
import { EMFILE, ENFILE, ENOENT, EOPNOTSUPP, EXDEV } from "../../../ffi/abi/errno.ts";
import {
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  RENAME_EXCHANGE,
} from "../../../ffi/abi/fcntl.ts";
import { majorOf, minorOf, S_IFDIR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import { NOFID, OPEN_NONE, STOP_ERROR, STOP_SYMLINK } from "../../../gofer/client/gofer_client.ts";
import { LIST_ALL, LIST_DIRS, walkList } from "../../../gofer/client/listing.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { GoferDirFile } from "./dir_file.ts";
import { GoferInode } from "./gofer_inode.ts";
import { BARE_LOOKUPS, type Listing, readEntries, readListing, takeEntries } from "./listing.ts";
import { bindFd } from "../../../gofer/client/bind.ts";
import { GoferNode, GoferSymlink } from "./nodes.ts";
import { MissingNames } from "./missing_names.ts";
import { GoferRegular } from "./regular.ts";
import type { ScannedDir } from "./scanned_dir.ts";

const UNLINK_REMOVEDIR = 0x200;
/** The lookups that walk from an ancestor before the directory gets a fid of its own. */
const LOOKUPS_WITHOUT_FID = 1;
/** The entries whose attributes may fit one message. */
const MAX_IN_MESSAGE = 1300;
/** The requests for single names before the whole directory is fetched. */
const PROBE_AFTER = 8;

export class GoferDirectory extends GoferInode {
  private lookups: number = 0;
  /** A guest has read it (getdents64(2)). */
  private wasRead: boolean = false;
  /** Its place in the scanned tree (tree_scan.ts). */
  scanned: ScannedDir | null = null;
  /** The numbers of the Gofer's answers about single names: found and missing. */
  private hits: number = 0;
  private misses: number = 0;
  /** Leased mode: names that were missing; null: none. */
  private missing: MissingNames | null = null;
  /** A restore did not find one of its names again: their dentries may be wrong. */
  hasLostEntry: boolean = false;

  override get dentriesAreStable(): boolean {
    return this.fs.isOurs && !this.fs.isChangedBehind && !this.hasLostEntry;
  }

  /** Leased mode: a name that was looked up in this epoch needs no request. HOT */
  override relookup(name: string, cached: Inode | null): Inode | number {
    const { fs } = this;
    if (!fs.isLeased || fs.isChangedBehind) return this.lookup(name);
    fs.renewLease();
    return cached !== null && this.isSeen(name, cached) ? cached : this.lookup(name);
  }

  /** Leased mode: whether a lookup in this epoch found that `name` leads to `cached`. */
  isSeen(name: string, cached: Inode | null): boolean {
    const { fs } = this;
    return fs.isLeased && !fs.isChangedBehind && cached instanceof GoferInode &&
      cached.placedIn === fs.epoch && cached.parent === this && cached.entryName === name;
  }

  /** Leased mode: whether `name` was missing in this epoch. */
  private isKnownMissing(name: string): boolean {
    return this.missing !== null && this.missing.has(name, this.fs.epoch);
  }

  private noteMissing(name: string): void {
    if (this.fs.isLeased) (this.missing ??= new MissingNames()).add(name, this.fs.epoch);
  }

  override lookup(name: string): Inode | number {
    const { fetchedNames } = this.fs;
    this.fs.renewLease();
    if (this.isKnownMissing(name)) return -ENOENT;
    if (this.fs.isFresh(fetchedNames.fetchedNs)) {
      const found = fetchedNames.take(this, name);
      if (found === null) this.noteMissing(name);
      if (found !== undefined) return found ?? -ENOENT;
    }
    return this.findListed(name) ?? this.requestLookup(name);
  }

  /** The known entries of the whole directory, in exclusive mode. */
  private get list(): Listing | null {
    const { fs } = this;
    if (!fs.isExclusive) return null;
    const kept = fs.listings.get(this);
    return kept ?? this.cacheListing(fs.trees.fetchedListing(this));
  }

  private cacheListing(list: Listing | null): Listing | null {
    if (list !== null) this.fs.listings.set(this, list);
    return list;
  }

  /** Whether `lookup` of this name needs no request, or should fetch the whole directory. */
  needsNoRequest(name: string, opens: boolean): boolean {
    if (this.isKnownMissing(name)) return true;
    const { list, fs } = this;
    if (list === null) return false;
    const i = list.find(name);
    if (i < 0) return list.isExact;
    if (list.hasAttr(i, fs.changes)) return true;
    if (list.types[i] === DT_DIR) return fs.trees.scannedOf(this)?.child(name)?.isThere ?? false;
    if (!opens || list.isFull || list.bareLookups >= BARE_LOOKUPS) return false;
    if (list.bareLookups === BARE_LOOKUPS - 1) return true;
    list.bareLookups++;
    fs.trees.foundFile();
    return false;
  }

  /** The answer for `name` from the list of all names; undefined: the Gofer has to be asked. */
  private findListed(name: string): GoferInode | number | undefined {
    let list = this.list;
    if (list === null) return undefined;
    let i = list.find(name);
    if (i < 0) return list.isExact ? -ENOENT : undefined;
    const { fs } = this, isDirectory = list.types[i] === DT_DIR;
    if (isDirectory) {
      const attr = fs.trees.scannedOf(this)?.child(name)?.attr() ?? null;
      if (attr !== null) return fs.internCached(attr, this, name);
    } else {
      fs.trees.foundFile();
    }
    if (
      !list.hasAttr(i, fs.changes) && list.wantsAttrs(isDirectory, this.wasRead, fs.trees.scans)
    ) {
      list = this.cacheListing(this.fetchAttrs(list));
      i = list === null ? -1 : list.find(name);
      if (list === null || i < 0) return undefined;
    }
    const target = list.target(i), attr = list.takeAttr(i, fs.changes);
    if (attr === null) return undefined;
    const inode = fs.internCached(attr, this, name);
    if (inode instanceof GoferSymlink) inode.target ??= target;
    return inode;
  }

  private fetchAttrs(list: Listing): Listing | null {
    const { fs } = this;
    const fuller = list.length > MAX_IN_MESSAGE ? null : fs.trees.withAttrs(this);
    if (fuller !== null || !this.wasRead) return fuller;
    const fid = this.bind();
    const all = fid < 0 ? fid : readEntries(fs.client, fid, LIST_ALL, fs.changes);
    if (typeof all === "number") return null;
    all.isExact = list.isExact;
    return all;
  }

  /** Fetches which files in it have no extended attributes: those of one were asked for. */
  wantXattrBits(): void {
    const { fs } = this, list = fs.listings.get(this);
    fs.trees.wantsXattrs = true;
    if (list === null || !list.isFull || list.hasXattrBits) return;
    list.hasXattrBits = true;
    if (list.length <= MAX_IN_MESSAGE) this.cacheListing(fs.trees.withAttrs(this));
  }

  /** Counts requests for single names; after several it fetches the whole directory. */
  private countLookup(isFound: boolean): void {
    if (isFound) this.hits++;
    else this.misses++;
    if (this.hits + this.misses !== PROBE_AFTER || !this.fs.isExclusive) return;
    if (this.fs.listings.get(this) !== null) return;
    this.cacheListing(this.fs.trees.probe(this, this.hits > this.misses));
  }

  private requestLookup(name: string): GoferInode | number {
    const { client } = this.fs, names: string[] = [];
    const from = this.routeForLookup(names);
    if (from < 0) return from;
    names.push(name);
    const n = client.walkGetattr(from, NOFID, names);
    if (n < 0) return n;
    if (n !== names.length) {
      const r = this.walkError();
      if (r === -ENOENT) {
        this.noteMissing(name);
        this.countLookup(false);
      }
      return r;
    }
    const inode = this.fs.intern(client.walk.at(n - 1), this, name);
    if (inode instanceof GoferSymlink) inode.target = client.walk.target.toByteString();
    this.countLookup(true);
    return inode;
  }

  /** Puts the names from a directory with a fid to here into `names`: that fid, or -errno. */
  routeForLookup(names: string[]): number {
    if (this.fid < 0 && ++this.lookups > LOOKUPS_WITHOUT_FID) {
      const r = this.bind();
      if (r < 0) return r;
    }
    return this.route(names);
  }

  /**
   * Fetches the files of `names`, each below the one before, in one request. The lookups that
   * follow find them, and report errors. `opens`: the last one is going to be opened for reading.
   */
  prefetch(names: readonly string[], opens: boolean, account: Account): void {
    const { fs } = this, { client, fetchedNames } = fs, all: string[] = [];
    const isFresh = fs.isFresh(fetchedNames.fetchedNs);
    if (isFresh && fetchedNames.has(this, names[0]!)) return;
    // The second path of a call (rename(2)) keeps what was fetched for the first.
    if (!isFresh || fs.isExclusive || !fetchedNames.hasRoom(names.length)) {
      fetchedNames.clear();
      fetchedNames.fetchedNs = fs.fetchTimeNs;
    }
    const from = this.routeForLookup(all);
    if (from < 0) return;
    const above = all.length;
    const asked = Math.min(names.length, 64 - above);
    for (let i = 0; i < asked; i++) all.push(names[i]!);
    const isWhole = asked === names.length && asked > 0;
    const n = client.walkGetattr(from, NOFID, all, 0, opens && isWhole ? O_RDONLY : OPEN_NONE);
    const fd = client.takeFd();
    const last = n < above ? null : this.takeFetched(all, above, n);
    if (fd < 0) return;
    if (n === all.length && last instanceof GoferRegular) last.adoptReader(fd, false, account);
    else fs.ctx.host.close(fd);
  }

  /** Takes what the last walk found, `all[0, found)`; names from `above` on are below this. */
  private takeFetched(all: readonly string[], above: number, found: number): GoferInode | null {
    const { fs } = this, { walk } = fs.client;
    const dirs: GoferDirectory[] = [this];
    for (let i = above; i < found; i++) {
      const dir = dirs[i - above]!, name = all[i]!;
      const inode = fs.intern(walk.at(i), dir, name);
      fs.fetchedNames.add(dir, name, inode);
      if (inode instanceof GoferDirectory) {
        dirs.push(inode);
        continue;
      }
      const isHere = i === found - 1 && (walk.stop === STOP_SYMLINK || found === all.length);
      if (inode instanceof GoferSymlink && isHere) inode.target = walk.target.toByteString();
      dirs[0]!.countLookup(true);
      return inode;
    }
    if (found < all.length && walk.stop === STOP_ERROR && walk.ecode === ENOENT) {
      fs.fetchedNames.add(dirs[found - above]!, all[found]!, null);
      dirs[found - above]!.countLookup(false);
    }
    return null;
  }

  /** The list of entries, for a reader that starts. */
  entries(): Listing | number {
    const { fs } = this;
    const known = fs.isExclusive
      ? fs.listings.get(this) ?? this.cacheListing(fs.trees.listing(this))
      : null;
    this.wasRead = true;
    if (known !== null) return known;
    const all = this.readAll();
    if (typeof all !== "number" && fs.isExclusive) {
      fs.listings.set(this, all);
      fs.trees.listed(this, all);
    }
    return all;
  }

  private readAll(): Listing | number {
    const { client, changes } = this.fs;
    if (!client.canDonate) {
      const fid = this.bind();
      return fid < 0 ? fid : readListing(client, fid);
    }
    if (this.fid >= 0) return readEntries(client, this.bind(), LIST_DIRS, changes);
    const names: string[] = [], from = this.route(names);
    if (from < 0) return from;
    const newFid = client.fids.take(), { walked } = this.fs;
    walkList(client, from, newFid, names, LIST_DIRS, walked);
    const fid = this.bound(newFid, walked.walked, names.length);
    return fid < 0 ? fid : takeEntries(client, fid, walked.listed, LIST_DIRS, changes);
  }

  override releaseCached(): void {
    this.scanned = null;
    this.fs.listings.drop(this);
  }

  /** This sandbox changed its names: drops what is cached of the directory. */
  private onNamesChanged(): void {
    this.missing = null;
    this.markStale();
    this.fs.onNamesChanged();
    this.fs.listings.drop(this);
  }

  override create(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    if (!this.fs.hasRoomForFile(account)) return -ENFILE;
    const fid = this.bind();
    if (fid < 0) return fid;
    const { client, fids } = this.fs, newFid = client.fids.take();
    let fd = client.createFd(fid, newFid, name, O_RDWR, mode & 0o7777, uid, gid);
    if (fd === -EMFILE && fids.shrink()) {
      fd = client.createFd(fid, newFid, name, O_RDWR, mode & 0o7777, uid, gid);
    }
    if (fd < 0) {
      client.fids.release(newFid);
      return fd;
    }
    this.onNamesChanged();
    const inode = this.fs.intern(client.attr, this, name);
    // The creator of a file often sets its owner, mode and times next, which needs a fid.
    if (inode.fid < 0) {
      inode.adoptFid(newFid);
      fids.add(inode);
    } else {
      client.clunk(newFid);
    }
    if (inode instanceof GoferRegular) inode.adoptWriter(fd, account);
    else this.fs.ctx.host.close(fd);
    return inode;
  }

  override mkdir(name: string, mode: number, uid: number, gid: number): Inode | number {
    return this.make(name, S_IFDIR | (mode & 0o7777), uid, gid, 0, "");
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
    return this.make(name, mode, uid, gid, rdev, "");
  }

  override bindListener(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    const { fs } = this, fid = this.bind();
    if (fid < 0) return fid;
    const fd = bindFd(fs.client, fid, name, mode, uid, gid);
    if (fd === -EOPNOTSUPP) return this.mknod(name, mode, 0, uid, gid, account);
    if (fd < 0) return fd;
    this.onNamesChanged();
    const inode = fs.intern(fs.client.attr, this, name);
    if (inode instanceof GoferNode) inode.keepListener(fd);
    else fs.ctx.host.close(fd);
    return inode;
  }

  override symlink(name: string, target: string, uid: number, gid: number): Inode | number {
    const inode = this.make(name, 0o120777, uid, gid, 0, target);
    if (inode instanceof GoferSymlink) inode.target = target;
    return inode;
  }

  private make(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    rdev: number,
    target: string,
  ): GoferInode | number {
    const fid = this.bind();
    if (fid < 0) return fid;
    const { client } = this.fs, major = majorOf(rdev), minor = minorOf(rdev);
    const r = client.make(fid, NOFID, name, mode, uid, gid, major, minor, target);
    if (r < 0) return r;
    this.onNamesChanged();
    return this.fs.intern(client.attr, this, name);
  }

  override link(name: string, target: Inode): number {
    if (!(target instanceof GoferInode) || target.fs !== this.fs) return -EXDEV;
    const dirFid = this.bind();
    if (dirFid < 0) return dirFid;
    const fid = target.bind();
    if (fid < 0) return fid;
    const r = this.fs.client.link(dirFid, fid, name);
    if (r < 0) return r;
    this.onNamesChanged();
    target.nlink++;
    target.markStale();
    if (!target.hasPlace) target.setEntry(this, name);
    return 0;
  }

  override unlink(name: string, target: Inode): number {
    return this.remove(name, target, 0);
  }
  override rmdir(name: string, target: Inode): number {
    return this.remove(name, target, UNLINK_REMOVEDIR);
  }

  private remove(name: string, target: Inode, flags: number): number {
    const fid = this.bind();
    if (fid < 0) return fid;
    if (target instanceof GoferInode) target.prepareToLose();
    const r = this.fs.client.unlink(fid, name, flags);
    if (r < 0) return r;
    this.onNamesChanged();
    loseName(target, this, name);
    return 0;
  }

  override rename(
    name: string,
    source: Inode,
    newDir: Inode,
    newName: string,
    target: Inode | null,
    flags: number,
  ): number {
    if (!(newDir instanceof GoferDirectory) || newDir.fs !== this.fs) return -EXDEV;
    const from = this.bind();
    if (from < 0) return from;
    const to = newDir.bind();
    if (to < 0) return to;
    const isExchange = (flags & RENAME_EXCHANGE) !== 0;
    if (target instanceof GoferInode && !isExchange) target.prepareToLose();
    const r = this.fs.client.rename(from, name, to, newName, flags);
    if (r < 0) return r;
    this.onNamesChanged();
    newDir.onNamesChanged();
    if (isExchange) {
      if (target instanceof GoferInode) target.onRenamed(this, name);
    } else if (target !== null) {
      loseName(target, newDir, newName);
    }
    if (source instanceof GoferInode) source.onRenamed(newDir, newName);
    return 0;
  }

  override tmpfile(
    mode: number,
    uid: number,
    gid: number,
    linkable: boolean,
    account: Account,
  ): Inode | number {
    const dirFid = this.bind();
    if (dirFid < 0) return dirFid;
    if (!this.fs.hasRoomForFile(account)) return -ENFILE;
    const { client } = this.fs, fid = client.fids.take();
    const flags = O_RDWR | O_TMPFILE | O_DIRECTORY | (linkable ? 0 : O_EXCL);
    const fd = client.createFd(dirFid, fid, "", flags, mode & 0o7777, uid, gid);
    if (fd < 0) {
      client.fids.release(fid);
      return fd;
    }
    const inode = this.fs.intern(client.attr, null, "");
    inode.adoptFid(fid);
    this.fs.fids.add(inode);
    if (inode instanceof GoferRegular) {
      inode.isUnnamed = linkable;
      inode.adoptWriter(fd, account);
    } else {
      this.fs.ctx.host.close(fd);
    }
    return inode;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new GoferDirFile(account, this, flags);
  }
}

function loseName(target: Inode, dir: GoferDirectory, name: string): void {
  if (target instanceof GoferDirectory) target.nlink = 1;
  if (target instanceof GoferInode) target.loseName(dir, name);
}
