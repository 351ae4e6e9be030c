/**
 * Finds a key by the id that a program passes: special ids, possession, state and rights
 * (keyctl(2), keyrings(7)).
 */

import { EACCES, EINVAL, EIO, ENOKEY } from "../../ffi/abi/errno.ts";
import * as K from "../../ffi/abi/keyctl.ts";
import { type Key, keyIndex, type KeyRef } from "./key.ts";
import { type KeyType, REQUEST_KEY_AUTH } from "./key_types.ts";
import { KeySearch } from "./keyring.ts";
import { keyState, mayUseKey } from "./permission.ts";
import type { KeyHolder } from "./task_keyrings.ts";
import { userKeyringsOf } from "./user_keyrings.ts";

const NO_KEYRINGS = { thread: null, process: null, session: null } as const;

interface LookupOptions {
  /** Makes missing keyrings of the caller. */
  readonly creates?: boolean;
  /** Accepts keys under construction and negative keys. */
  readonly partial?: boolean;
}

/** The key of this id, if the caller has all these rights on it (KEY_VIEW and so on); -errno. */
export function lookupKey(
  t: KeyHolder,
  id: number,
  need: number,
  { creates = false, partial = false }: LookupOptions = {},
): KeyRef | number {
  const ref = id < 0 ? specialKey(t, id, creates) : numberedKey(t, id);
  if (typeof ref === "number") return ref;
  const { key, isPossessed } = ref;
  if (!partial && need !== 0 && key.rejectError !== 0) return key.rejectError;
  const state = need === 0 ? 0 : keyState(key, t.keyrings.store.nowSec());
  if (state < 0) return state;
  if (!partial && !key.isInstantiated) return -EIO;
  return mayUseKey(key, isPossessed, t.cred, need) ? ref : -EACCES;
}

/**
 * As `lookupKey` with `partial`; a task with the authority to make the key has all rights on it.
 */
export function lookupForMaker(t: KeyHolder, id: number, need: number): KeyRef | number {
  const ref = lookupKey(t, id, need, { partial: true });
  if (ref !== -EACCES || typeof authorityFor(t, id) === "number") return ref;
  return numberedKey(t, id);
}

/** For unlinking: finds every existing key, whatever its state. */
export function lookupAnyKey(t: KeyHolder, id: number): KeyRef | number {
  return lookupKey(t, id, 0, { partial: true });
}

function specialKey(t: KeyHolder, id: number, creates: boolean): KeyRef | number {
  const { keyrings, cred } = t;
  switch (id) {
    case K.KEY_SPEC_THREAD_KEYRING:
      return possessedRef(
        creates ? keyrings.ownThread(cred, t.account) : keyrings.thread ?? -ENOKEY,
      );
    case K.KEY_SPEC_PROCESS_KEYRING:
      return possessedRef(
        creates ? keyrings.ownProcess(cred, t.account) : keyrings.process ?? -ENOKEY,
      );
    case K.KEY_SPEC_SESSION_KEYRING:
      return possessedRef(sessionKeyring(t, creates));
    case K.KEY_SPEC_USER_KEYRING:
    case K.KEY_SPEC_USER_SESSION_KEYRING: {
      const rings = userKeyringsOf(keyrings.store, cred.userNs).of(cred.uid, t.account);
      if (typeof rings === "number") return rings;
      return possessedRef(id === K.KEY_SPEC_USER_KEYRING ? rings.user : rings.session);
    }
    case K.KEY_SPEC_REQKEY_AUTH_KEY:
      return possessedRef(keyrings.authority ?? -ENOKEY);
    case K.KEY_SPEC_REQUESTOR_KEYRING:
      return possessedRef(keyrings.authority?.request?.destination ?? -ENOKEY);
    default:
      return -EINVAL;
  }
}

function possessedRef(key: Key | number): KeyRef | number {
  return typeof key === "number" ? key : { key, isPossessed: true };
}

/**
 * KEY_SPEC_SESSION_KEYRING: a task without a session keyring gets its user's, or a new one for
 * writing.
 */
function sessionKeyring(t: KeyHolder, creates: boolean): Key | number {
  const { keyrings, cred } = t, { session } = keyrings;
  if (session !== null && !(creates && session.isUserKeyring)) return session;
  const rings = userKeyringsOf(keyrings.store, cred.userNs).of(cred.uid, t.account);
  if (typeof rings === "number") return rings;
  if (creates) return keyrings.newSession(cred, t.account);
  keyrings.setSession(rings.session);
  return rings.session;
}

function numberedKey(t: KeyHolder, id: number): KeyRef | number {
  if (id < 1) return -EINVAL;
  const key = t.keyrings.store.keys.get(id);
  if (key === undefined) return -ENOKEY;
  return { key, isPossessed: isPossessed(t, key) };
}

/** The keyrings that a task searches, in this order. */
export function searchedKeyrings({ cred, keyrings }: KeyHolder): Key[] {
  const { thread, process, session, store } = keyrings;
  const last = session ?? userKeyringsOf(store, cred.userNs).sessionOf(cred.uid);
  return [thread, process, last, ...requesterKeyrings(keyrings.authority)]
    .filter((ring): ring is Key => ring !== null && ring.serial !== 0);
}

/** A task with the authority to make a key may search the requester's keyrings. */
function requesterKeyrings(authority: Key | null): readonly (Key | null)[] {
  const { thread, process, session } = authority?.request?.requester.keyrings ?? NO_KEYRINGS;
  return [thread, process, session];
}

/** The authority to instantiate that key, from the caller's keyrings; -ENOKEY, -EKEYREVOKED. */
export function authorityFor(t: KeyHolder, serial: number): Key | number {
  const r = searchOwnKeyrings(t, REQUEST_KEY_AUTH, serial.toString(16));
  return r === 0 ? -ENOKEY : r;
}

/** Whether the key is reachable from a keyring of the caller (keyrings(7), "Possession"). */
function isPossessed(t: KeyHolder, key: Key): boolean {
  for (const ring of searchedKeyrings(t)) {
    const search = new KeySearch(key.index, key, t.cred, true, t.keyrings.store.nowSec());
    if (search.in(ring) !== null) return true;
  }
  return false;
}

/**
 * Searches the caller's keyrings for request_key(2); 0: there is no such key, and one may be made;
 * -errno.
 */
export function searchOwnKeyrings(t: KeyHolder, type: KeyType, description: string): Key | number {
  const index = keyIndex(type, description), nowSec = t.keyrings.store.nowSec();
  let missing = 1, failure = 0;
  for (const ring of searchedKeyrings(t)) {
    const search = new KeySearch(index, null, t.cred, true, nowSec, true);
    const found = search.in(ring);
    if (found !== null) return found;
    // "Not found" and a negative key take precedence over unusable keys.
    if (search.error === 0) missing = missing === 1 ? 0 : missing;
    else if (search.error === -ENOKEY) missing = -ENOKEY;
    else failure = search.error;
  }
  return missing === 1 ? failure : missing;
}
