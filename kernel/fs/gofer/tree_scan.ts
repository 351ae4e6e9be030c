/**
 * Going through a tree with few requests. Who reads a directory, and then the directories in it, is going to read what
 * comes next: one request brings that too, as far as it fits a message, in the order in which trees are gone through.
 * Whether files are looked at on the way decides whether their attributes come along.
 *
 * What was fetched is true as long as nobody changes anything, so only an exclusive file system keeps it, and any change
 * of ours throws it away. Neighbours: scanned_dir.ts, listing.ts, directory.ts, scan.ts (one large directory).
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

/** LIMIT: bytes of replies that are kept, and how many unread ones stop fetching further ahead. */
const MAX_BYTES = 4 << 20, MAX_AHEAD_BYTES = 2 << 20;
/** LIMIT: directories that are remembered as to be read next. */
const MAX_PENDING = 8192;
/** LIMIT: directories whose place in the tree is remembered. */
const MAX_DIRS = 65536;
/** Entries that the first deep scan asks for; each further one asks for more, up to the server's limit. */
const FIRST_ENTRIES = 512, ENTRIES_STEP = 4, MAX_ENTRIES = 16384;
/** Directories read below one that was read before it looks like a tree being gone through. */
const DEEP_AFTER = 2;
/** Directories fetched by themselves because much was fetched that is not read; then some of it goes. */
const STALLS_MAX = 16;
/** Directories beside one that tell whether it is the first by name. */
const SIBLINGS_MIN = 4;
/** Bytes of a scan of one directory that nobody listed. */
const PROBE_BYTES = 65536, PROBE_NAMES_BYTES = 131072;
/** Files looked up in directories that were read that make attributes worth fetching, */
const FILES_WANTED = 2;
/** and directories with files read without a look at one that end it. */
const QUIET_DIRS = 8;
/** LIMIT: bytes of a path that is scanned. */
const MAX_PATH = 4000;

/** A directory that was seen in another one and not read yet. */
interface Pending {
  readonly owner: ScannedDir;
  readonly name: string;
  readonly path: string;
}

export class TreeScan {
  private readonly fs: GoferFs;
  private tree: ScannedTree = new ScannedTree(0);
  private batches: ScanBatch[] = [];
  /** The next one is the last. */
  private pending: Pending[] = [];
  private entries: number = FIRST_ENTRIES;
  /** Directories read in a row that were seen in one that was read before. */
  private streak: number = 0;
  private filesFound: number = 0;
  private quietDirs: number = 0;
  /** Directories are read in the order of their names. */
  private isSorted: boolean = false;
  /** Number of the tree that is being gone through. */
  private run: number = 0;
  private last: ScanBatch | null = null;
  /** Requests so far. */
  scans: number = 0;
  private stalls: number = 0;
  /** Somebody asked for extended attributes of a file that was listed. */
  wantsXattrs: boolean = false;
  private isRefused: boolean = false;

  constructor(fs: GoferFs) {
    this.fs = fs;
  }

  /** Nothing of what was fetched counts any more. */
  private clear(): void {
    for (const batch of this.batches) batch.reply = null;
    this.batches = [];
    this.tree = new ScannedTree(this.fs.changes);
    this.begin();
  }

  /** What was scanned of a directory, and of those in it; null: nothing. */
  scannedOf(dir: GoferDirectory): ScannedDir | null {
    if (this.tree.changes !== this.fs.changes) this.clear();
    // Directories that are not known to be in this tree, up to one that is.
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

  /** A file that a list had was looked up. */
  foundFile(): void {
    this.filesFound++;
    this.quietDirs = 0;
  }

  private get wantsAttrs(): boolean {
    return this.filesFound >= FILES_WANTED || this.wantsXattrs;
  }

  private count(list: Listing): void {
    if (list.types.every((t) => t === DT_DIR) || ++this.quietDirs < QUIET_DIRS) return;
    this.filesFound = 0;
  }

  /** The entries of a directory that is read; null: ask in another way. Not in shared mode. */
  listing(dir: GoferDirectory): Listing | null {
    let scanned = this.scannedOf(dir);
    if (scanned === null || !scanned.isThere || !this.isEnough(scanned)) {
      const wasPlanned = scanned !== null && scanned.isThere;
      scanned = this.fetch(dir, wasPlanned, this.wantsAttrs ? SCAN_ATTRS : 0) ?? scanned;
    } else {
      this.streak++;
    }
    const list = scanned === null ? null : this.take(dir, scanned);
    if (list !== null) this.count(list);
    return list;
  }

  private isEnough(scanned: ScannedDir): boolean {
    if (!this.wantsAttrs) return true;
    return scanned.hasAttrs && (scanned.hasXattrBits || !this.wantsXattrs);
  }

  /** Entries that were fetched already, for a lookup. */
  known(dir: GoferDirectory): Listing | null {
    const scanned = this.scannedOf(dir);
    return scanned === null ? null : this.take(dir, scanned);
  }

  /** The whole directory again, this time with attributes: files in it are looked up one after the other. */
  withAttrs(dir: GoferDirectory): Listing | null {
    const scanned = this.fetch(dir, true, SCAN_ATTRS, false);
    return scanned === null ? null : this.take(dir, scanned);
  }

  /** A directory that is looked into without being read: its entries if they are few. */
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
    return this.take(dir, scanned);
  }

