/**
 * A key as keyrings(7) describes it, and what there is of each user's keys. Plain state: what may be done to it is in
 * key_store.ts (making, changing, quotas), keyring.ts (links) and permission.ts.
 */

import { type Account, ACCOUNTING } from "../core/account.ts";
import { flatString } from "../core/bytes.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { KeyType } from "./key_types.ts";
import type { KeyHolder } from "./task_keyrings.ts";

/** How many keys and bytes of keys a user owns (/proc/key-users). */
export class KeyUser {
  readonly uid: number;
  keys: number = 0;
  instantiated: number = 0;
  /** Those that count for the user's quota. */
  quotaKeys: number = 0;
  quotaBytes: number = 0;

  constructor(uid: number) {
    this.uid = uid;
  }
}

/** Somebody asked for a key that is not there yet (request_key(2)). */
export interface KeyRequest {
  readonly target: Key;
  /** Where it goes besides, and what there was to say about it. */
  readonly destination: Key | null;
  readonly callout: string;
  /** Whose keyrings its maker may search. */
  readonly requester: KeyHolder;
  readonly pid: number;
}

export class Key {
  /** What it is charged to. */
  readonly account: Account = ACCOUNTING.current;
  /** Its number, in all namespaces; 0: it is gone. */
  serial: number;
  readonly type: KeyType;
  /** A byte string. */
  readonly description: string;
  /** What keyrings tell keys apart by. */
  readonly index: string;
  /** Whose quota it uses. */
  user: KeyUser;
  /** Kernel ids. */
  uid: number;
  gid: number;
  perm: number;
  readonly isInQuota: boolean;
  /** Bytes that it was charged for, and those of its contents among them. */
  chargedBytes: number = 0;
  contentBytes: number = 0;
  /** Bytes that its contents really take. */
  heldBytes: number = 0;

  /** Null: none yet, or none any more; keyrings never have any. */
  payload: Uint8Array<ArrayBuffer> | null = null;
  /** Of a keyring: its keys by `index`, and those that are keyrings. */
  readonly links: Map<string, Key> | null;
  readonly rings: Set<Key> | null;
  /** Keyrings that it is linked to. */
  readonly holders: Set<Key> = new Set();
  /** Who else needs it: credentials, requests, user namespaces. */
  pins: number = 0;

  /** Requesters wait here until it is instantiated; null: it is not under construction. */
  construction: WaitQueue | null = null;
  /** Of an authorisation key: what may be instantiated with it. */
  request: KeyRequest | null = null;
  isInstantiated: boolean = false;
  /** A negative key: the error that its readers get, as a negative number. */
  rejectError: number = 0;
  isRevoked: boolean = false;
  isInvalidated: boolean = false;
  /** CLOCK_REALTIME seconds; Infinity: never. */
  expirySec: number = Infinity;
  /** KEYCTL_RESTRICT_KEYRING: nothing can be linked to it. */
  isRestricted: boolean = false;
  /** The user or user-session keyring of somebody. */
  isUserKeyring: boolean = false;

  constructor(
    serial: number,
    type: KeyType,
    description: string,
    user: KeyUser,
    gid: number,
    perm: number,
    isInQuota: boolean,
  ) {
    this.serial = serial;
    this.type = type;
    this.description = flatString(description);
    this.index = keyIndex(type, this.description);
    this.user = user;
    this.uid = user.uid;
    this.gid = gid;
    this.perm = perm;
    this.isInQuota = isInQuota;
    this.links = type.isKeyring ? new Map() : null;
    this.rings = type.isKeyring ? new Set() : null;
  }

  /** What stands behind its name in /proc/keys. */
  get detail(): string {
    if (!this.isInstantiated || this.rejectError !== 0) return "";
    if (this.links !== null) return this.links.size === 0 ? ": empty" : `: ${this.links.size}`;
    return this.type.detail(this);
  }
}

export function keyIndex(type: KeyType, description: string): string {
  return `${type.name}\0${description}`;
}

/** A key and whether the caller possesses it: it was reached from one of the caller's keyrings. */
export interface KeyRef {
  readonly key: Key;
  readonly isPossessed: boolean;
}
