/**
 * The entries of a directory as a list, because positions of the host (63-bit hashes) do not fit numbers: positions
 * here are indexes. An open directory keeps the list that it began to read; in exclusive mode a directory that did not
 * change gives the same list again.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";

/** LIMIT: entries of lists that are kept for directories that nobody reads. */
const MAX_KEPT = 65536;

export class Listing {
  readonly names: string[] = [];
  readonly inos: number[] = [];
  readonly types: number[] = [];

  get length(): number {
    return this.names.length;
  }
}

/** All entries, "." and ".." too, or -errno. */
export function readListing(client: GoferClient, fid: number): Listing | number {
  const list = new Listing(), entries = client.entries;
  let lo = 0, hi = 0;
  for (;;) {
    const n = client.readdir(fid, lo, hi, client.connection.msize);
    if (n < 0) return n;
    if (n === 0) return list;
    while (entries.next()) {
      list.names.push(entries.name.toByteString());
      list.inos.push(entries.qid.path);
      list.types.push(entries.type);
      lo = entries.offsetLo;
      hi = entries.offsetHi;
    }
  }
}

/** Lists that are kept, the oldest first. */
export class ListingCache {
  private readonly lists: Map<object, Listing> = new Map();
  private kept: number = 0;

  get(dir: object): Listing | null {
    return this.lists.get(dir) ?? null;
  }

  set(dir: object, list: Listing): void {
    this.drop(dir);
    if (list.length > MAX_KEPT / 4) return;
    this.lists.set(dir, list);
    this.kept += list.length;
    for (const oldest of this.lists.keys()) {
      if (this.kept <= MAX_KEPT) return;
      this.drop(oldest);
    }
  }

  drop(dir: object): void {
    const list = this.lists.get(dir);
    if (list === undefined) return;
    this.lists.delete(dir);
    this.kept -= list.length;
  }
}
