/**
 * A file system that a Gofer serves: one root of one connection. It has the table of inodes,
 * decides how a request names a file (a fid, or names from a directory with a fid), and which
 * fetched answers may still be used.
 *
 * Three modes. Exclusive: no other program changes the files, so what was fetched stays true until
 * this sandbox changes it. Leased: others rarely change the files, so what was fetched counts for a
 * limited time, an epoch; after that each name is fetched once more. Shared: every call fetches
 * names and attributes.
 *
 * Neighbours: gofer_inode.ts (all inodes), directory.ts, regular.ts, idle_files.ts (donated
 * descriptors). oci/boot/rootfs/file_systems.ts attaches it.
 */

import { EIO, ESTALE } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import { OVERLAYFS_SUPER_MAGIC, V9FS_MAGIC } from "../../../ffi/abi/statfs.ts";
import { type Attr, type GoferClient, NOFID } from "../../../gofer/client/gofer_client.ts";
import type { Account } from "../../core/account.ts";
import { descriptorShare, HostDescriptors } from "../../core/host_descriptors.ts";
import { HOST_FILES } from "../../core/quota.ts";
import type { MemoryContext } from "../../mm/memory_context.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import { FileSystem, type Inode, type StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import type { WalkedList } from "../../../gofer/client/listing.ts";
import { FetchedNames } from "./fetched_names.ts";
import { GoferDirectory } from "./directory.ts";
import type { DonatedFile } from "./donated_file.ts";
import { FidCache } from "./fid_cache.ts";
import { GoferInode } from "./gofer_inode.ts";
import { CLOSE_WHEN_SHORT, IdleFiles } from "./idle_files.ts";
import { ListingCache } from "./listing.ts";
import { GoferNode, GoferSymlink } from "./nodes.ts";
import { OpenAhead } from "./open_ahead.ts";
import { GoferRegular } from "./regular.ts";
import { splitNames } from "./split_names.ts";
import { TreeScan } from "./tree_scan.ts";

/** LIMIT: in a shared file system, what was fetched at most this long ago counts as current, ns. */
const FRESH_NS = 1_000_000;
/** The number of inodes without users above which they are swept. */
const MAX_UNHELD = 512;
/** The most names of one walk. */
const MAX_NAMES = 64;

export interface GoferOptions {
  /** Only this sandbox changes the files. */
  readonly isExclusive: boolean;
  /** Leased mode: exclusive for this many ns. Default: without end. */
  readonly leaseNs?: number;
  /** Host descriptors that are kept without an open file; default 512. */
  readonly maxIdleFiles?: number;
}

export class GoferFs extends FileSystem {
  override readonly type = "9p";
  override readonly root: GoferInode;
  private readonly vfs: Vfs;
  /** The connection; another one after a restore (`startOver`). */
  client: GoferClient;
  /** The name of the root that it attached to. */
  readonly attachName: string;
  readonly ctx: MemoryContext;
  readonly isExclusive: boolean;
  /** 0: what was fetched never expires. */
  private readonly leaseNs: number;
  /** Counts leases; what was fetched in an earlier epoch does not count. */
  epoch: number = 0;
  private epochNs: number = 0;
  /**
   * It is an overlayfs of the host: the first change of a file makes a copy, with a new birth time.
   */
  copiesUp: boolean;
  fetchedNames: FetchedNames = new FetchedNames();
  fids: FidCache;
  idle: IdleFiles;
  /** The accounts of host descriptors of files, */
  descriptors: HostDescriptors;
  /** and those that are open, idle ones too. */
  readonly donated: Set<DonatedFile> = new Set();
  listings: ListingCache = new ListingCache();
  /** Counts this sandbox's changes of files: attributes that were fetched before may be wrong. */
  changes: number = 0;
  /** The results of the walk that starts the reading of a directory. */
  readonly walked: WalkedList = { walked: 0, listed: 0 };
  trees: TreeScan = new TreeScan(this);
  opens: OpenAhead = new OpenAhead(this);
  /** The arena offset of a page for struct iovec arrays, used within one call. */
  private readonly iovFrame: number;
  rootFid: number;
  private readonly inodes: Map<number | string, GoferInode> = new Map();
  private unheld: GoferInode[] = [];

