/**
 * A host descriptor that the Gofer donated for a file. All open files and mappings of the file with
 * the same access share it, so every call gives an offset and the descriptor's own position is
 * unused. idle_files.ts keeps those without users.
 */

import { ESTALE } from "../../../ffi/abi/errno.ts";
import { O_RDONLY, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import type { Account } from "../../core/account.ts";
import type { GoferBacking } from "./backing.ts";
import type { GoferRegular } from "./regular.ts";

export class DonatedFile {
  readonly inode: GoferRegular;
  /** -1: the file was lost at a restore. Changed by `reopen` only. */
  fd: number;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  /** The account that the descriptor is charged to: that of a user, or of the last one. */
  account: Account;
  /** The open files and mapped areas that use it. */
  users: number = 0;
  /** The open files and memories of `account`, and of others that are charged after it. */
  private own: number = 0;
  private others: Map<Account, number> | null = null;
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
    inode.fs.donated.add(this);
  }

  /** The flags of open(2) that it has. */
  get access(): number {
    if (!this.canWrite) return O_RDONLY;
    return this.canRead ? O_RDWR : O_WRONLY;
  }

  /** Works with another descriptor of the file from now on (a restore), or with none (-1). */
  reopen(fd: number): void {
    this.fd = fd;
    this.backing?.reopen();
  }

  /** The error of a host call on it that failed with `r`. */
  failure(r: number): number {
    return this.fd < 0 ? -ESTALE : r;
  }

  /**
   * Whether another open file of the account can use it: to open one without users, which is
   * charged to another account, takes room. An account that has more than its part already, because
   * it was left with charges of others, can open no further one. `addUser` must follow.
   */
  mayOpen(account: Account): boolean {
    const { fs } = this.inode, before = this.account;
    if (account === before) return true;
    if (this.own > 0) return !fs.descriptors.hasTooMany(account);
    // Both may be parts of an account that is full, and this file must not be closed for itself.
    fs.descriptors.give(before);
    fs.idle.remove(this);
    const has = fs.hasRoomForFile(account);
    fs.descriptors.add(before);
    if (!has) fs.idle.add(this);
    return has;
  }

  /** An open file of the account, or a memory, uses it from now on. */
  addPayer(account: Account): void {
    if (this.own === 0) this.chargeTo(account);
    if (account === this.account) this.own++;
    else {
      this.others ??= new Map();
      this.others.set(account, (this.others.get(account) ?? 0) + 1);
    }
  }

  /** And no longer: the last one of `account` leaves the charge to another account. */
  removePayer(account: Account): void {
    const { others } = this;
    if (account !== this.account) {
      const left = others!.get(account)! - 1;
      if (left > 0) others!.set(account, left);
      else others!.delete(account);
      return;
    }
    if (--this.own > 0 || others === null) return;
    for (const [next, uses] of others) {
      others.delete(next);
      this.chargeTo(next);
      this.own = uses;
      return;
    }
  }

  private chargeTo(account: Account): void {
    if (account === this.account) return;
    this.inode.fs.descriptors.move(this.account, account);
    this.account = account;
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
