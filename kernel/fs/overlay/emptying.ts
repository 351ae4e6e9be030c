/**
 * The end of an overlay's directory, in several turns: every name of its layers must be a whiteout
 * or hidden by one, and then the whiteouts go. Between two turns the directory is opaque, because a
 * name whose whiteout is gone would be visible again.
 */

import { EAGAIN, ENOTEMPTY } from "../../../ffi/abi/errno.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OverlayDirectory } from "./directory.ts";
import { isWhiteout, type LayerEntry, LayerListing } from "./layers.ts";

/** LIMIT: entries of layers that one turn of the loop looks at. */
export const ENTRIES_A_TURN = 256;
/** LIMIT: changes of names by others, between turns, after which it was not empty. */
const CHANGES_MAX = 3;

const UPPER = 0, LOWER = 1, WHITEOUTS = 2, DONE = 3;

export class Emptying {
  private readonly dir: OverlayDirectory;
  private phase: number = UPPER;
  private listing: LayerListing | null = null;
  /** `changes` of the directory when it began. */
  private seen: number;
  private restarts: number = 0;
  /** Entries that this turn may still look at. */
  private left: number = 0;

  constructor(dir: OverlayDirectory) {
    this.dir = dir;
    this.seen = dir.changes;
  }

  /** Does the work of a turn: 0 when nothing is left, -EAGAIN before, or another -errno. */
  step(): number {
    const { dir } = this;
    if (this.seen !== dir.changes) {
      if (this.restarts++ >= CHANGES_MAX) return -ENOTEMPTY;
      this.seen = dir.changes;
      this.enter(UPPER);
    }
    this.left = ENTRIES_A_TURN;
    while (this.phase !== DONE) {
      if (this.left <= 0) {
        if (this.phase === WHITEOUTS) dir.makeOpaque();
        return -EAGAIN;
      }
      const r = this.look();
      if (r < 0) return r;
    }
    return 0;
  }

  close(): void {
    this.listing?.close();
    this.listing = null;
  }

  private enter(phase: number): void {
    this.close();
    this.phase = phase;
  }

  /** Looks at some entries of the layer of this phase: 0 or -errno. */
  private look(): number {
    const { dir, phase, left } = this;
    const layer = phase === LOWER ? dir.shownLower : dir.upper;
    if (layer === null) {
      this.enter(phase + 1);
      return 0;
    }
    if (this.listing === null) {
      const listing = LayerListing.open(layer, dir.fs.account);
      if (typeof listing === "number") return listing;
      this.listing = listing;
    }
    const entries = this.listing.next(left);
    if (typeof entries === "number") return entries;
    for (const entry of entries) {
      const r = this.lookAt(layer, entry);
      if (r < 0) return r;
    }
    this.left -= entries.length;
    if (entries.length < left) this.enter(phase + 1);
    // What a listing has next after removals is up to the layer's file system.
    else if (phase === WHITEOUTS) this.close();
    return 0;
  }

  private lookAt(layer: Inode, { name }: LayerEntry): number {
    const { dir } = this, upper = this.phase === LOWER ? dir.upperEntry(name) : layer.lookup(name);
    if (typeof upper === "number") return upper;
    if (upper === null) {
      const below = dir.lowerEntry(name);
      return below === null ? 0 : typeof below === "number" ? below : -ENOTEMPTY;
    }
    if (!isWhiteout(upper)) return -ENOTEMPTY;
    return this.phase === WHITEOUTS ? layer.unlink(name, upper) : 0;
  }
}
