/**
 * The accounts of kernel objects of a sandbox, of its containers and of their users
 * (core/account.ts). Containers have equal parts of each quota and of the bytes of all kernel
 * objects. An ordinary user may hold half of its container's part, so that one user cannot keep the
 * others, or root, from working.
 *
 * Neighbours: thread_group.ts (a process's account), change_credentials.ts (moves a process to
 * another user's account).
 */

import { Account } from "../core/account.ts";
import type { DeferredWork } from "../core/deferred_work.ts";
import { KERNEL_SHARE } from "../core/kernel_heap.ts";
import { GroupLists } from "../cred/group_lists.ts";

/** The part of its container's quotas that an ordinary user may hold. */
const USER_SHARE = 0.5;
/** Number of users' accounts that are kept before empty ones are removed. */
const USERS_KEPT = 64;

export class SandboxAccounts {
  readonly root: Account = new Account(null, 1);
  /** Lists of groups that credentials of tasks without a container share. */
  readonly groupLists: GroupLists = new GroupLists();
  private readonly containers: Set<ContainerAccounts> = new Set();
  /** Bytes that kernel objects may take, by the memory limit and by the size of V8's heap. */
  private limitBytes: number = Infinity;
  private heapBytes: number = Infinity;

  /** Sets the bytes that kernel objects may take by the memory limit. */
  setLimit(bytes: number): void {
    this.limitBytes = bytes;
    this.limitRoot();
  }

  /** Sets the bytes of objects that V8's heap holds, in the estimate's terms. */
  setHeapLimit(bytes: number): void {
    this.heapBytes = bytes;
    this.limitRoot();
  }

  private limitRoot(): void {
    this.root.bytesMax = Math.min(this.limitBytes, this.heapBytes);
    this.divide();
  }

  open(): ContainerAccounts {
    const accounts = new ContainerAccounts(this);
    this.containers.add(accounts);
    this.divide();
    return accounts;
  }

  close(accounts: ContainerAccounts): void {
    if (!this.containers.delete(accounts)) return;
    accounts.all.close();
    this.divide();
  }

  private divide(): void {
    const share = 1 / this.containers.size;
    for (const accounts of this.containers) accounts.setShare(share);
  }
}

export class ContainerAccounts {
  /** The container's own account. */
  readonly all: Account;
  /** Lists of groups that the credentials of its tasks share. */
  readonly groupLists: GroupLists = new GroupLists();
  private readonly sandbox: SandboxAccounts;
  private readonly users: Map<number, Account> = new Map();
  private sweepAt: number = USERS_KEPT;
  /** Bytes of kernel objects that the container's own memory limit permits. */
  private ownBytesMax: number = Infinity;

  constructor(sandbox: SandboxAccounts) {
    this.sandbox = sandbox;
    this.all = new Account(sandbox.root, 1);
  }

  /** Sets the container's memory limit, in bytes. */
  setLimit(bytes: number): void {
    this.ownBytesMax = bytes * KERNEL_SHARE;
    this.setShare(this.all.share);
  }

  /**
   * Sets the container's part of the sandbox's quotas, and of the bytes that kernel objects may
   * take.
   */
  setShare(share: number): void {
    const { all } = this;
    all.share = share;
    all.bytesMax = Math.min(this.sandbox.root.bytesMax * share, this.ownBytesMax);
    for (const user of this.users.values()) user.bytesMax = all.bytesMax * user.share;
  }

  /** The account of a user, by its kernel id. */
  ofUser(uid: number): Account {
    const known = this.users.get(uid);
    if (known !== undefined) return known;
    if (this.users.size >= this.sweepAt) this.sweep();
    const user = new Account(this.all, uid === 0 ? 1 : USER_SHARE);
    user.bytesMax = this.all.bytesMax * user.share;
    this.users.set(uid, user);
    return user;
  }

  /** Removes the accounts of users that have neither processes nor objects. */
  private sweep(): void {
    for (const [uid, user] of this.users) {
      if (!user.isIdle) continue;
      user.close();
      this.users.delete(uid);
    }
    this.sweepAt = Math.max(USERS_KEPT, 2 * this.users.size);
  }

  /**
   * The container has ended; its remaining objects stay charged, except for its lists of groups.
   */
  close(deferred: DeferredWork): void {
    this.groupLists.release(deferred);
    this.sandbox.close(this);
  }
}