  private constructor(
    client: GoferClient,
    name: string,
    vfs: Vfs,
    ctx: MemoryContext,
    rootFid: number,
    copiesUp: boolean,
    options: GoferOptions,
  ) {
    super(vfs.devices);
    this.vfs = vfs;
    this.isStored = true;
    this.copiesUp = copiesUp;
    this.client = client;
    this.attachName = name;
    this.ctx = ctx;
    this.isExclusive = options.isExclusive;
    this.leaseNs = options.leaseNs ?? 0;
    this.iovFrame = ctx.frames.alloc(1);
    this.rootFid = rootFid;
    this.descriptors = new HostDescriptors(HOST_FILES, descriptorShare(ctx.host.fileLimit));
    this.fids = new FidCache(client);
    this.idle = new IdleFiles(ctx, options.maxIdleFiles ?? 512);
    this.root = this.intern(client.walk.at(0), null, "");
    this.root.adoptFid(rootFid);
    this.root.hold();
    vfs.served.add(this);
  }

  /** The host address of the page. HOT */
  get iov(): number {
    return this.ctx.arena.base + this.iovFrame;
  }

  /**
   * True if the account may hold a further host descriptor, perhaps after idle ones were closed:
   * its own, then those of its user, then those of its container.
   */
  hasRoomForFile(account: Account): boolean {
    let within: Account | null = account;
    do {
      if (this.descriptors.hasRoom(account)) return true;
      this.idle.closeOldest(CLOSE_WHEN_SHORT, within);
      within = within.parent;
    } while (within !== null && within.parent !== null);
    return this.descriptors.hasRoom(account);
  }

  /** Attaches to the root named `name` ("0", "1", ...) of a started connection; or -errno. */
  static attach(
    client: GoferClient,
    name: string,
    vfs: Vfs,
    ctx: MemoryContext,
    options: GoferOptions,
  ): GoferFs | number {
    const fid = attachRoot(client, name);
    const copiesUp = isOverlay(client);
    return fid < 0 ? fid : new GoferFs(client, name, vfs, ctx, fid, copiesUp, options);
  }

  /**
   * Begins with a connection on which only the root has a fid (`attachRoot`): drops what the Gofer
   * answered, and the host's descriptors without users. Nothing of the old connection is closed: it
   * ended with its process. reconnect.ts makes the objects that are in use work again.
   */
  startOver(client: GoferClient, rootFid: number): void {
    this.fids.clear();
    this.client = client;
    this.rootFid = rootFid;
    this.copiesUp = isOverlay(client);
    this.fids = new FidCache(client);
    this.fetchedNames = new FetchedNames();
    this.listings = new ListingCache();
    this.trees = new TreeScan(this);
    this.opens = new OpenAhead(this);
    this.epoch++;
    this.epochNs = 0;
    this.changes++;
    this.chargeAgain();
    for (const inode of this.inodes.values()) inode.forgetFetched();
    for (const file of this.donated) file.inode.forgetFetched();
    this.root.adoptFid(rootFid);
  }

  /** Counts the descriptors in use by this host's limit, and drops the others. */
  private chargeAgain(): void {
    const before = this.descriptors;
    this.descriptors = new HostDescriptors(HOST_FILES, descriptorShare(this.ctx.host.fileLimit));
    this.idle = new IdleFiles(this.ctx, this.idle.max);
    for (const file of this.donated) {
      before.give(file.account);
      if (file.users > 0) {
        this.descriptors.add(file.account);
        if (file.isDirty) this.idle.addDirty(file);
      } else {
        this.donated.delete(file);
        file.inode.onClosed(file);
      }
    }
  }

  /** The inodes that a dentry or an open file refers to. */
  heldInodes(): GoferInode[] {
    return [...this.inodes.values()].filter((inode) => inode.refs > 0 || inode.isInUse);
  }

  hasInTable(inode: GoferInode): boolean {
    return this.inodes.get(inode.key) === inode;
  }

  /** For the inodes of a copy. */
  addToTable(inode: GoferInode): void {
    this.inodes.set(inode.key, inode);
  }

