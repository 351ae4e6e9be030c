/**
 * The base class of all kinds of namespaces (namespaces(7)): owner, lifetime, charge, and the file
 * that stands for it. The kinds are in user_namespace.ts, time_namespace.ts, pid.ts, and in the
 * folders of files, IPC, network, cgroup and host names.
 */

import type { Account } from "../core/account.ts";
import { NAMESPACE_BYTES } from "../core/quota.ts";
import { giveCounts, type NamespaceCounts, takeCounts } from "./namespace_counts.ts";
import type { UserNamespace } from "./user_namespace.ts";

/** The names in /proc/PID/ns and nsfs. */
export type NamespaceKind = "cgroup" | "ipc" | "mnt" | "net" | "pid" | "time" | "user" | "uts";

/**
 * The heap bytes of a namespace, without what is charged for itself (mounts, links, IPC objects).
 */
const BYTES: Readonly<Record<NamespaceKind, number>> = {
  cgroup: 1500,
  ipc: 6500,
  mnt: 2000,
  net: 25_000,
  pid: 2000,
  time: 1500,
  user: 2500,
  uts: 1500,
};

export abstract class Namespace {
  abstract readonly kind: NamespaceKind;
  /**
   * The user namespace whose capabilities count here; for a user namespace its parent; null for the
   * first one.
   */
  readonly owner: UserNamespace | null;
  /** It is one that the kernel starts with, which have fixed inode numbers. */
  readonly isInitial: boolean;
  /** Its file of nsfs; null until the first use (proc/fs/ns_fs.ts). */
  file: object | null = null;
  /** References from tasks, open files and other namespaces. */
  refs: number = 0;
  /** The kernel id of the user that it is counted for; -1: none. */
  private countedUid: number = -1;
  /** The kernel's counts of the initial user namespace; null: this namespace is not counted. */
  private firstCounts: NamespaceCounts | null = null;
  /** The account that it is charged to; null: none. */
  private account: Account | null = null;
  private isReleased: boolean = false;

  constructor(owner: UserNamespace | null, isInitial: boolean) {
    this.owner = owner;
    this.isInitial = isInitial;
  }

  /** It has no references any more, and its contents are freed. */
  get isGone(): boolean {
    return this.isReleased;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  drop(): void {
    if (--this.refs > 0 || this.isReleased) return;
    this.isReleased = true;
    if (this.owner !== null && this.firstCounts !== null) {
      giveCounts(this.owner, this.countedUid, this.kind, this.firstCounts);
    }
    if (this.account !== null) NAMESPACE_BYTES.give(BYTES[this.kind], this.account);
    this.release();
  }

  /** Frees a new namespace that is not used. */
  discard(): void {
    this.hold().drop();
  }

  /**
   * Counts it for its maker and charges it, once: false when the maker has too many of its kind
   * (-ENOSPC).
   */
  countFor(uid: number, account: Account, first: NamespaceCounts): boolean {
    const bytes = BYTES[this.kind];
    if (this.owner === null || !NAMESPACE_BYTES.hasRoom(bytes, account)) return false;
    if (!takeCounts(this.owner, uid, this.kind, first)) return false;
    this.countedUid = uid;
    this.firstCounts = first;
    NAMESPACE_BYTES.add(bytes, account);
    this.account = account;
    return true;
  }

  /** The namespace of NS_GET_PARENT; null: none, or its kind has no parents. */
  get parentNamespace(): Namespace | null {
    return null;
  }

  /** Frees its contents; called once, without references. */
  protected release(): void {}
}
