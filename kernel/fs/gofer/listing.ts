/**
 * The entries of a directory as a list. Positions are indexes, because the host's positions (63-bit
 * hashes) are not exact as JavaScript numbers. An open directory keeps the list that it began to
 * read; in exclusive mode an unchanged directory gives the same list again, and the list answers
 * lookups.
 *
 * Attributes that were fetched with the entries stay bytes until a lookup takes them.
 */

import { EIO } from "../../../ffi/abi/errno.ts";
import type { Attr, GoferClient } from "../../../gofer/client/gofer_client.ts";
import { list, LIST_ALL, nextEntry } from "../../../gofer/client/listing.ts";
import { ATTR_BYTES, attrAt } from "../../../gofer/client/scan.ts";

/**
 * LIMIT: entries of lists that are kept for directories without readers; entries with attributes
 * count more.
 */
const MAX_KEPT = 131072, ATTRS_WEIGHT = 4;
/** LIMIT: entries of a list that is sorted. */
const MAX_SORTED = 16384;
const NO_BYTES = new Uint8Array(0);

/** The entries of a list by name. */
interface SortedOrder {
  /** Entry numbers, in the order of the names. */
  readonly entries: Int32Array;
  /** By entry number: its place in that order. */
  readonly ranks: Int32Array;
}

/** Lookups of files and directories in a list without attributes before these are fetched. */
export const BARE_LOOKUPS = 2;
const BARE_DIRS = 4;
/** LIMIT: entries whose attributes are fetched then: if the directory was read, and if not. */
const MAX_READ = 16384, MAX_PROBED = 300;

export class Listing {
  readonly names: string[] = [];
  readonly inos: number[] = [];
  readonly types: number[] = [];
  /** The list is complete: a name that is not in it is missing. */
  isExact: boolean = false;
  /** All entries were fetched with attributes. */
  isFull: boolean = false;
  /** The attributes include which files have no extended attributes. */
  hasXattrBits: boolean = false;
  /**
   * The lookups of files, and of directories since scan number `scans`, that found no attributes
   * here.
   */
  bareLookups: number = 0;
  bareDirs: number = 0;
  scans: number = -1;
  /**
   * For each entry the number of its attribute record; -1: none, or it was taken. Null: there are
   * none.
   */
  private records: number[] | null = null;
  private recordCount: number = 0;
  private bytes: Uint8Array<ArrayBuffer> = NO_BYTES;
  private view: DataView = new DataView(NO_BYTES.buffer);
  /** The texts of symbolic links by entry. */
  private targets: Map<number, string> | null = null;
  /** The file system's `changes` when the attributes were fetched. */
  private readonly changes: number;
  /** The index by name; the second search makes it. */
  private index: Map<string, number> | null = null;
  private wasSearched: boolean = false;
  private order: SortedOrder | null = null;

  /** `changes`: the present count of the file system's changes. */
  constructor(changes: number) {
    this.changes = changes;
  }

  /**
   * Counts a lookup without attributes; returns whether to fetch the attributes. `wasRead`: a guest
   * has read the directory; `scans`: the number of scans of the tree so far.
   */
  wantsAttrs(isDirectory: boolean, wasRead: boolean, scans: number): boolean {
    if (this.isFull || this.length > (wasRead ? MAX_READ : MAX_PROBED)) return false;
    if (!isDirectory) return ++this.bareLookups === BARE_LOOKUPS;
    // A walk down a tree looks up few directories, and scans between.
    if (this.scans !== scans) {
      this.scans = scans;
      this.bareDirs = 0;
    }
    return ++this.bareDirs === BARE_DIRS;
  }

  get length(): number {
    return this.names.length;
  }
  /** Its weight in the cache of lists. */
  get weight(): number {
    return this.length + ATTRS_WEIGHT * this.recordCount;
  }

  push(name: string, ino: number, type: number): void {
    this.names.push(name);
    this.inos.push(ino);
    this.types.push(type);
    if (this.records !== null) this.records.push(-1);
  }

  /** Adds the attributes of the entry that was pushed last: a copy of the record at `at`. */
  addAttr(from: Uint8Array, at: number): void {
    if (this.records === null) this.records = new Array(this.length).fill(-1);
    const end = this.recordCount * ATTR_BYTES;
    if (end + ATTR_BYTES > this.bytes.length) this.grow();
    this.bytes.set(from.subarray(at, at + ATTR_BYTES), end);
    this.records[this.length - 1] = this.recordCount++;
  }