  private take(dir: GoferDirectory, scanned: ScannedDir): Listing | null {
    const attr = scanned.attr();
    if (attr === null || !dir.isSameFile(attr)) return null;
    return scanned.takeListing(dir.ino, (dir.parent ?? dir).ino);
  }

  /** `plans`: the directories in it are going to be read. */
  private fetch(
    dir: GoferDirectory,
    wasPlanned: boolean,
    attrs: number,
    plans: boolean = true,
  ): ScannedDir | null {
    const path = pathOf(dir);
    if (path === null || this.isRefused) return null;
    if (this.tree.size > MAX_DIRS) this.clear();
    if (this.unplan(path) || wasPlanned) this.streak++;
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

  /** Another tree is gone through. */
  private begin(): void {
    this.streak = 0;
    this.pending = [];
    this.isSorted = false;
    this.wantsXattrs = false;
    this.entries = FIRST_ENTRIES;
    this.last = null;
    this.run++;
  }

  /** More each time, if what came the last time was of use. */
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

  /** About how much came of this tree and was not read yet. */
  private bytesAhead(): number {
    let bytes = 0;
    for (const b of this.batches) {
      if (b.run === this.run && b.reply !== null) bytes += b.bytes * b.unread / b.blocks;
    }
    return bytes;
  }

  /** Takes a directory out of the plan: whether it was in it. */
  private unplan(path: string): boolean {
    for (let i = this.pending.length - 1; i >= 0; i--) {
      const found = this.pending[i]!;
      if (found.path !== path) continue;
      this.pending.splice(i, 1);
      if (i < this.pending.length && !this.isSorted) this.judgeOrder(found);
      return true;
    }
    return false;
  }

  /** A directory was read before its turn: is it the first one by name of those beside it? */
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

  /** One request; `first` is filled with the first root. */
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

  /** Puts every block where it belongs in the tree, and what is left to read in the plan. */
  private takeBlocks(
    batch: ScanBatch,
    roots: readonly Pending[],
    first: ScannedDir,
    plans: boolean,
  ): void {
    const { bytes, view } = batch.reply!;
    /** Directories of each block by the number of their entry, without those that have a block. */
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
      // Twice the same, or below something that is no directory.
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
    for (let i = left.length - 1; i > 0; i--) if (left[i] !== null) this.plan(left[i]!);
    if (!plans) own?.clear();
    for (const found of below) {
      const dirs = [...found.values()];
      if (this.isSorted) dirs.sort((a, b) => a.name < b.name ? -1 : 1);
      for (let i = dirs.length - 1; i >= 0; i--) this.plan(dirs[i]!);
    }
  }

  private plan(pending: Pending): void {
    this.pending.push(pending);
    if (this.pending.length > 2 * MAX_PENDING) this.pending.splice(0, MAX_PENDING);
  }

  /** A directory was read in another way: the directories in it are next. */
  listed(dir: GoferDirectory, list: Listing): void {
    const path = pathOf(dir);
    if (path === null) return;
    this.count(list);
    const owner = this.placeOf(dir);
    for (let i = list.length - 1; i >= 0; i--) {
      const name = list.names[i]!;
      if (list.types[i] !== DT_DIR || name === "." || name === "..") continue;
      this.plan({ owner, name, path: path === "" ? name : `${path}/${name}` });
    }
  }
}

const blocks = new ScanBlocks();

/** The directory's path from the root of the file system; null when it has none that is known or short enough. */
function pathOf(dir: GoferDirectory): string | null {
  if (dir.parent === null) return dir === dir.fs.root ? "" : null;
  const text = dir.pathText;
  return text.length > MAX_PATH ? null : text.substring(1);
}
