/**
 * Traverses a tree of directories with few requests. A program that reads a directory, and then the
 * directories in it, is going to read the next ones too: one request fetches them, as many as fit a
 * message, in the order of the traversal. If the program looks up files on the way, their
 * attributes are fetched too.
 *
 * The answers are true while nothing changes, so only an exclusive file system keeps them, and any
 * change by this sandbox drops them. Neighbours: scanned_dir.ts (the answers), listing.ts,
 * directory.ts.
 */

import { DT_DIR } from "../../../ffi/abi/dirent.ts";
import { EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import {
  scan,
  SCAN_ATTRS,
  SCAN_DEEP,
  SCAN_PATHS_MAX,
  SCAN_ROOT,
  SCAN_SORTED,
  SCAN_XATTRS,
  ScanBlocks,
} from "../../../gofer/client/scan.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./gofer_fs.ts";
import type { Listing } from "./listing.ts";
import { ScanBatch, ScannedDir, ScannedTree } from "./scanned_dir.ts";

/**
 * LIMIT: bytes of replies that are kept, and bytes of unread ones at which no more is fetched
 * ahead.
 */
const MAX_BYTES = 4 << 20, MAX_AHEAD_BYTES = 2 << 20;
/** LIMIT: directories in the plan of those to be read next. */
const MAX_PENDING = 8192;
/** LIMIT: directories whose place in the tree is kept. */
const MAX_DIRS = 65536;
/**
 * The entries that the first deep scan asks for; each further scan asks for more, up to the
 * server's limit.
 */
const FIRST_ENTRIES = 512, ENTRIES_STEP = 4, MAX_ENTRIES = 16384;
/** The directories that are read below one that was read, before the reads count as a traversal. */
const DEEP_AFTER = 2;
/**
 * The directories that are fetched alone because much is unread, after which the oldest reply is
 * dropped.
 */
const STALLS_MAX = 16;
/** The siblings that it takes to tell whether directories are read in the order of their names. */
const SIBLINGS_MIN = 4;
/** The bytes of a scan of one directory that was not read, with and without attributes. */
const PROBE_BYTES = 65536, PROBE_NAMES_BYTES = 131072;
/** The lookups of files after which attributes are fetched, */
const FILES_WANTED = 2;
/** and the directories with files that are read without such a lookup before that ends. */
const QUIET_DIRS = 8;
/** LIMIT: bytes of a path that is scanned. */
const MAX_PATH = 4000;

/** A directory that was found in another one and not read yet. */
interface Pending {
  readonly owner: ScannedDir;
  readonly name: string;
  readonly path: string;
}

export class TreeScan {
  private readonly fs: GoferFs;
  private tree: ScannedTree = new ScannedTree(0);
  private batches: ScanBatch[] = [];
  /** The plan: directories to be read next, the first at the end. */
  private pending: Pending[] = [];
  private entries: number = FIRST_ENTRIES;
  /** The directories read in a row that were found in one that was read before. */
  private streak: number = 0;
  private filesFound: number = 0;
  private quietDirs: number = 0;
  /** The program reads directories in the order of their names. */
  private isSorted: boolean = false;
  /** The number of the present traversal. */
  private run: number = 0;
  private last: ScanBatch | null = null;
  /** The requests so far. */
  scans: number = 0;
  private stalls: number = 0;
  /** An extended attribute of a listed file was asked for. */
  wantsXattrs: boolean = false;
  private isRefused: boolean = false;

  constructor(fs: GoferFs) {
    this.fs = fs;
  }

  /** Drops all answers. */
  private clear(): void {
    for (const batch of this.batches) batch.reply = null;
    this.batches = [];
    this.tree = new ScannedTree(this.fs.changes);
    this.begin();
  }

  /** The scanned directory of `dir`; null: it was not scanned. */
  scannedOf(dir: GoferDirectory): ScannedDir | null {
    if (this.tree.changes !== this.fs.changes) this.clear();
    // The directories that have no place in this tree yet, up to one that has.
    const way: GoferDirectory[] = [];
    let above: GoferDirectory | null = dir;
    while (above !== null && above.scanned?.tree !== this.tree) {
      way.push(above);
      above = above.parent;
    }
    let scanned = above?.scanned ?? null;
    for (let d = way.pop(); d !== undefined; d = way.pop()) {
      scanned = d.scanned = scanned?.child(d.entryName) ?? null;
    }
    return scanned;
  }

  private placeOf(dir: GoferDirectory): ScannedDir {
    const way: GoferDirectory[] = [];
    let above: GoferDirectory | null = dir, scanned = this.scannedOf(dir);
    while (scanned === null && above !== null) {
      way.push(above);
      above = above.parent;
      scanned = above === null ? null : this.scannedOf(above);
    }
    for (let d = way.pop(); d !== undefined; d = way.pop()) {
      scanned = d.scanned = scanned?.addChild(d.entryName) ?? new ScannedDir(this.tree);
    }
    return scanned ?? new ScannedDir(this.tree);
  }

  /** Records that a listed file was looked up. */
  foundFile(): void {
    this.filesFound++;
    this.quietDirs = 0;
  }

  private get wantsAttrs(): boolean {
    return this.filesFound >= FILES_WANTED || this.wantsXattrs;
  }

  private countFiles(list: Listing): void {
    if (list.types.every((t) => t === DT_DIR) || ++this.quietDirs < QUIET_DIRS) return;
    this.filesFound = 0;
  }

  /**
   * The entries of a directory that is read; null: the caller has to ask in another way. Not in
   * shared mode.
   */
  listing(dir: GoferDirectory): Listing | null {
    let scanned = this.scannedOf(dir);
    if (scanned === null || !scanned.isThere || !this.isEnough(scanned)) {
      const wasPlanned = scanned !== null && scanned.isThere;
      scanned = this.fetch(dir, wasPlanned, this.wantsAttrs ? SCAN_ATTRS : 0) ?? scanned;
    } else {
      this.streak++;
    }
    const list = scanned === null ? null : this.takeListing(dir, scanned);
    if (list !== null) this.countFiles(list);
    return list;
  }

  private isEnough(scanned: ScannedDir): boolean {
    if (!this.wantsAttrs) return true;
    return scanned.hasAttrs && (scanned.hasXattrBits || !this.wantsXattrs);
  }

  /** The entries that were fetched already, for a lookup. */
  fetchedListing(dir: GoferDirectory): Listing | null {
    const scanned = this.scannedOf(dir);
    return scanned === null ? null : this.takeListing(dir, scanned);
  }

  /**
   * Fetches the whole directory again, with attributes: files in it are looked up one after the
   * other.
   */
  withAttrs(dir: GoferDirectory): Listing | null {
    const scanned = this.fetch(dir, true, SCAN_ATTRS, false);
    return scanned === null ? null : this.takeListing(dir, scanned);
  }

  /**
   * Fetches a directory in which names are looked up and that is not read: its entries if they are
   * few.
   */
  probe(dir: GoferDirectory, withAttrs: boolean): Listing | null {
    const path = pathOf(dir);
    if (path === null || this.isRefused) return null;
    const scanned = this.placeOf(dir);
    this.request(
      [{ owner: scanned, name: "", path }],
      scanned,
      withAttrs ? SCAN_ATTRS : 0,
      1,
      withAttrs ? PROBE_BYTES : PROBE_NAMES_BYTES,
      false,
    );
    return this.takeListing(dir, scanned);
  }

  private takeListing(dir: GoferDirectory, scanned: ScannedDir): Listing | null {
    const attr = scanned.attr();
    if (attr === null || !dir.isSameFile(attr)) return null;
    return scanned.takeListing(dir.ino, (dir.parent ?? dir).ino);
  }

  /**
   * Fetches a directory and what fits behind it. `plans`: the directories in it are going to be
   * read.
   */
  private fetch(
    dir: GoferDirectory,
    wasPlanned: boolean,
    attrs: number,
    plans: boolean = true,
  ): ScannedDir | null {
    const path = pathOf(dir);
    if (path === null || this.isRefused) return null;
    if (this.tree.size > MAX_DIRS) this.clear();
    if (this.removePending(path) || wasPlanned) this.streak++;
    else this.begin();
    const scanned = this.placeOf(dir);
    const roots: Pending[] = [{ owner: scanned, name: "", path }];
    let flags = attrs | (this.wantsXattrs ? SCAN_XATTRS : 0), entries = 1;
    if (this.streak >= DEEP_AFTER) {
      flags |= SCAN_DEEP | (this.isSorted ? SCAN_SORTED : 0);
      entries = this.entriesToAsk();
      const more = this.bytesAhead() < MAX_AHEAD_BYTES ? SCAN_PATHS_MAX : 0;
      while (roots.length < more && this.pending.length > 0) roots.push(this.pending.pop()!);
    }
    this.request(roots, scanned, flags, entries, Infinity, plans);
    return scanned;
  }

  /** Starts another traversal. */
  private begin(): void {
    this.streak = 0;
    this.pending = [];
    this.isSorted = false;
    this.wantsXattrs = false;
    this.entries = FIRST_ENTRIES;
    this.last = null;
    this.run++;
  }

  /** The entries to ask for: more each time, if most of the last reply was read. */
  private entriesToAsk(): number {
    const { last } = this;
    if (this.bytesAhead() >= MAX_AHEAD_BYTES) {
      if (++this.stalls % STALLS_MAX === 0) this.dropOldest();
      return FIRST_ENTRIES;
    }
    if (last !== null && last.unread * 2 <= last.blocks) {
      this.entries = Math.min(this.entries * ENTRIES_STEP, MAX_ENTRIES);
    }
    return this.entries;
  }

  private dropOldest(): void {
    const oldest = this.batches.find((b) => b.run === this.run && b.reply !== null);
    if (oldest !== undefined) oldest.reply = null;
  }

  /** About how many bytes of this traversal are not read yet. */
  private bytesAhead(): number {
    let bytes = 0;
    for (const b of this.batches) {
      if (b.run === this.run && b.reply !== null) bytes += b.bytes * b.unread / b.blocks;
    }
    return bytes;
  }

  /** Takes a directory out of the plan; returns whether it was there. */
  private removePending(path: string): boolean {
    for (let i = this.pending.length - 1; i >= 0; i--) {
      const found = this.pending[i]!;
      if (found.path !== path) continue;
      this.pending.splice(i, 1);
      if (i < this.pending.length && !this.isSorted) this.judgeOrder(found);
      return true;
    }
    return false;
  }

  /**
   * A directory was read before its turn: if it is the first of its siblings by name, the program
   * reads in the order of names.
   */
  private judgeOrder(found: Pending): void {
    let siblings = 0;
    for (const p of this.pending) {
      if (p.owner !== found.owner) continue;
      if (p.name < found.name) return;
      siblings++;
    }
    if (siblings < SIBLINGS_MIN) return;
    this.isSorted = true;
    this.pending.sort((a, b) => a.path < b.path ? 1 : -1);
  }

  private bytesKept(): number {
    let bytes = 0;
    this.batches = this.batches.filter((b) => b.reply !== null);
    for (const batch of this.batches) bytes += batch.bytes;
    return bytes;
  }

  /** Makes one request; `first` gets the block of the first root. */
  private request(
    roots: readonly Pending[],
    first: ScannedDir,
    flags: number,
    entries: number,
    bytes: number,
    plans: boolean,
  ): void {
    this.scans++;
    const { client, rootFid } = this.fs;
    const reply = scan(client, rootFid, roots.map((p) => p.path), flags, entries, bytes);
    if (typeof reply === "number") {
      if (reply === -EOPNOTSUPP) this.isRefused = true;
      return;
    }
    const batch = new ScanBatch(reply, this.run);
    this.takeBlocks(batch, roots, first, plans);
    if (batch.unread === 0) return;
    batch.blocks = batch.unread;
    this.batches.push(batch);
    this.last = batch;
    while (this.bytesKept() > MAX_BYTES) this.batches.shift()!.reply = null;
  }

  /**
   * Puts every block at its place in the tree, and the directories that are left to read into the
   * plan.
   */
  private takeBlocks(
    batch: ScanBatch,
    roots: readonly Pending[],
    first: ScannedDir,
    plans: boolean,
  ): void {
    const { bytes, view } = batch.reply!;
    /**
     * For each block its directories by entry number, without those that have a block themselves.
     */
    const below: Map<number, Pending>[] = [];
    const left: (Pending | null)[] = [...roots];
    let own: Map<number, Pending> | null = null;
    left[0] = null;
    blocks.open(bytes, view, 0, bytes.length);
    while (blocks.nextBlock()) {
      const { parent, index } = blocks;
      const pending = parent === SCAN_ROOT ? roots[index] : below[parent]?.get(index);
      const found: Map<number, Pending> = new Map();
      below.push(found);
      if (parent === SCAN_ROOT && index === 0) own = found;
      // The server sent a block twice, or below a file that is no directory.
      if (pending === undefined) continue;
      if (parent === SCAN_ROOT) left[index] = null;
      else below[parent]!.delete(index);
      const dir = pending === roots[0] ? first : pending.owner.addChild(pending.name);
      dir.fill(batch, blocks);
      while (blocks.nextEntry()) {
        if (!blocks.isDirectory) continue;
        const name = blocks.name.toByteString();
        const path = pending.path === "" ? name : `${pending.path}/${name}`;
        found.set(blocks.entry, { owner: dir, name, path });
      }
    }
    for (let i = left.length - 1; i > 0; i--) if (left[i] !== null) this.addPending(left[i]!);
    if (!plans) own?.clear();
    for (const found of below) {
      const dirs = [...found.values()];
      if (this.isSorted) dirs.sort((a, b) => a.name < b.name ? -1 : 1);
      for (let i = dirs.length - 1; i >= 0; i--) this.addPending(dirs[i]!);
    }
  }

  private addPending(pending: Pending): void {
    this.pending.push(pending);
    if (this.pending.length > 2 * MAX_PENDING) this.pending.splice(0, MAX_PENDING);
  }

  /** Records that a directory was read in another way: plans the directories in it. */
  listed(dir: GoferDirectory, list: Listing): void {
    const path = pathOf(dir);
    if (path === null) return;
    this.countFiles(list);
    const owner = this.placeOf(dir);
    for (let i = list.length - 1; i >= 0; i--) {
      const name = list.names[i]!;
      if (list.types[i] !== DT_DIR || name === "." || name === "..") continue;
      this.addPending({ owner, name, path: path === "" ? name : `${path}/${name}` });
    }
  }
}

const blocks = new ScanBlocks();

/** The directory's path from the root of the file system; null when it is not known or too long. */
function pathOf(dir: GoferDirectory): string | null {
  if (dir.parent === null) return dir === dir.fs.root ? "" : null;
  const text = dir.pathText;
  return text.length > MAX_PATH ? null : text.substring(1);
}
