/**
 * A key of keyrings(7), and the totals of each user's keys. Plain state: key_store.ts makes and
 * changes keys and charges quotas, keyring.ts handles links, permission.ts decides what is allowed.
 */

import type { Account } from "../core/account.ts";
import { flatString } from "../core/bytes.ts";
import type { WaitQueue } from "../core/wait.ts";
import { type KeyType, typeNamed } from "./key_types.ts";
import type { KeyHolder } from "./task_keyrings.ts";

/** Number and bytes of the keys that a user owns (/proc/key-users). */
export class KeyUser {
  readonly uid: number;
  keys: number = 0;
  instantiated: number = 0;
  /** Keys and bytes that count for the user's quota. */
  quotaKeys: number = 0;
  quotaBytes: number = 0;

  constructor(uid: number) {
    this.uid = uid;
  }
}

/** A request for a key that does not exist yet (request_key(2)). */
export interface KeyRequest {
  readonly target: Key;
  /** Keyring to link the key to, and the call-out information. */
  readonly destination: Key | null;
  readonly callout: string;
  /** The task that made the request: the program that makes the key may search its keyrings. */
  readonly requester: KeyHolder;
  readonly pid: number;
}

export class Key {
  /** The account that the key is charged to. */
  readonly account: Account;
  /** Its id, in all namespaces; 0: it was destroyed. */
  serial: number;
  /** The name of its type: types have functions and are no state. */
  private readonly typeName: string;
  /** A byte string. */
  readonly description: string;
  /** Type and description as one string; a keyring has at most one key of an index. */
  readonly index: string;
  /** The user whose quota it uses. */
  user: KeyUser;
  /** Owner and group, as kernel ids. */
  uid: number;
  gid: number;
  perm: number;
  readonly isInQuota: boolean;
  /** Bytes charged to the quota, and the part of them for its contents. */
  chargedBytes: number = 0;
  contentBytes: number = 0;
  /** Bytes that the contents occupy. */
  heldBytes: number = 0;

  /** Null: no contents (any more); keyrings never have any. */
  payload: Uint8Array<ArrayBuffer> | null = null;
  /** Of a keyring: its keys by `index`, and those among them that are keyrings. */
  readonly links: Map<string, Key> | null;
  readonly rings: Set<Key> | null;
  /** Keyrings that link to it. */
  readonly holders: Set<Key> = new Set();
  /** Number of other references: credentials, requests, user namespaces. */
  pins: number = 0;

  /** Requesters wait here until it is instantiated; null: not under construction. */
  construction: WaitQueue | null = null;
  /** Of an authorisation key: the request that it permits to instantiate. */
  request: KeyRequest | null = null;
  isInstantiated: boolean = false;
  /** A negative key: the error for its readers, as a negative number. */
  rejectError: number = 0;
  isRevoked: boolean = false;
  isInvalidated: boolean = false;
  /** Expiry, CLOCK_REALTIME seconds; Infinity: never. */
  expirySec: number = Infinity;
  /** KEYCTL_RESTRICT_KEYRING: no key can be linked to it. */
  isRestricted: boolean = false;
  /** It is the user keyring or user-session keyring of a user. */
  isUserKeyring: boolean = false;

  constructor(
    account: Account,
    serial: number,
    type: KeyType,
    description: string,
    user: KeyUser,
    gid: number,
    perm: number,
    isInQuota: boolean,
  ) {
    this.account = account;
    this.serial = serial;
    this.typeName = type.name;
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

  get type(): KeyType {
    return typeNamed(this.typeName);
  }

  /** The text behind its name in /proc/keys. */
  get detail(): string {
    if (!this.isInstantiated || this.rejectError !== 0) return "";
    if (this.links !== null) return this.links.size === 0 ? ": empty" : `: ${this.links.size}`;
    return this.type.detail(this);
  }
}

/** The text by which a keyring finds a key: type and description. */
export function keyIndex(type: KeyType, description: string): string {
  return `${type.name}\0${description}`;
}

/**
 * A key, and whether the caller possesses it: it is reachable from one of the caller's keyrings.
 */
export interface KeyRef {
  readonly key: Key;
  readonly isPossessed: boolean;
}
