/**
 * User namespaces (user_namespaces(7)): their maps of ids, their owner, and their keyrings. Ids in
 * credentials, inodes and messages are those of the initial namespace ("kernel ids"); system calls
 * translate the ids of their arguments and results.
 *
 * Neighbours: id_map.ts (the text of uid_map and the permission to write it), credentials.ts
 * (`hasCapIn`).
 */

import { Namespace } from "./namespace.ts";
import { NamespaceCounts } from "./namespace_counts.ts";

/** LIMIT: nested user namespaces. */
export const USER_NAMESPACE_LEVELS = 32;
/** The id that is shown for an id that is not mapped (/proc/sys/kernel/overflowuid). */
export const OVERFLOW_ID = 65534;
/** No id: (uid_t) -1. */
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
  /** Called when the namespace is freed. */
  release(): void;
}

export class UserNamespace extends Namespace {
  override readonly kind = "user";
  readonly parent: UserNamespace | null;
  /** The distance from the initial one, which is 0. */
  readonly level: number;
  /** The kernel ids of its maker. */
  readonly ownerUid: number;
  readonly ownerGid: number;
  /** Empty until they are written. */
  uidMap: readonly IdExtent[];
  gidMap: readonly IdExtent[];
  /** The map of project ids, which no file system here has. */
  projidMap: readonly IdExtent[];
  /** setgroups(2) may be used: /proc/PID/setgroups. */
  allowsSetgroups: boolean;
  /** Its maker had CAP_SETFCAP in the parent: it may map id 0 of the parent. */
  readonly parentCouldSetfcap: boolean;
  /** Limits and counts of its users; null: the first namespace, whose counts are the kernel's. */
  readonly counts: NamespaceCounts | null;
  /** Null until the first use. */
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
    this.counts = parent === null ? null : new NamespaceCounts(false);
  }

  override get parentNamespace(): Namespace | null {
    return this.parent;
  }

  /** The first one is always there. */
  override hold(): this {
    return this.isInitial ? this : super.hold();
  }
  override drop(): void {
    if (!this.isInitial) super.drop();
  }

  protected override release(): void {
    this.keyrings?.release();
    this.parent?.drop();
  }

  /** Whether `other` is this namespace or inside it. */
  encloses(other: UserNamespace): boolean {
    let ns: UserNamespace | null = other;
    while (ns !== null && ns.level > this.level) ns = ns.parent;
    return ns === this;
  }

  /** The kernel id of an id of this namespace, or NO_ID. */
  kernelUid(uid: number): number {
    return this.isInitial ? uid : toKernelId(this.uidMap, uid);
  }
  kernelGid(gid: number): number {
    return this.isInitial ? gid : toKernelId(this.gidMap, gid);
  }

  /** The id of this namespace for a kernel id, or NO_ID. */
  uidOf(kernelId: number): number {
    return this.isInitial ? kernelId : fromKernelId(this.uidMap, kernelId);
  }
  gidOf(kernelId: number): number {
    return this.isInitial ? kernelId : fromKernelId(this.gidMap, kernelId);
  }
  projidOf(kernelId: number): number {
    return this.isInitial ? kernelId : fromKernelId(this.projidMap, kernelId);
  }

  /** As `uidOf`, with the overflow id for an id that is not mapped. HOT */
  shownUid(kernelId: number): number {
    if (this.isInitial) return kernelId;
    const id = fromKernelId(this.uidMap, kernelId);
    return id === NO_ID ? OVERFLOW_ID : id;
  }
  shownGid(kernelId: number): number {
    if (this.isInitial) return kernelId;
    const id = fromKernelId(this.gidMap, kernelId);
    return id === NO_ID ? OVERFLOW_ID : id;
  }

  hasUid(kernelId: number): boolean {
    return this.isInitial || fromKernelId(this.uidMap, kernelId) !== NO_ID;
  }
  hasGid(kernelId: number): boolean {
    return this.isInitial || fromKernelId(this.gidMap, kernelId) !== NO_ID;
  }
}

/** The first user namespace. Its ids never change, so all kernels of a process share it. */
export const INITIAL_USER_NAMESPACE: UserNamespace = new UserNamespace(null, 0, 0, true);
Object.freeze(INITIAL_USER_NAMESPACE);

function toKernelId(map: readonly IdExtent[], id: number): number {
  for (const e of map) if (id >= e.first && id - e.first < e.count) return e.lower + id - e.first;
  return NO_ID;
}

function fromKernelId(map: readonly IdExtent[], id: number): number {
  for (const e of map) if (id >= e.lower && id - e.lower < e.count) return e.first + id - e.lower;
  return NO_ID;
}
