/**
 * The answers for names that a walk has fetched ahead: the lookups that follow take them. Any
 * change of names drops what is left, and so does a fetch of another path when the answers are old.
 * gofer_fs.ts owns it; directory.ts fills it and takes from it.
 */

import type { GoferInode } from "./gofer_inode.ts";

/**
 * LIMIT: names that are kept at a time. Inodes without users live as long as these (gofer_fs.ts,
 * sweep).
 */
const MAX_KEPT = 64;

export class FetchedNames {
  private dirs: GoferInode[] = [];
  private names: string[] = [];
  /** The inodes; null: the name is missing. */
  private found: (GoferInode | null)[] = [];
  /** When the answers were fetched (`GoferFs.fetchTimeNs`). */
  fetchedNs: number = 0;

  clear(): void {
    this.dirs.length = this.names.length = this.found.length = 0;
  }

  /** Whether there is room for `count` more answers. */
  hasRoom(count: number): boolean {
    return this.dirs.length + count <= MAX_KEPT;
  }

  add(dir: GoferInode, name: string, inode: GoferInode | null): void {
    const i = this.indexOf(dir, name);
    if (i >= 0) {
      this.found[i] = inode;
      return;
    }
    this.dirs.push(dir);
    this.names.push(name);
    this.found.push(inode);
  }

  has(dir: GoferInode, name: string): boolean {
    return this.indexOf(dir, name) >= 0;
  }

  /** Takes the answer for `name` in `dir`; undefined when it was not fetched. */
  take(dir: GoferInode, name: string): GoferInode | null | undefined {
    const i = this.indexOf(dir, name);
    if (i < 0) return undefined;
    const found = this.found[i];
    this.dirs.splice(i, 1);
    this.names.splice(i, 1);
    this.found.splice(i, 1);
    return found;
  }

  private indexOf(dir: GoferInode, name: string): number {
    for (let i = this.dirs.length - 1; i >= 0; i--) {
      if (this.dirs[i] === dir && this.names[i] === name) return i;
    }
    return -1;
  }
}
