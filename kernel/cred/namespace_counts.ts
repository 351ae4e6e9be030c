/**
 * The limits and counts of namespaces that the users of a user namespace make (/proc/sys/user,
 * namespaces(7)). A namespace is counted for its maker in the maker's user namespace, and for the
 * owner of each user namespace around that in the next outer one. namespace.ts calls this.
 */

import type { NamespaceKind } from "./namespace.ts";
import type { UserNamespace } from "./user_namespace.ts";

/**
 * LIMIT: namespaces of a kind that one user of the first user namespace may have; root can change
 * it.
 */
const FIRST_LIMIT = 16384;
/** The limit in all other user namespaces: INT_MAX, as in Linux. */
const NO_LIMIT = 0x7fffffff;

export class NamespaceCounts {
  private readonly limits: Map<NamespaceKind, number> = new Map();
  /** The counts by kind and kernel user id. */
  private readonly used: Map<string, number> = new Map();
  private readonly firstLimit: number;

  constructor(isFirst: boolean) {
    this.firstLimit = isFirst ? FIRST_LIMIT : NO_LIMIT;
  }

  limit(kind: NamespaceKind): number {
    return this.limits.get(kind) ?? this.firstLimit;
  }
  /** Sets a limit, 0 to 2^31 - 1. Existing namespaces stay. */
  setLimit(kind: NamespaceKind, limit: number): void {
    this.limits.set(kind, limit);
  }

  /** Counts one more for a user; false at the limit. */
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

/**
 * Counts a namespace that `uid` makes in `owner`: false when it is one too many somewhere. `first`:
 * the counts of the first user namespace, which the kernel has.
 */
export function takeCounts(
  owner: UserNamespace,
  uid: number,
  kind: NamespaceKind,
  first: NamespaceCounts,
): boolean {
  let by = uid;
  for (let ns: UserNamespace | null = owner; ns !== null; by = ns.ownerUid, ns = ns.parent) {
    if ((ns.counts ?? first).take(kind, by)) continue;
    giveCounts(owner, uid, kind, first, ns);
    return false;
  }
  return true;
}

/** Undoes the count, up to `end`, where it was not counted. */
export function giveCounts(
  owner: UserNamespace,
  uid: number,
  kind: NamespaceKind,
  first: NamespaceCounts,
  end: UserNamespace | null = null,
): void {
  let by = uid;
  for (let ns: UserNamespace | null = owner; ns !== null && ns !== end; ns = ns.parent) {
    (ns.counts ?? first).give(kind, by);
    by = ns.ownerUid;
  }
}
