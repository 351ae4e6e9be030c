/**
 * User namespaces (user_namespaces(7)): ids inside and outside, who owns one, and the capabilities that one has in
 * another's. Ids in credentials, inodes and messages are those of the initial namespace ("kernel ids"); what a process
 * gives or gets is translated at the border.
 *
 * Neighbours: id_map.ts (the text of uid_map and who may write it).
 */

import { Namespace } from "./namespace.ts";
import { NamespaceCounts } from "./namespace_counts.ts";

/** LIMIT: nested user namespaces. */
export const USER_NAMESPACE_LEVELS = 32;
/** What an id without a name in a namespace is shown as (/proc/sys/kernel/overflowuid). */
export const OVERFLOW_ID = 65534;
/** No id at all: (uid_t) -1. */
export const NO_ID = 0xffffffff;

/** `count` ids: from `first` inside, from `lower` as kernel ids. */
export interface IdExtent {
  readonly first: number;
  readonly lower: number;
  readonly count: number;
}

const IDENTITY: readonly IdExtent[] = [{ first: 0, lower: 0, count: 0xffffffff }];

/** The keyrings of the users of a namespace (keys/user_keyrings.ts). */
export interface NamespaceKeyrings {
  /** The namespace is gone. */
  release(): void;
}

export class UserNamespace extends Namespace {
  override readonly kind = "user";
  readonly parent: UserNamespace | null;
  /** How far from the initial one, which is 0. */
  readonly level: number;
  /** Kernel ids of whoever made it. */
  readonly ownerUid: number;
  readonly ownerGid: number;
  /** Empty until they are written. */
  uidMap: readonly IdExtent[];
  gidMap: readonly IdExtent[];
  /** Of project ids, which no file system here has. */
  projidMap: readonly IdExtent[];
  /** setgroups(2) may be used: /proc/PID/setgroups. */
  allowsSetgroups: boolean;
  /** Its maker had CAP_SETFCAP in the parent: it may map id 0 of the parent. */
  readonly parentCouldSetfcap: boolean;
  /** What its users may have, and have. */
  readonly counts: NamespaceCounts;
  /** Null until somebody asks for one. */
  keyrings: NamespaceKeyrings | null = null;

  constructor(
    parent: UserNamespace | null,
    ownerUid: number,
    ownerGid: number,
    parentCouldSetfcap: boolean,
  ) {
    super(parent, parent === null);
    this.parent = parent?.hold() ?? null;
    this.level = parent === null ? 0 : parent.level + 1;
    this.ownerUid = ownerUid;
    this.ownerGid = ownerGid;
    this.uidMap = parent === null ? IDENTITY : [];
    this.gidMap = parent === null ? IDENTITY : [];
    this.projidMap = parent === null ? IDENTITY : [];
    this.allowsSetgroups = parent === null || parent.allowsSetgroups;
    this.parentCouldSetfcap = parentCouldSetfcap;
    this.counts = new NamespaceCounts(parent === null);
  }

  override get parentNamespace(): Namespace | null {
    return this.parent;
  }

  protected override release(): void {
    this.keyrings?.release();
    this.parent?.drop();
  }

  /** `other` is this namespace or lies within it. */
  encloses(other: UserNamespace): boolean {
    let ns: UserNamespace | null = other;
    while (ns !== null && ns.level > this.level) ns = ns.parent;
    return ns === this;
  }

  /** Kernel id of an id inside, or NO_ID. */
  kernelUid(uid: number): number {
    return this.isInitial ? uid : down(this.uidMap, uid);
  }
  kernelGid(gid: number): number {
    return this.isInitial ? gid : down(this.gidMap, gid);
  }

  /** The id inside for a kernel id, or NO_ID. */
  uidOf(kernelId: number): number {
    return this.isInitial ? kernelId : up(this.uidMap, kernelId);
  }
  gidOf(kernelId: number): number {
    return this.isInitial ? kernelId : up(this.gidMap, kernelId);
  }
  projidOf(kernelId: number): number {
    return this.isInitial ? kernelId : up(this.projidMap, kernelId);
  }

  /** As `uidOf`, with the overflow id for what has no name here. HOT */
  shownUid(kernelId: number): number {
    if (this.isInitial) return kernelId;
    const id = up(this.uidMap, kernelId);
    return id === NO_ID ? OVERFLOW_ID : id;
  }
  shownGid(kernelId: number): number {
    if (this.isInitial) return kernelId;
    const id = up(this.gidMap, kernelId);
    return id === NO_ID ? OVERFLOW_ID : id;
  }

  hasUid(kernelId: number): boolean {
    return this.isInitial || up(this.uidMap, kernelId) !== NO_ID;
  }
  hasGid(kernelId: number): boolean {
    return this.isInitial || up(this.gidMap, kernelId) !== NO_ID;
  }
}

/** The first one. Its ids never change, so all kernels of a process share it. */
export const INITIAL_USER_NAMESPACE: UserNamespace = new UserNamespace(null, 0, 0, true);

function down(map: readonly IdExtent[], id: number): number {
  for (const e of map) if (id >= e.first && id - e.first < e.count) return e.lower + id - e.first;
  return NO_ID;
}

function up(map: readonly IdExtent[], id: number): number {
  for (const e of map) if (id >= e.lower && id - e.lower < e.count) return e.first + id - e.lower;
  return NO_ID;
}
