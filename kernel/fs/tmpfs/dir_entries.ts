/** The entries of a tmpfs directory: by name, and in the order of their cookies for readdir. */

import type { Inode } from "../../vfs/inode.ts";

/** The first cookie: positions 0 and 1 are "." and "..". */
const FIRST_COOKIE = 2;

export class DirEntry {
  readonly name: string;
  /** Null once it was removed: the entry stays in the list until that is compacted. */
  inode: Inode | null;
  readonly cookie: number;

  constructor(name: string, inode: Inode, cookie: number) {
    this.name = name;
    this.inode = inode;
    this.cookie = cookie;
  }
}

export class DirEntries {
  /** The cookie of the next entry: present entries have smaller ones. */
  nextCookie: number = FIRST_COOKIE;
  private readonly byName: Map<string, DirEntry> = new Map();
  /** Sorted by cookie; removed entries are among them. */
  private order: DirEntry[] = [];

  get count(): number {
    return this.byName.size;
  }

  get(name: string): Inode | null {
    return this.byName.get(name)?.inode ?? null;
  }

  inodes(): Inode[] {
    const list: Inode[] = [];
    for (const e of this.byName.values()) if (e.inode !== null) list.push(e.inode);
    return list;
  }

  /** The name must be free. */
  add(name: string, inode: Inode): void {
    const entry = new DirEntry(name, inode, this.nextCookie++);
    this.byName.set(name, entry);
    this.order.push(entry);
  }

  remove(name: string): void {
    const entry = this.byName.get(name);
    if (entry === undefined) return;
    entry.inode = null;
    this.byName.delete(name);
    const gone = this.order.length - this.byName.size;
    if (gone > 32 && gone > this.byName.size) {
      this.order = this.order.filter((e) => e.inode !== null);
    }
  }

  /** The first entry whose cookie is at least `cookie`, or null. */
  from(cookie: number): DirEntry | null {
    let lo = 0, hi = this.order.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.order[mid]!.cookie < cookie) lo = mid + 1;
      else hi = mid;
    }
    for (; lo < this.order.length; lo++) {
      const entry = this.order[lo]!;
      if (entry.inode !== null) return entry;
    }
    return null;
  }
}

/** A place in a directory: it stays right while entries come and go. */
export class EntryCursor {
  private readonly entries: DirEntries;
  private cookie: number = FIRST_COOKIE;

  constructor(entries: DirEntries) {
    this.entries = entries;
  }

  /** The next entry, or null at the end. */
  next(): DirEntry | null {
    const entry = this.entries.from(this.cookie);
    if (entry !== null) this.cookie = entry.cookie + 1;
    return entry;
  }
}