  private grow(): void {
    const old = this.bytes;
    this.bytes = new Uint8Array(Math.max(8 * ATTR_BYTES, 2 * old.length));
    this.bytes.set(old);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Adds the text of the entry that was pushed last, a symbolic link. */
  addTarget(target: string): void {
    (this.targets ??= new Map()).set(this.length - 1, target);
  }

  /** The index of `name`, or -1. */
  find(name: string): number {
    if (this.index !== null) return this.index.get(name) ?? -1;
    if (!this.wasSearched) {
      this.wasSearched = true;
      return this.names.indexOf(name);
    }
    this.index = new Map();
    for (let i = 0; i < this.names.length; i++) this.index.set(this.names[i]!, i);
    return this.index.get(name) ?? -1;
  }

  /**
   * The entries in the order of their names; null if there are too many. The list must be complete.
   */
  sortedOrder(): SortedOrder | null {
    if (this.order !== null || this.length > MAX_SORTED) return this.order;
    const { names } = this, entries = Int32Array.from(names.keys());
    entries.sort((a, b) => names[a]! < names[b]! ? -1 : 1);
    const ranks = new Int32Array(entries.length);
    for (let i = 0; i < entries.length; i++) ranks[entries[i]!] = i;
    return this.order = { entries, ranks };
  }

  /** Whether `takeAttr` has attributes for entry `i`; `changes` as for the constructor. */
  hasAttr(i: number, changes: number): boolean {
    if (changes !== this.changes) this.dropAttrs();
    return this.records !== null && (this.records[i] ?? -1) >= 0;
  }

  /**
   * Takes the attributes of an entry, once (afterwards its inode has newer ones), valid until the
   * next record is read. Null: the Gofer has to be asked.
   */
  takeAttr(i: number, changes: number): Attr | null {
    if (!this.hasAttr(i, changes)) return null;
    const at = this.records![i]! * ATTR_BYTES;
    this.records![i] = -1;
    return attrAt(this.bytes, this.view, at);
  }

  /** The text of the symbolic link at `i`, or null. It never changes. */
  target(i: number): string | null {
    return this.targets?.get(i) ?? null;
  }

  /** This sandbox made changes since: drops the attributes, which may be old. */
  private dropAttrs(): void {
    this.records = null;
    this.bytes = NO_BYTES;
    this.isFull = false;
  }
}

/**
 * Reads all entries, "." and ".." too, from a server that knows the base protocol only; or -errno.
 */
export function readListing(client: GoferClient, fid: number): Listing | number {
  const all = new Listing(0), entries = client.entries;
  let lo = 0, hi = 0;
  for (;;) {
    const n = client.readdir(fid, lo, hi, client.connection.msize);
    if (n < 0) return n;
    if (n === 0) return all;
    while (nextEntry(client)) {
      all.push(entries.name.toByteString(), entries.qid.path, entries.type);
      lo = entries.offsetLo;
      hi = entries.offsetHi;
    }
  }
}

/**
 * Reads a whole directory with the attributes of all entries (LIST_ALL) or of the directories in it
 * (LIST_DIRS); or -errno.
 */
export function readEntries(
  client: GoferClient,
  fid: number,
  attrs: number,
  changes: number,
): Listing | number {
  return takeEntries(client, fid, list(client, fid, 0, 0, attrs), attrs, changes);
}

/** As `readEntries`, where the first part was fetched already: `first` is the result of `list`. */
export function takeEntries(
  client: GoferClient,
  fid: number,
  first: number,
  attrs: number,
  changes: number,
): Listing | number {
  const all = new Listing(changes), entries = client.entries;
  all.isFull = attrs === LIST_ALL;
  let lo = 0, hi = 0;
  for (let r = first;; r = list(client, fid, lo, hi, attrs)) {
    if (r < 0) return r;
    while (nextEntry(client)) {
      const { hasAttr } = entries;
      const ino = hasAttr ? entries.attr.qid.path : entries.qid.path;
      all.push(entries.name.toByteString(), ino, entries.type);
      if (hasAttr) all.addAttr(entries.bytes, entries.attrAt);
      lo = entries.offsetLo;
      hi = entries.offsetHi;
    }
    if (client.dead) return -EIO;
    if (r > 0) return all;
  }
}

/** The cache of lists, the least recently used first. */
export class ListingCache {
  private readonly lists: Map<object, Listing> = new Map();
  private kept: number = 0;
  private newest: Listing | null = null;

  get(dir: object): Listing | null {
    const found = this.lists.get(dir) ?? null;
    if (found === null || found === this.newest) return found;
    this.lists.delete(dir);
    this.lists.set(dir, found);
    this.newest = found;
    return found;
  }

  set(dir: object, list: Listing): void {
    this.drop(dir);
    if (list.weight > MAX_KEPT) return;
    this.lists.set(dir, list);
    this.newest = list;
    this.kept += list.weight;
    for (const oldest of this.lists.keys()) {
      if (this.kept <= MAX_KEPT) return;
      this.drop(oldest);
    }
  }

  clear(): void {
    this.lists.clear();
    this.newest = null;
    this.kept = 0;
  }

  drop(dir: object): void {
    const list = this.lists.get(dir);
    if (list === undefined) return;
    this.lists.delete(dir);
    this.kept -= list.weight;
  }
}
