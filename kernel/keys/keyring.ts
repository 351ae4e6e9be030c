/**
 * Links between keys: a keyring holds other keys, keyrings among them, with a bounded depth and
 * without cycles. The caller charges quotas (key_store.ts).
 */

import { EACCES, EDEADLK, EKEYEXPIRED, EKEYREVOKED, ELOOP, ENOKEY } from "../../ffi/abi/errno.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { Key } from "./key.ts";
import { KEY_SEARCH, mayUseKey } from "./permission.ts";

/** LIMIT: levels of keyrings below the first one that a search descends. */
const MAX_DEPTH = 6;

/** A search for a key with this index; with `target` for that very key, in whatever state it is. */
export class KeySearch {
  readonly index: string;
  readonly target: Key | null;
  readonly cred: Credentials;
  readonly isPossessed: boolean;
  readonly nowSec: number;
  /** request_key(2): skips expired keys. */
  readonly skipsExpired: boolean;
  /** The error of unusable keys that were found; 0: none was found. */
  error: number = 0;
  /**
   * The level at which each keyring was last searched: at a deeper level a search finds nothing
   * more.
   */
  private readonly seen: Map<Key, number> = new Map();

  constructor(
    index: string,
    target: Key | null,
    cred: Credentials,
    isPossessed: boolean,
    nowSec: number,
    skipsExpired: boolean = false,
  ) {
    this.index = index;
    this.target = target;
    this.cred = cred;
    this.isPossessed = isPossessed;
    this.nowSec = nowSec;
    this.skipsExpired = skipsExpired;
  }

  /** The key in `ring` or below it, or null. `ring` itself may be the key. */
  in(ring: Key): Key | null {
    if (!mayUseKey(ring, this.isPossessed, this.cred, KEY_SEARCH)) {
      this.error = -EACCES;
      return null;
    }
    if (ring.index === this.index) return this.judge(ring);
    return this.below(ring, 0);
  }

  private below(ring: Key, depth: number): Key | null {
    if (ring.isRevoked || (this.seen.get(ring) ?? MAX_DEPTH + 1) <= depth) return null;
    this.seen.set(ring, depth);
    const there = ring.links!.get(this.index),
      found = there === undefined ? null : this.judge(there);
    if (found !== null || depth >= MAX_DEPTH) return found;
    for (const inner of ring.rings!) {
      if (!mayUseKey(inner, this.isPossessed, this.cred, KEY_SEARCH)) continue;
      const deeper = this.below(inner, depth + 1);
      if (deeper !== null) return deeper;
    }
    return null;
  }

  private judge(key: Key): Key | null {
    const checksState = this.target === null;
    if (checksState && (key.isInvalidated || key.isRevoked)) this.error = -EKEYREVOKED;
    else if (checksState && this.nowSec >= key.expirySec) {
      if (!this.skipsExpired) this.error = -EKEYEXPIRED;
    } else if (!checksState && key !== this.target) return null;
    else if (!mayUseKey(key, this.isPossessed, this.cred, KEY_SEARCH)) this.error = -EACCES;
    else if (checksState && key.rejectError !== 0) this.error = key.rejectError;
    else return key;
    return null;
  }
}

/** All keys reachable from some keyrings with the possessor's rights. */
export function possessedKeys(rings: readonly Key[], cred: Credentials): Set<Key> {
  const found: Set<Key> = new Set();
  let level: Set<Key> = new Set();
  for (const ring of rings) if (mayUseKey(ring, true, cred, KEY_SEARCH)) level.add(ring);
  for (let depth = 0; depth <= MAX_DEPTH && level.size > 0; depth++) {
    const next: Set<Key> = new Set();
    for (const ring of level) {
      found.add(ring);
      if (ring.isRevoked) continue;
      for (const key of ring.links!.values()) {
        if (!mayUseKey(key, true, cred, KEY_SEARCH)) continue;
        if (key.rings !== null && !found.has(key)) next.add(key);
        found.add(key);
      }
    }
    level = next;
  }
  return found;
}

/**
 * 0 if `key` may be linked to `ring`; -EDEADLK for a cycle, -ELOOP when there are too many levels
 * below it.
 */
export function checkNesting(ring: Key, key: Key): number {
  if (key.rings === null) return 0;
  if (key === ring) return -EDEADLK;
  let level: Set<Key> = new Set([key]);
  for (let depth = 0; level.size > 0; depth++) {
    const next: Set<Key> = new Set();
    for (const at of level) for (const inner of at.rings!) next.add(inner);
    if (next.has(ring)) return -EDEADLK;
    if (depth >= MAX_DEPTH && next.size > 0) return -ELOOP;
    level = next;
  }
  return 0;
}

/** The error of a search for its caller: -ENOKEY when nothing was found. */
export function searchError(search: KeySearch): number {
  return search.error === 0 ? -ENOKEY : search.error;
}
