/**
 * A directory that is being gone through (ls -l, find, git status). Its list brought the attributes of the directories
 * in it; after a few lookups of other names one request brings those of everything, and the lookups that follow need none.
 *
 * Only in exclusive mode, and only until we change anything. Neighbours: directory.ts, ahead.ts (one path ahead).
 */

import { Attr } from "../../../gofer/client/gofer_client.ts";
import { LIST_ALL } from "../../../gofer/client/listing.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./gofer_fs.ts";
import type { GoferInode } from "./gofer_inode.ts";
import { readEntries } from "./listing.ts";

/** Lookups behind a listing that look like a scan. */
const SCAN_LOOKUPS = 3;
/** LIMIT: larger directories are not fetched whole. */
const MAX_ENTRIES = 20_000;

export class DirScan {
  /** Since the directory was listed; -1: it was not, or all of it was fetched. */
  private lookups: number = -1;
  /** Attributes that nobody has taken yet. */
  private known: Map<string, Attr> | null = null;
  /** `fs.changes` when they were fetched. */
  private changes: number = 0;

  /** The directory was read by somebody; `known`: attributes that came with it. */
  listed(fs: GoferFs, entries: number, known: Map<string, Attr> | null): void {
    if (this.known !== null) return;
    this.lookups = entries > MAX_ENTRIES ? -1 : 0;
    this.known = known;
    this.changes = fs.changes;
  }

  /** Names changed, or nobody uses the directory. */
  clear(): void {
    this.lookups = -1;
    this.known = null;
  }

  /** The inode of `name` if it was fetched and nobody took it yet; else undefined: ask. */
  take(fs: GoferFs, dir: GoferDirectory, name: string): GoferInode | undefined {
    if (this.lookups < 0 && this.known === null) return undefined;
    if (this.changes !== fs.changes) this.known = null;
    let attr = this.known?.get(name);
    if (attr === undefined && this.lookups >= 0 && ++this.lookups >= SCAN_LOOKUPS) {
      this.known = fetchAll(fs, dir);
      this.changes = fs.changes;
      this.lookups = -1;
      attr = this.known.get(name);
    }
    if (attr === undefined || this.known === null) return undefined;
    this.known.delete(name);
    if (this.known.size === 0) this.known = null;
    return fs.known(attr, dir, name);
  }
}

/** Attributes of everything in `dir` by name; less when the Gofer cannot tell. */
function fetchAll(fs: GoferFs, dir: GoferDirectory): Map<string, Attr> {
  const known = new Map<string, Attr>(), fid = dir.bind();
  if (fid >= 0) readEntries(fs.client, fid, LIST_ALL, null, known, MAX_ENTRIES);
  return known;
}
