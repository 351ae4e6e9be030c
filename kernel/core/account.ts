/**
 * Accounts of kernel objects: the number of objects of each kind, and about how many bytes of the
 * Sentry's heap, that a process, a user, a container and the whole sandbox hold. An object is
 * charged to the process that makes it and, through its chain of parents, to that process's user,
 * container and sandbox. It keeps its account and is uncharged there, whichever process releases
 * it. So a user or container that takes its whole share leaves the shares of the others alone.
 *
 *     process 12 -> user 1000 -> container "web" -> sandbox
 *
 * Neighbours: quota.ts (the kinds and their limits), task/accounts.ts (the account of each
 * process). The whole mechanism: docs/internals/accounts.md.
 */

/** LIMIT: kinds of objects; quota.ts numbers them. */
export const KINDS_MAX = 64;

export class Account {
  parent: Account | null;
  /** The number of objects by kind. */
  readonly counts: Float64Array<ArrayBuffer> = new Float64Array(KINDS_MAX);
  /** Estimated bytes of the Sentry's heap. */
  bytes: number = 0;
  bytesMax: number = Infinity;
  /** The share of its parent's share of each quota that it may have, 0 to 1. */
  share: number;
  /** Living accounts below it. */
  members: number = 0;
  isClosed: boolean = false;

  constructor(parent: Account | null, share: number) {
    this.parent = parent;
    this.share = share;
    if (parent !== null) parent.members++;
  }

  /**
   * Moves the account, with what is charged to it, to another parent: a process has another user or
   * container.
   */
  moveTo(parent: Account): void {
    const { counts, bytes } = this;
    for (let a = this.parent; a !== null; a = a.parent) a.subtract(counts, bytes);
    for (let a: Account | null = parent; a !== null; a = a.parent) a.subtract(counts, bytes, -1);
    if (this.parent !== null) this.parent.members--;
    this.parent = parent;
    parent.members++;
  }

  private subtract(counts: Float64Array<ArrayBuffer>, bytes: number, sign: number = 1): void {
    this.bytes -= sign * bytes;
    for (let kind = 0; kind < KINDS_MAX; kind++) this.counts[kind]! -= sign * counts[kind]!;
  }

  /** Nothing will be charged to it any more; what is charged stays until it is given back. */
  close(): void {
    this.isClosed = true;
    if (this.parent !== null) this.parent.members--;
  }

  /** Nothing refers to it: the owner of its table may drop it. */
  get isIdle(): boolean {
    return this.members === 0 && this.bytes === 0 && this.counts.every((count) => count === 0);
  }
}

/**
 * Whether `count` more objects of a kind may be charged to an account and all of its parents. HOT
 */
export function hasRoom(
  account: Account,
  kind: number,
  limit: number,
  count: number,
  bytes: number,
): boolean {
  for (let a: Account | null = account; a !== null; a = a.parent) {
    if (a.bytes + bytes > a.bytesMax) return false;
    const share = a.parent === null ? a.share : a.share * a.parent.share;
    if (a.counts[kind]! + count > limit * share) return false;
  }
  return true;
}

/** What is charged to an account is charged to an account above it. */
export function passUp(
  account: Account,
  above: Account,
  kind: number,
  count: number,
  bytes: number,
): void {
  for (let a: Account | null = account; a !== null && a !== above; a = a.parent) {
    a.bytes -= bytes;
    a.counts[kind]! -= count;
  }
}

/** Charges an account and all of its parents without a check; negative numbers give back. HOT */
export function charge(account: Account, kind: number, count: number, bytes: number): void {
  for (let a: Account | null = account; a !== null; a = a.parent) {
    a.bytes += bytes;
    a.counts[kind]! += count;
  }
}
