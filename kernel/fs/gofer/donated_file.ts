/**
 * A host descriptor that the Gofer donated for a file. All open files and mappings of the file with
 * the same access share it, so every call gives an offset and the descriptor's own position is
 * unused. idle_files.ts keeps those without users.
 */

import type { Account } from "../../core/account.ts";
import type { GoferBacking } from "./backing.ts";
import type { GoferRegular } from "./regular.ts";

export class DonatedFile {
  readonly inode: GoferRegular;
  readonly fd: number;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  /** The account that the descriptor is charged to. */
  readonly account: Account;
  /** The open files and mappings that use it. */
  users: number = 0;
  /** It was opened ahead and not used yet (open_ahead.ts). */
  isAhead: boolean = false;
  /** It was written since the last sync. */
  isDirty: boolean = false;
  /** The backing of its mappings; null before the first. */
  backing: GoferBacking | null = null;

  constructor(
    account: Account,
    inode: GoferRegular,
    fd: number,
    canRead: boolean,
    canWrite: boolean,
  ) {
    this.account = account;
    this.inode = inode;
    this.fd = fd;
    this.canRead = canRead;
    this.canWrite = canWrite;
    inode.fs.descriptors.add(account);
  }

  /** Adds a user. */
  addUser(): this {
    if (this.users++ === 0) this.inode.fs.idle.remove(this);
    if (this.isAhead) {
      this.isAhead = false;
      this.inode.fs.opens.countUsed();
    }
    return this;
  }

  /** Removes a user; without users it is kept for a while. */
  release(): void {
    if (--this.users > 0) return;
    const { inode } = this;
    inode.fs.idle.add(this);
    if (inode.refs <= 0) inode.fs.forget(inode);
  }
}
