/**
 * The entries of a directory as a list, because positions of the host (63-bit hashes) do not fit numbers: positions
 * here are indexes. An open directory keeps the list that it began to read; in exclusive mode a directory that did not
 * change gives the same list again.
 */

import { EIO } from "../../../ffi/abi/errno.ts";
import { Attr, type GoferClient } from "../../../gofer/client/gofer_client.ts";
import { list, nextEntry } from "../../../gofer/client/listing.ts";

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

/** All entries, "." and ".." too, or -errno; from a server that knows the base protocol only. */
export function readListing(client: GoferClient, fid: number): Listing | number {
  const all = new Listing(), entries = client.entries;
  let lo = 0, hi = 0;
  for (;;) {
    const n = client.readdir(fid, lo, hi, client.connection.msize);
    if (n < 0) return n;
    if (n === 0) return all;
    while (nextEntry(client)) {
      all.names.push(entries.name.toByteString());
      all.inos.push(entries.qid.path);
      all.types.push(entries.type);
      lo = entries.offsetLo;
      hi = entries.offsetHi;
    }
  }
}

/** Reads a directory from its beginning into `all` and `known`: 0 or -errno. */
export function readEntries(
  client: GoferClient,
  fid: number,
  attrs: number,
  all: Listing | null,
  known: Map<string, Attr>,
  most = Infinity,
): number {
  return takeEntries(client, fid, list(client, fid, 0, 0, attrs), attrs, all, known, most);
}

/**
 * The same where the first part is there already, as `list` returned it.
 *
 * @param known gets the attributes that come along, by name
 * @param most entries of `known` after which no more is asked for
 */
export function takeEntries(
  client: GoferClient,
  fid: number,
  first: number,
  attrs: number,
  all: Listing | null,
  known: Map<string, Attr>,
  most = Infinity,
): number {
  const entries = client.entries;
  let lo = 0, hi = 0;
  for (let r = first;; r = list(client, fid, lo, hi, attrs)) {
    if (r < 0) return r;
    while (nextEntry(client)) {
      const name = entries.name.toByteString();
      lo = entries.offsetLo;
      hi = entries.offsetHi;
      if (entries.hasAttr) {
        const attr = new Attr();
        attr.copyFrom(entries.attr);
        known.set(name, attr);
      }
      if (all === null) continue;
      all.names.push(name);
      all.inos.push(entries.hasAttr ? entries.attr.qid.path : entries.qid.path);
      all.types.push(entries.type);
    }
    if (client.dead) return -EIO;
    if (r > 0 || known.size > most) return 0;
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
