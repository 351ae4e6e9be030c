/**
 * What file systems only keep for later, and a snapshot leaves out: names that nothing uses, and
 * the inodes that only they hold. The kernel goes on with them, so they are marked while it is
 * encoded: `Dentry.isLeftOut`, and `Inode.unusedRefs`, the number of users that the copy lacks.
 */

import { GoferFs } from "../fs/gofer/gofer_fs.ts";
import { settleAttributes } from "../fs/gofer/reconnect.ts";
import type { Dentry } from "../vfs/dentry.ts";
import type { Inode } from "../vfs/inode.ts";
import type { Vfs } from "../vfs/vfs.ts";

export class FileCaches {
  private readonly dentries: Dentry[];
  private readonly inodes: Inode[] = [];

  /** Marks what is left out. `unmark` must follow. */
  constructor({ dentries }: Vfs) {
    this.dentries = dentries.unused();
    for (const dentry of this.dentries) {
      dentry.isLeftOut = true;
      if (dentry.inode !== null && dentry.holdsInode) this.leaveUser(dentry.inode);
    }
  }

  /** A loop, as directories of an overlay hold those above. */
  private leaveUser(first: Inode): void {
    const left = [first];
    for (let inode = left.pop(); inode !== undefined; inode = left.pop()) {
      if (inode.unusedRefs++ === 0) this.inodes.push(inode);
      if (inode.isUnused) left.push(...inode.heldInodes());
    }
  }

  unmark(): void {
    for (const dentry of this.dentries) dentry.isLeftOut = false;
    for (const inode of this.inodes) inode.unusedRefs = 0;
  }
}

/**
 * Brings what the kernel knows of open files up to date, so that a restore can compare them. To be
 * called before a snapshot for another process.
 *
 * @throws Error if a file server does not answer
 */
export function settleFiles({ served }: Vfs): void {
  for (const fs of served) {
    if (!(fs instanceof GoferFs) || settleAttributes(fs) >= 0) continue;
    throw new Error(`the file server of "${fs.client.name}" does not answer`);
  }
}
