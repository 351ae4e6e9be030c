/**
 * An open directory of an overlay. The names of both layers are merged into a list when reading
 * starts. Positions are indexes of that list, so they stay valid while entries come and go. A read
 * from the start makes a new list.
 */

import type { Account } from "../../core/account.ts";
import { EAGAIN } from "../../../ffi/abi/errno.ts";
import { DT_CHR, DT_DIR, DT_UNKNOWN } from "../../../ffi/abi/dirent.ts";
import { MAY_READ } from "../../cred/permission.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import type { DirSink, Inode } from "../../vfs/inode.ts";
import { DirFile } from "../../vfs/dir_file.ts";
import type { OverlayDirectory } from "./directory.ts";
import { isWhiteout, type LayerEntry, LayerListing } from "./layers.ts";

/** LIMIT: entries of layers that one turn of the loop looks at. */
export const ENTRIES_A_TURN = 1024;

export class OverlayDirFile extends DirFile {
  readonly inode: OverlayDirectory;
  private list: LayerEntry[] | null = null;
  /** The list that is being made. */
  private merge: Merge | null = null;

  constructor(account: Account, dir: OverlayDirectory, flags: number) {
    super(account, flags);
    this.inode = dir;
  }

  override fsync(_dataOnly: boolean): number {
    return 0;
  }

  protected override release(): void {
    this.endMerge();
  }

  private endMerge(): void {
    this.merge?.close();
    this.merge = null;
  }

  override readdir(sink: DirSink): number {
    const dir = this.inode;
    this.needsTurn = false;
    if (this.list === null || this.pos === 0) {
      this.merge ??= new Merge(this.account, dir);
      const r = this.merge.step();
      this.needsTurn = r === -EAGAIN;
      if (r === -EAGAIN) return r;
      const { list } = this.merge;
      this.endMerge();
      if (r < 0) return r;
      this.list = list;
      touchFileAtime(this);
    }
    const list = this.list;
    if (this.pos === 0) {
      if (!sink(".", dir.ino, DT_DIR, 1)) return 0;
      this.pos = 1;
    }
    if (this.pos === 1) {
      if (!sink("..", (dir.parent ?? dir).ino, DT_DIR, 2)) return 0;
      this.pos = 2;
    }
    for (let i = this.pos - 2; i < list.length; i++) {
      const e = list[i]!;
      if (!sink(e.name, e.ino, e.type, i + 3)) return 0;
      this.pos = i + 3;
    }
    return 0;
  }
}

/**
 * Merges the names of the upper layer and those of the lower one that it does not cover, in several
 * turns.
 */
export class Merge {
  readonly list: LayerEntry[] = [];
  private readonly account: Account;
  private readonly dir: OverlayDirectory;
  private readonly covered: Set<string> = new Set();
  /** The layers that are still to be read, and the listing of the first of them. */
  private readonly layers: Inode[] = [];
  private listing: LayerListing | null = null;

  constructor(account: Account, dir: OverlayDirectory) {
    this.account = account;
    this.dir = dir;
    if (dir.upper !== null) this.layers.push(dir.upper);
    if (dir.shownLower !== null) this.layers.push(dir.shownLower);
  }

  /**
   * Adds the entries of one turn: 0 when the list is complete, -EAGAIN before, or another -errno.
   */
  step(): number {
    for (let left = ENTRIES_A_TURN; this.layers.length > 0;) {
      if (left <= 0) return -EAGAIN;
      const layer = this.layers[0]!;
      if (this.listing === null) {
        const may = this.dir.fs.mayUse(layer, MAY_READ);
        if (may < 0) return may;
        const listing = LayerListing.open(layer, this.account);
        if (typeof listing === "number") return listing;
        this.listing = listing;
      }
      const entries = this.listing.next(left);
      if (typeof entries === "number") return entries;
      for (const entry of entries) {
        if (layer === this.dir.upper) this.addUpper(layer, entry);
        else this.addLower(layer, entry);
      }
      if (entries.length < left) {
        this.close();
        this.layers.shift();
      }
      left -= entries.length;
    }
    return 0;
  }

  close(): void {
    this.listing?.close();
    this.listing = null;
  }

  private addUpper(layer: Inode, e: LayerEntry): void {
    const { dir } = this;
    this.covered.add(e.name);
    const upper = layer.lookup(e.name);
    if (typeof upper === "number" || isWhiteout(upper)) return;
    // A directory may be merged with a lower one, whose inode number it has.
    const known = e.type === DT_DIR ? dir.lookup(e.name) : null;
    const ino = known === null || typeof known === "number" ? dir.fs.upperIno(upper) : known.ino;
    this.list.push({ name: e.name, ino, type: e.type });
  }

  private addLower(layer: Inode, e: LayerEntry): void {
    const { dir } = this;
    if (this.covered.has(e.name)) return;
    if (e.type === DT_CHR || e.type === DT_UNKNOWN) {
      const below = dir.lowerEntry(e.name);
      if (below === null || typeof below === "number") return;
    }
    this.list.push({ name: e.name, ino: dir.fs.lowerIno(e.ino, layer.dev), type: e.type });
  }
}
