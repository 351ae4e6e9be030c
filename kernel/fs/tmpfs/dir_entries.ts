/** The entries of a tmpfs directory: by name, and in the order of their cookies for readdir. */

import type { Inode } from "../../vfs/inode.ts";
import type { RecordedEntries } from "./records/inode_record.ts";

/** The first cookie: positions 0 and 1 are "." and "..". */
const FIRST_COOKIE = 2;

export class DirEntry {
  readonly name: string;
  /** Null once it was removed, and while the inode is a record that nothing has looked up. */
  inode: Inode | null;
  readonly ino: number;
  readonly cookie: number;
  /** The entry stays in the list until that is compacted. */
  isRemoved: boolean = false;

  constructor(name: string, inode: Inode | null, ino: number, cookie: number) {
    this.name = name;
    this.inode = inode;
    this.ino = ino;
    this.cookie = cookie;
  }
}

/** Where the inodes of entries come from that are records. */
interface InodeSource {
  inodeOf(ino: number): Inode;
  modeOf(ino: number): number;
}

export class DirEntries {
  /** The cookie of the next entry: present entries have smaller ones. */
  nextCookie: number = FIRST_COOKIE;
  private readonly byName: Map<string, DirEntry> = new Map();
  /** Sorted by cookie; removed entries are among them. */
  private order: DirEntry[] = [];
  private readonly source: InodeSource;

  constructor(source: InodeSource) {
    this.source = source;
  }

  /** The entries of a record. */
  static load(source: InodeSource, record: RecordedEntries): DirEntries {
    const { names, inos, cookies, nextCookie } = record, entries = new DirEntries(source);
    for (let i = 0; i < names.length; i++) {
      const entry = new DirEntry(names[i]!, null, inos[i]!, cookies[i]!);
      entries.byName.set(entry.name, entry);
      entries.order.push(entry);
    }
    entries.nextCookie = nextCookie;
    return entries;
  }

  record(): RecordedEntries {
    const names: string[] = [], inos: number[] = [], cookies: number[] = [];
    for (const { name, ino, cookie, isRemoved } of this.order) {
      if (isRemoved) continue;
      names.push(name);
      inos.push(ino);
      cookies.push(cookie);
    }
    return { nextCookie: this.nextCookie, names, inos, cookies };
  }

  get count(): number {
    return this.byName.size;
  }

  get(name: string): Inode | null {
    const entry = this.byName.get(name);
    return entry === undefined ? null : this.inodeOf(entry);
  }

  /** The inode of an entry that was not removed. */
  inodeOf(entry: DirEntry): Inode {
    return entry.inode ??= this.source.inodeOf(entry.ino);
  }

  modeOf({ inode, ino }: DirEntry): number {
    return inode === null ? this.source.modeOf(ino) : inode.mode;
  }

  inodes(): Inode[] {
    const list: Inode[] = [];
    for (const e of this.byName.values()) list.push(this.inodeOf(e));
    return list;
  }

  /** The name must be free. */
  add(name: string, inode: Inode): void {
    const entry = new DirEntry(name, inode, inode.ino, this.nextCookie++);
    this.byName.set(name, entry);
    this.order.push(entry);
  }

  remove(name: string): void {
    const entry = this.byName.get(name);
    if (entry === undefined) return;
    entry.inode = null;
    entry.isRemoved = true;
    this.byName.delete(name);
    const gone = this.order.length - this.byName.size;
    if (gone > 32 && gone > this.byName.size) {
      this.order = this.order.filter((e) => !e.isRemoved);
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
      if (!entry.isRemoved) return entry;
    }
    return null;
  }
}

/** A place in a directory: it stays right while entries come and go. */
export class EntryCursor<Dir extends { readonly entries: DirEntries }> {
  readonly dir: Dir;
  private cookie: number = FIRST_COOKIE;

  constructor(dir: Dir) {
    this.dir = dir;
  }

  /** The next entry, or null at the end. */
  next(): DirEntry | null {
    const entry = this.dir.entries.from(this.cookie);
    if (entry !== null) this.cookie = entry.cookie + 1;
    return entry;
  }
}
