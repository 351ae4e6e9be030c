/**
 * Long lists of supplementary groups (setgroups(2)). Credentials are shared by tasks, open files,
 * keys and messages, and nothing counts their users. So a long list is kept once for all
 * credentials that have the same groups, until the sandbox ends, and stays charged: otherwise a
 * root of a container takes 512 KB of the kernel's heap for each open file.
 */

import { GROUP_LIST_BYTES } from "../core/quota.ts";

/** Lists up to this length are a part of their credentials' charge. */
const SHORT = 32;
/** What a list takes of the kernel's heap: its numbers, and the rest. */
const NUMBER_BYTES = 8, LIST_BYTES = 200;
/** Parameters of a hash (FNV-1a). */
const HASH_START = 0x811c9dc5, HASH_FACTOR = 0x01000193;

export class GroupLists {
  private readonly byHash: Map<number, (readonly number[])[]> = new Map();

  /**
   * The list to keep for these groups, which are sorted; null: there is no memory for another one.
   */
  keep(groups: readonly number[]): readonly number[] | null {
    if (groups.length <= SHORT) return groups;
    const hash = hashOf(groups), lists = this.byHash.get(hash);
    for (const list of lists ?? []) if (isSame(list, groups)) return list;
    if (!GROUP_LIST_BYTES.take(LIST_BYTES + groups.length * NUMBER_BYTES)) return null;
    if (lists === undefined) this.byHash.set(hash, [groups]);
    else lists.push(groups);
    return groups;
  }
}

function hashOf(groups: readonly number[]): number {
  let hash = HASH_START;
  for (const gid of groups) hash = Math.imul(hash ^ gid, HASH_FACTOR);
  return hash;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
