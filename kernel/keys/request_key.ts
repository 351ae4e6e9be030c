/**
 * Keys made on request: request_key(2). Makes a key under construction and the authority to
 * instantiate it. The program that makes the key (task/key_helper.ts) has the authority in its
 * session keyring.
 */

import { WaitQueue } from "../core/wait.ts";
import { ENOKEY } from "../../ffi/abi/errno.ts";
import * as K from "../../ffi/abi/keyctl.ts";
import type { Key, KeyRequest } from "./key.ts";
import { defaultRights, ringRights } from "./key_store.ts";
import { type KeyType, REQUEST_KEY_AUTH } from "./key_types.ts";
import { KEY_READ, KEY_SEARCH, KEY_VIEW, OWNER, POSSESSOR } from "./permission.ts";
import { KEY_LINK } from "./permission.ts";
import { type KeyHolder, TaskKeyrings } from "./task_keyrings.ts";
import { userKeyringsOf } from "./user_keyrings.ts";

/** Seconds for which a key that could not be made is not requested again. */
const NEGATIVE_SEC = 60;
const AUTHORITY_RIGHTS = (KEY_VIEW | KEY_READ | KEY_SEARCH | KEY_LINK) << POSSESSOR |
  KEY_VIEW << OWNER;

/** A key of the caller's with the default rights, in its quota; -errno. */
export function makeCallersKey(t: KeyHolder, type: KeyType, description: string): Key | number {
  const { fsuid: uid, fsgid: gid } = t.cred, perm = defaultRights(type), { account } = t;
  return t.keyrings.store.make({ type, description, uid, gid, perm, quota: "in", account });
}

/** A key under construction, linked to the requested keyring; -errno. */
export function beginConstruction(
  t: KeyHolder,
  type: KeyType,
  description: string,
  destination: Key | null,
): Key | number {
  const { store } = t.keyrings, key = makeCallersKey(t, type, description);
  if (typeof key === "number") return key;
  key.construction = new WaitQueue();
  const r = destination === null ? 0 : store.link(destination, key);
  if (r === 0) return key;
  store.release(key);
  return r;
}

/** The keyring for a request without a destination (KEYCTL_SET_REQKEY_KEYRING). */
export function defaultDestination(t: KeyHolder): Key | number {
  const { keyrings, cred } = t, { thread, process, session, authority } = keyrings;
  const rings = userKeyringsOf(keyrings.store, cred.userNs).of(cred.uid, t.account);
  if (typeof rings === "number") return rings;
  switch (keyrings.requestDefault) {
    case K.KEY_REQKEY_DEFL_THREAD_KEYRING:
      return thread ?? process ?? session ?? rings.session;
    case K.KEY_REQKEY_DEFL_PROCESS_KEYRING:
      return process ?? session ?? rings.session;
    case K.KEY_REQKEY_DEFL_SESSION_KEYRING:
      return session ?? rings.session;
    case K.KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
      return rings.session;
    case K.KEY_REQKEY_DEFL_USER_KEYRING:
      return rings.user;
    default:
      return authority?.request?.destination ?? thread ?? process ?? session ?? rings.session;
  }
}

interface Maker {
  readonly keyrings: TaskKeyrings;
  /** The authority to instantiate the key, in the session keyring. */
  readonly authority: Key;
}

/** Makes the keyrings for the program that makes a key; -errno. */
export function makerKeyrings(request: KeyRequest): Maker | number {
  const { target, requester } = request, { store } = requester.keyrings;
  const { fsuid: uid, fsgid: gid } = requester.cred;
  const authority = store.make({
    type: REQUEST_KEY_AUTH,
    description: target.serial.toString(16),
    uid,
    gid,
    perm: AUTHORITY_RIGHTS,
    quota: "none",
    account: requester.account,
  });
  if (typeof authority === "number") return authority;
  authority.request = request;
  store.markInstantiated(authority);
  const session = store.makeKeyring({
    description: `_req.${target.serial}`,
    uid,
    gid,
    perm: ringRights(KEY_VIEW | KEY_READ),
    quota: "overrun",
    account: requester.account,
  });
  if (typeof session === "number") {
    store.release(authority);
    return session;
  }
  const r = store.link(session, authority);
  if (r < 0) {
    store.release(authority);
    store.release(session);
    return r;
  }
  const keyrings = new TaskKeyrings(store);
  keyrings.setSession(session);
  return { keyrings, authority };
}

/**
 * The program has ended, or did not start: a key that was not made becomes negative for some time.
 */
export function endConstruction(t: KeyHolder, key: Key): void {
  if (key.construction !== null) t.keyrings.store.reject(key, -ENOKEY, NEGATIVE_SEC);
}
