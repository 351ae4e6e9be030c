/**
 * Keyrings of users, which outlive their processes: user-keyring(7), user-session-keyring(7),
 * persistent-keyring(7). Each user namespace has its own, registered in two keyrings without an id
 * that programs could use.
 */

import type { Account } from "../core/account.ts";
import { type NamespaceKeyrings, NO_ID, type UserNamespace } from "../cred/user_namespace.ts";
import { type Key, keyIndex } from "./key.ts";
import type { KeyStore } from "./key_store.ts";
import { KEYRING } from "./key_types.ts";
import { KEY_ALL, KEY_READ, KEY_SEARCH, KEY_SETATTR, KEY_VIEW, KEY_WRITE } from "./permission.ts";
import { OWNER, POSSESSOR } from "./permission.ts";

/**
 * Rights on keyrings of users: the possessor cannot change attributes, the owner may do everything.
 */
const POSSESSOR_RIGHTS = (KEY_ALL & ~KEY_SETATTR) << POSSESSOR;
const USER_RIGHTS = POSSESSOR_RIGHTS | KEY_ALL << OWNER;
const REGISTER_RIGHTS = (KEY_WRITE | KEY_SEARCH) << POSSESSOR | (KEY_VIEW | KEY_READ) << OWNER;
const PERSISTENT_RIGHTS = POSSESSOR_RIGHTS | (KEY_VIEW | KEY_READ) << OWNER;

interface UserRings {
  readonly user: Key;
  readonly session: Key;
}

export class UserKeyrings implements NamespaceKeyrings {
  private readonly store: KeyStore;
  private readonly ns: UserNamespace;
  private register: Key | null = null;
  private persistentRegister: Key | null = null;

  constructor(store: KeyStore, ns: UserNamespace) {
    this.store = store;
    this.ns = ns;
  }

  /** User and user-session keyring of a real user, made if absent; -errno. */
  of(uid: number, account: Account): UserRings | number {
    const ring = this.register ?? this.makeRegister(".user_reg", REGISTER_RIGHTS, "in", account);
    if (typeof ring === "number") return ring;
    this.register = ring;
    const user = this.ownRing(ring, "_uid", uid, account);
    if (typeof user === "number") return user;
    const session = this.ownRing(ring, "_uid_ses", uid, account);
    if (typeof session === "number") return session;
    if (session.links!.size === 0) {
      const r = this.store.link(session, user);
      if (r < 0) return r;
    }
    return { user, session };
  }

  /** The user-session keyring, if it exists. */
  sessionOf(uid: number): Key | null {
    const name = `_uid_ses.${this.ns.uidOf(uid)}`;
    return this.register?.links?.get(keyIndex(KEYRING, name)) ?? null;
  }

  /** The persistent keyring of a user, whose expiry is set anew. */
  persistentOf(uid: number, account: Account): Key | number {
    const name = ".persistent_register";
    const ring = this.persistentRegister ??
      this.makeRegister(name, PERSISTENT_RIGHTS, "none", account);
    if (typeof ring === "number") return ring;
    this.persistentRegister = ring;
    const description = `_persistent.${this.ns.uidOf(uid)}`;
    return this.findOrMake(ring, description, uid, PERSISTENT_RIGHTS, "none", account);
  }

  private findOrMake(
    ring: Key,
    description: string,
    uid: number,
    perm: number,
    quota: "in" | "none",
    account: Account,
  ): Key | number {
    const there = ring.links!.get(keyIndex(KEYRING, description));
    if (there !== undefined) return there;
    const made = this.store.makeKeyring({ description, uid, gid: NO_ID, perm, quota, account });
    return typeof made === "number" ? made : this.keep(ring, made);
  }

  /** Finds or makes one of the two keyrings of a user. */
  private ownRing(register: Key, name: string, uid: number, account: Account): Key | number {
    const description = `${name}.${this.ns.uidOf(uid)}`;
    const ring = this.findOrMake(register, description, uid, USER_RIGHTS, "in", account);
    if (typeof ring !== "number") ring.isUserKeyring = true;
    return ring;
  }

  private keep(ring: Key, made: Key): Key | number {
    const r = this.store.link(ring, made);
    if (r === 0) return made;
    this.store.release(made);
    return r;
  }

  private makeRegister(
    description: string,
    perm: number,
    quota: "in" | "none",
    account: Account,
  ): Key | number {
    const uid = this.ns.isInitial ? 0 : this.ns.ownerUid;
    const gid = quota === "in" ? NO_ID : 0;
    const ring = this.store.makeKeyring({ description, uid, gid, perm, quota, account });
    if (typeof ring !== "number") ring.pins++;
    return ring;
  }

  /** Releases the keyrings at the end of the namespace. */
  release(): void {
    for (const ring of [this.register, this.persistentRegister]) {
      if (ring !== null) this.store.unpin(ring);
    }
    this.register = this.persistentRegister = null;
  }
}

/**
 * The keyrings of a user namespace. All kernels of a process share the first namespace object, so
 * the store keeps its keyrings.
 */
export function userKeyringsOf(store: KeyStore, ns: UserNamespace): UserKeyrings {
  const there = ns.isInitial ? store.initialKeyrings : ns.keyrings;
  if (there instanceof UserKeyrings) return there;
  const made = new UserKeyrings(store, ns);
  if (ns.isInitial) store.initialKeyrings = made;
  else ns.keyrings = made;
  return made;
}
