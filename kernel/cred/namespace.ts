/**
 * What all kinds of namespaces have in common (namespaces(7)): who owns them, how long they live, and the
 * file that stands for them. The kinds are elsewhere: user_namespace.ts, pid.ts, and those of files, IPC, network and
 * host names with what they hold.
 */

import { type Account, ACCOUNTING } from "../core/account.ts";
import { NAMESPACE_BYTES } from "../core/quota.ts";
import { giveCounts, takeCounts } from "./namespace_counts.ts";
import type { UserNamespace } from "./user_namespace.ts";

/** As in the names of /proc/PID/ns and of nsfs. */
export type NamespaceKind = "cgroup" | "ipc" | "mnt" | "net" | "pid" | "time" | "user" | "uts";

/**
 * What one takes of the kernel's heap, without what is charged for itself (mounts, links, IPC
 * objects).
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
  /** The user namespace whose capabilities count here; of a user namespace its parent; null: it has none. */
  readonly owner: UserNamespace | null;
  /** One of those that the kernel starts with: their numbers are known. */
  readonly isInitial: boolean;
  /** The name of its file; null until it is first asked for (proc/fs/ns_fs.ts). */
  file: object | null = null;
  /** Tasks, open files and other namespaces that need it. */
  refs: number = 0;
  /** Kernel id of whoever it is counted for; -1: nobody. */
  private countedUid: number = -1;
  /** What it is charged to; null: to nothing. */
  private account: Account | null = null;
  private isReleased: boolean = false;

  constructor(owner: UserNamespace | null, isInitial: boolean) {
    this.owner = owner;
    this.isInitial = isInitial;
  }

  /** Nothing needs it any more, and nothing in it is there. */
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
    if (this.owner !== null && this.countedUid >= 0) {
      giveCounts(this.owner, this.countedUid, this.kind);
    }
    if (this.account !== null) NAMESPACE_BYTES.give(BYTES[this.kind], this.account);
    this.release();
  }

  /** It was made, and nobody wants it. */
  discard(): void {
    this.hold().drop();
  }

  /**
   * Counts it for its maker and charges it, once: false when that has too many of its kind
   * (-ENOSPC).
   */
  countFor(uid: number): boolean {
    const account = ACCOUNTING.current, bytes = BYTES[this.kind];
    if (this.owner === null || !NAMESPACE_BYTES.hasRoom(bytes, account)) return false;
    if (!takeCounts(this.owner, uid, this.kind)) return false;
    this.countedUid = uid;
    NAMESPACE_BYTES.add(bytes, account);
    this.account = account;
    return true;
  }

  /** The namespace that NS_GET_PARENT tells of; null: none, or there are no parents among its kind. */
  get parentNamespace(): Namespace | null {
    return null;
  }

  /** Nobody needs it any more. */
  protected release(): void {}
}
