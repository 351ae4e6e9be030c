/**
 * A directory that is being gone through (ls -l, find, git status): after a few lookups in a directory that was listed,
 * one request brings the attributes of everything in it, and the lookups that follow need none.
 *
 * Only in exclusive mode: nobody else changes what was fetched. Neighbours: directory.ts, ahead.ts (one path ahead).
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./gofer_fs.ts";
import type { GoferInode } from "./gofer_inode.ts";

/** Lookups behind a listing that look like a scan. */
const SCAN_LOOKUPS = 3;
/** LIMIT: larger directories are not fetched whole. */
const MAX_ENTRIES = 20_000;

export class DirScan {
  /** Since the directory was listed; -1: it was not. */
  private lookups: number = -1;
  private found: Map<string, GoferInode> | null = null;

  /** The directory was read by somebody. */
  listed(entries: number): void {
    if (this.found === null) this.lookups = entries > MAX_ENTRIES ? -1 : 0;
  }

  /** Names changed, or nobody uses the directory. */
  clear(): void {
    this.lookups = -1;
    this.found = null;
  }

  /** The inode of `name` if it was fetched and nobody took it yet; else undefined: ask. */
  take(fs: GoferFs, dir: GoferDirectory, name: string): GoferInode | undefined {
    if (this.lookups < 0) return undefined;
    if (this.found === null) {
      if (++this.lookups < SCAN_LOOKUPS) return undefined;
      this.found = fetchAll(fs, dir);
    }
    const inode = this.found.get(name);
    if (inode === undefined) return undefined;
    this.found.delete(name);
    if (this.found.size === 0) this.lookups = -1;
    return inode.isForgotten ? undefined : inode;
  }
}

/** Everything in `dir` by name; less when the Gofer cannot tell. */
function fetchAll(fs: GoferFs, dir: GoferDirectory): Map<string, GoferInode> {
  const found = new Map<string, GoferInode>(), fid = dir.bind();
  if (fid < 0) return found;
  const client: GoferClient = fs.client, entries = client.entries;
  let lo = 0, hi = 0;
  for (;;) {
    const n = client.readdirAttr(fid, lo, hi, client.connection.msize);
    if (n <= 0) return found;
    while (entries.next()) {
      const name = entries.name.toByteString();
      lo = entries.offsetLo;
      hi = entries.offsetHi;
      if (name === "." || name === "..") continue;
      found.set(name, fs.intern(entries.attr, dir, name));
    }
    if (found.size > MAX_ENTRIES) return found;
  }
}
