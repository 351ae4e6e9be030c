/**
 * Long lists of supplementary groups (setgroups(2)). Tasks, open files, keys and messages share
 * credentials, whose users are not counted. So a long list is kept once for all credentials of a
 * container with the same groups, and stays charged until the container ends: otherwise root of a
 * container could take 512 KB of the kernel's heap for each open file.
 */

import type { Account } from "../core/account.ts";
import { type DeferredWork, WorkList } from "../core/deferred_work.ts";
import { GROUP_LIST_BYTES } from "../core/quota.ts";

/** Lists up to this length are part of the charge of their credentials. */
const SHORT = 32;
/** The heap bytes of each number of a list, and of the rest. */
const NUMBER_BYTES = 8, LIST_BYTES = 200;
/** LIMIT: lists with one hash; a guest can make lists with equal hashes. */
const SAME_HASH_MAX = 8;
/** The parameters of the hash FNV-1a. */
export const HASH_START = 0x811c9dc5;
const HASH_FACTOR = 0x01000193;
/** Units of deferred work to give one charge back. */
const RELEASE_UNITS = 0.25;

/** The charge of a list. */
interface Charge {
  readonly account: Account;
  readonly bytes: number;
}

/** Gives charges back in slices: short lists fit 140,000 times into the quota. */
export class ChargesEnd extends WorkList<Charge> {
  protected override each({ account, bytes }: Charge): void {
    GROUP_LIST_BYTES.give(bytes, account);
  }
}

export class GroupLists {
  private byHash: Map<number, (readonly number[])[]> = new Map();
  private charges: Charge[] = [];

  /**
   * The shared list of these groups, which are sorted and have this hash; null when the account has
   * no room for a new one.
   */
  sharedList(
    groups: readonly number[],
    account: Account,
    hash: number = groups.reduce(hashOn, HASH_START),
  ): readonly number[] | null {
    if (groups.length <= SHORT) return groups;
    const lists = this.byHash.get(hash);
    for (const list of lists ?? []) if (isSame(list, groups)) return list;
    if (lists !== undefined && lists.length >= SAME_HASH_MAX) return null;
    const bytes = LIST_BYTES + groups.length * NUMBER_BYTES;
    if (!GROUP_LIST_BYTES.take(bytes, account)) return null;
    this.charges.push({ account, bytes });
    if (lists === undefined) this.byHash.set(hash, [groups]);
    else lists.push(groups);
    return groups;
  }

  /** Releases all charges, when no task has a list any more. */
  release(deferred: DeferredWork): void {
    deferred.begin(new ChargesEnd(this.charges, RELEASE_UNITS));
    this.charges = [];
    this.byHash = new Map();
  }
}

/** The hash of a list with one more group at its end. */
export function hashOn(hash: number, gid: number): number {
  return Math.imul(hash ^ gid, HASH_FACTOR);
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
