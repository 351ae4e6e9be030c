/**
 * What one walk fetched of names that nobody has asked for yet. The lookups that follow take it; the next walk that
 * fetches ahead, or any change of names, throws away what is left.
 */

import type { GoferInode } from "./gofer_inode.ts";

export class Ahead {
  private dirs: GoferInode[] = [];
  private names: string[] = [];
  /** Null: there is no such name. */
  private found: (GoferInode | null)[] = [];
  private next: number = 0;
  /** When it was fetched (`GoferFs.fetchTimeNs`). */
  fetchedNs: number = 0;

  clear(): void {
    this.dirs.length = this.names.length = this.found.length = 0;
    this.next = 0;
  }

  add(dir: GoferInode, name: string, inode: GoferInode | null): void {
    this.dirs.push(dir);
    this.names.push(name);
    this.found.push(inode);
  }

  has(dir: GoferInode, name: string): boolean {
    return this.next < this.dirs.length && this.dirs[this.next] === dir &&
      this.names[this.next] === name;
  }

  /** The answer for `name` in `dir`, once; undefined when it was not fetched. */
  take(dir: GoferInode, name: string): GoferInode | null | undefined {
    for (let i = this.next; i < this.dirs.length; i++) {
      if (this.dirs[i] !== dir || this.names[i] !== name) continue;
      this.next = i + 1;
      return this.found[i];
    }
    return undefined;
  }
}