  /** Forgets all inodes but these. */
  forgetOthers(kept: ReadonlySet<GoferInode>): void {
    for (const inode of [...this.inodes.values()]) {
      if (!kept.has(inode)) this.forget(inode);
    }
    this.unheld = this.unheld.filter((inode) => kept.has(inode));
  }

  /** The file of these attributes is what `inode` stands for from now on. */
  adopt(inode: GoferInode, attr: Attr): void {
    this.unmap(inode);
    inode.key = keyOf(attr);
    this.inodes.set(inode.key, inode);
    inode.adopt(attr);
  }

  /** Leased mode: others may change the files, though rarely. */
  get isLeased(): boolean {
    return this.leaseNs > 0;
  }
  /** Exclusive mode without end: only this sandbox changes the files, so sizes are known. */
  get isOurs(): boolean {
    return this.isExclusive && this.leaseNs === 0;
  }

  /** The present time for `isFresh`; in exclusive and leased mode the epoch. */
  get fetchTimeNs(): number {
    return this.isExclusive ? this.epoch : this.ctx.host.monotonicNs();
  }

  /** Called before a name is used: starts a new epoch when the lease is over. HOT */
  renewLease(): void {
    if (this.leaseNs === 0) return;
    const now = this.ctx.host.monotonicNs();
    if (now - this.epochNs < this.leaseNs) return;
    this.epochNs = now;
    this.expire();
  }

  override expire(): void {
    if (this.leaseNs === 0) return;
    this.epoch++;
    this.changes++;
    this.fetchedNames.clear();
    this.listings.clear();
  }

  /** Whether an answer that was fetched at that time is still current. */
  isFresh(fetchedNs: number): boolean {
    if (this.isExclusive) return fetchedNs === this.epoch;
    return this.ctx.host.monotonicNs() - fetchedNs < FRESH_NS;
  }

  /** The inode of these attributes, which it takes over; it was found as `name` in `parent`. */
  intern(attr: Attr, parent: GoferDirectory | null, name: string): GoferInode {
    const key = keyOf(attr);
    let inode = this.inodes.get(key);
    if (inode === undefined || !inode.isSameFile(attr)) {
      inode = this.makeInode(attr);
      inode.key = key;
      this.inodes.set(key, inode);
      if (this.unheld.push(inode) > MAX_UNHELD) this.sweep();
    }
    inode.takeAttributes(attr);
    if (parent !== null) inode.setEntry(parent, name);
    return inode;
  }

  /**
   * As `intern`, for attributes that were fetched a while ago: an inode in use has better ones and
   * keeps them.
   */
  internCached(attr: Attr, parent: GoferDirectory, name: string): GoferInode {
    const inode = this.inodes.get(keyOf(attr));
    if (inode === undefined || !inode.isSameFile(attr)) return this.intern(attr, parent, name);
    if (!inode.isCurrent) inode.takeAttributes(attr);
    inode.setEntry(parent, name);
    return inode;
  }

  private makeInode(attr: Attr): GoferInode {
    switch (attr.mode & S_IFMT) {
      case S_IFDIR:
        return new GoferDirectory(this, attr);
      case S_IFREG:
        return new GoferRegular(this, attr);
      case S_IFLNK:
        return new GoferSymlink(this, attr);
      default:
        return new GoferNode(this, attr);
    }
  }

  /** Forgets inodes that were only looked up. */
  private sweep(): void {
    const list = this.unheld;
    this.unheld = [];
    const keep = Math.max(0, list.length - MAX_NAMES);
    for (let i = 0; i < list.length; i++) {
      const inode = list[i]!;
      if (inode.refs > 0 || inode.isForgotten) continue;
      // The newest ones may be about to get a dentry.
      if (i >= keep || inode.isInUse) this.unheld.push(inode);
      else this.forget(inode);
    }
  }

  /**
   * Forgets an inode without users and gives back its fid and descriptors. The file gets another
   * object when it is found again.
   */
  forget(inode: GoferInode): void {
    if (inode.isForgotten) return;
    inode.isForgotten = true;
    this.unmap(inode);
    inode.releaseCached();
    this.fids.drop(inode);
  }

