/**
 * How many namespaces of each kind the users of a user namespace may have, and have
 * (/proc/sys/user, namespaces(7)). Who makes one is counted there, and its makers in each of the
 * user namespaces around it. Numbers alone: what is counted is in namespace.ts.
 */

import type { NamespaceKind } from "./namespace.ts";
import type { UserNamespace } from "./user_namespace.ts";

/** LIMIT: namespaces of a kind that one user of the first user namespace may have; root can change it. */
const FIRST_LIMIT = 16384;
/** The limit in each other one: INT_MAX, as in Linux. */
const NO_LIMIT = 0x7fffffff;

export class NamespaceCounts {
  private readonly limits: Map<NamespaceKind, number> = new Map();
  /** By kind and kernel id of the user. */
  private readonly used: Map<string, number> = new Map();
  private readonly firstLimit: number;

  constructor(isFirst: boolean) {
    this.firstLimit = isFirst ? FIRST_LIMIT : NO_LIMIT;
  }

  limit(kind: NamespaceKind): number {
    return this.limits.get(kind) ?? this.firstLimit;
  }
  /** `limit` is 0 to 2^31 - 1. What is there stays. */
  setLimit(kind: NamespaceKind, limit: number): void {
    this.limits.set(kind, limit);
  }

  /** One more of a user, or false. */
  take(kind: NamespaceKind, uid: number): boolean {
    const key = `${kind}:${uid}`, used = this.used.get(key) ?? 0;
    if (used >= this.limit(kind)) return false;
    this.used.set(key, used + 1);
    return true;
  }

  give(kind: NamespaceKind, uid: number): void {
    const key = `${kind}:${uid}`, used = this.used.get(key) ?? 0;
    if (used > 1) this.used.set(key, used - 1);
    else this.used.delete(key);
  }
}

/** Counts a namespace that `uid` makes in `owner`: false when it is one too many somewhere. */
export function takeCounts(owner: UserNamespace, uid: number, kind: NamespaceKind): boolean {
  let by = uid;
  for (let ns: UserNamespace | null = owner; ns !== null; by = ns.ownerUid, ns = ns.parent) {
    if (ns.counts.take(kind, by)) continue;
    giveCounts(owner, uid, kind, ns);
    return false;
  }
  return true;
}

/** Takes it back, up to `end`, where it was not counted. */
export function giveCounts(
  owner: UserNamespace,
  uid: number,
  kind: NamespaceKind,
  end: UserNamespace | null = null,
): void {
  let by = uid;
  for (let ns: UserNamespace | null = owner; ns !== null && ns !== end; ns = ns.parent) {
    ns.counts.give(kind, by);
    by = ns.ownerUid;
  }
}
