/**
 * A host descriptor that the Gofer donated for one file: all open files and mappings of that file with the same access
 * share it. Offsets are always given, so its own position means nothing.
 */

import type { GoferBacking } from "./backing.ts";
import type { GoferRegular } from "./regular.ts";

export class DonatedFile {
  readonly inode: GoferRegular;
  readonly fd: number;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  /** Open files and mappings. */
  users: number = 0;
  /** It was opened because it may be wanted, and was not yet. */
  isAhead: boolean = false;
  /** Written since it was last synced. */
  isDirty: boolean = false;
  /** What mappings of it are made of; null before the first. */
  backing: GoferBacking | null = null;

  constructor(inode: GoferRegular, fd: number, canRead: boolean, canWrite: boolean) {
    this.inode = inode;
    this.fd = fd;
    this.canRead = canRead;
    this.canWrite = canWrite;
  }

  /** One more user. */
  use(): this {
    if (this.users++ === 0) this.inode.fs.idle.remove(this);
    if (this.isAhead) {
      this.isAhead = false;
      this.inode.fs.opens.hit();
    }
    return this;
  }

  /** One user less: it is kept for the next one, for a while. */
  release(): void {
    if (--this.users > 0) return;
    const { inode } = this;
    inode.fs.idle.add(this);
    if (inode.refs <= 0) inode.fs.forget(inode);
  }
}