  /** Removes a file without names from the table: the host may reuse its number. */
  unmap(inode: GoferInode): void {
    if (this.inodes.get(inode.key) === inode) this.inodes.delete(inode.key);
  }

  /** This sandbox changed names: drops the answers that were fetched ahead. */
  onNamesChanged(): void {
    this.fetchedNames.clear();
  }

  /** Fetches the rest of the path when the walk needs more than one name of it. */
  override walkAhead(
    dir: Inode,
    path: string,
    from: number,
    opens: boolean,
    cached: Dentry | null,
    account: Account,
  ): number {
    if (!(dir instanceof GoferDirectory)) return 0;
    this.renewLease();
    if (cached !== null && dir.isSeen(cached.name, cached.inode)) return 0;
    const names = splitNames(path, from, MAX_NAMES);
    const wantsFd = opens && (cached === null || lacksReader(cached, names));
    const isWorth = wantsFd ? names.length > 0 : names.length > 1;
    if (isWorth && !dir.needsNoRequest(names[0]!, wantsFd)) dir.prefetch(names, wantsFd, account);
    return 0;
  }

  override statfs(out: StatFs): number {
    const r = this.client.statfs(this.rootFid);
    if (r < 0) return r;
    const s = this.client.statfsResult;
    out.type = s.fsType === 0 ? V9FS_MAGIC : s.fsType;
    out.blockSize = s.bsize;
    out.blocks = s.blocks;
    out.blocksFree = s.bfree;
    out.blocksAvailable = s.bavail;
    out.files = s.files;
    out.filesFree = s.ffree;
    out.nameMax = s.namelen;
    out.fsid = this.dev;
    return 0;
  }

  /** One file stands for the connection if that is lost. */
  override get unsyncedFiles(): number {
    return this.client.dead ? 1 : this.idle.dirtyCount;
  }
  override syncFile(): number {
    return this.client.dead ? -EIO : this.idle.syncFirst();
  }

  override destroy(): void {
    this.vfs.served.delete(this);
    for (const inode of [...this.inodes.values()]) {
      if (inode !== this.root) this.forget(inode);
    }
    this.root.releaseCached();
    this.fids.destroy();
    this.client.clunk(this.rootFid);
    this.ctx.frames.release(this.iovFrame, 1);
  }

  /**
   * Whether `attr`, which a walk found, is that of `inode`: 0, or -ESTALE when the name leads to
   * another file.
   */
  checkSame(inode: GoferInode, attr: Attr): number {
    return inode.isSameFile(attr) ? 0 : -ESTALE;
  }
}

/**
 * Attaches to a root of a started connection: its fid, with its attributes in `client.walk` and its
 * file system in `client.statfsResult`; or -errno.
 */
export function attachRoot(client: GoferClient, name: string): number {
  const fid = client.fids.take();
  let r = client.attach(fid, name);
  if (r < 0) {
    client.fids.release(fid);
    return r;
  }
  r = client.statfs(fid);
  if (r < 0) client.statfsResult.fsType = 0;
  r = client.walkGetattr(fid, NOFID, []);
  if (r >= 0) return fid;
  client.clunk(fid);
  return r;
}

function isOverlay(client: GoferClient): boolean {
  return client.statfsResult.fsType === OVERLAYFS_SUPER_MAGIC;
}

/**
 * Whether the file of `names`, from a cached dentry on, may be a regular file without a descriptor
 * for reading.
 */
function lacksReader(first: Dentry, names: readonly string[]): boolean {
  let dentry: Dentry | undefined = first;
  for (let i = 1; i < names.length && dentry !== undefined; i++) {
    dentry = dentry.children?.get(names[i]!);
  }
  const inode = dentry?.inode ?? null;
  return inode === null || (inode instanceof GoferRegular && !inode.hasReader);
}

/** The key of an inode in the table: its number, if that is exact as a JavaScript number. */
function keyOf(attr: Attr): number | string {
  const { pathLo, pathHi } = attr.qid;
  return pathHi < 0x200000 ? pathHi * 0x100000000 + pathLo : `${pathHi}:${pathLo}`;
}
