/**
 * keyctl(2): dispatches the operations, and performs those on keyrings. Operations on keys are in
 * keyctl_key.ts, reading in keyctl_read.ts.
 */

import { EACCES, EEXIST, EINVAL, ENOENT, ENOKEY, ENOTDIR, EPERM } from "../../../ffi/abi/errno.ts";
import * as K from "../../../ffi/abi/keyctl.ts";
import { CAP_SETUID } from "../../../ffi/abi/capability.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasOwnCap } from "../../cred/credentials.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import { type Key, keyIndex } from "../key.ts";
import { ringRights } from "../key_store.ts";
import { keyTypeOf } from "../key_types.ts";
import { KeySearch, searchError } from "../keyring.ts";
import { lookupAnyKey, lookupKey } from "../lookup.ts";
import * as P from "../permission.ts";
import { userKeyringsOf } from "../user_keyrings.ts";
import type { Task } from "../../task/task.ts";
import { keyString, typeName } from "./arguments.ts";
import * as keys from "./keyctl_key.ts";
import * as reading from "./keyctl_read.ts";
import * as making from "./instantiate.ts";

/**
 * keyctl(2). Arguments of 32 bits are truncated to that size; unknown operations are EOPNOTSUPP.
 */
export function sysKeyctl(t: Task, a: SyscallArgs): number {
  switch (a.i32(0)) {
    case K.KEYCTL_GET_KEYRING_ID: {
      const ref = lookupKey(t, a.i32(1), P.KEY_SEARCH, { creates: a.i32(2) !== 0 });
      return typeof ref === "number" ? ref : ref.key.serial;
    }
    case K.KEYCTL_JOIN_SESSION_KEYRING:
      return joinSession(t, a.u64(1));
    case K.KEYCTL_UPDATE:
      return keys.update(t, a.i32(1), a.u64(2), a.u64(3));
    case K.KEYCTL_REVOKE:
      return keys.revoke(t, a.i32(1));
    case K.KEYCTL_CHOWN:
      return keys.chown(t, a.i32(1), a.u32(2), a.u32(3));
    case K.KEYCTL_SETPERM:
      return keys.setPermissions(t, a.i32(1), a.u32(2));
    case K.KEYCTL_DESCRIBE:
      return reading.describe(t, a.i32(1), a.u64(2), a.u64(3));
    case K.KEYCTL_CLEAR:
      return clear(t, a.i32(1));
    case K.KEYCTL_LINK:
      return link(t, a.i32(1), a.i32(2));
    case K.KEYCTL_UNLINK:
      return unlink(t, a.i32(1), a.i32(2));
    case K.KEYCTL_SEARCH:
      return search(t, a);
    case K.KEYCTL_READ:
      return reading.read(t, a.i32(1), a.u64(2), a.u64(3));
    case K.KEYCTL_SET_TIMEOUT:
      return keys.setTimeout(t, a.i32(1), a.u32(2));
    case K.KEYCTL_GET_SECURITY:
      return reading.getSecurity(t, a.i32(1), a.u64(2), a.u64(3));
    case K.KEYCTL_INVALIDATE:
      return keys.invalidate(t, a.i32(1));
    case K.KEYCTL_GET_PERSISTENT:
      return getPersistent(t, a.u32(1), a.i32(2));
    case K.KEYCTL_RESTRICT_KEYRING:
      return restrict(t, a.i32(1), a.u64(2), a.u64(3));
    case K.KEYCTL_MOVE:
      return move(t, a);
    case K.KEYCTL_CAPABILITIES:
      return reading.capabilities(t, a.u64(1), a.u64(2));
    default:
      return making.keyctlOfMakers(t, a);
  }
}

function joinSession(t: Task, nameAddr: number): number {
  const { keyrings, cred } = t, { store } = keyrings;
  if (nameAddr === 0) {
    const ring = keyrings.newSession(cred, t.account);
    return typeof ring === "number" ? ring : ring.serial;
  }
  const name = keyString(t, nameAddr);
  if (typeof name === "number") return name;
  if (name.startsWith(".")) return -EPERM;
  const there = findByName(t, name);
  if (there !== null) {
    keyrings.setSession(there);
    return there.serial;
  }
  const { uid, gid } = cred;
  const perm = ringRights(P.KEY_VIEW | P.KEY_READ | P.KEY_LINK);
  const made = store.makeKeyring({
    description: name,
    uid,
    gid,
    perm,
    quota: "in",
    account: t.account,
  });
  if (typeof made === "number") return made;
  keyrings.setSession(made);
  return made.serial;
}

/** A keyring of that name in the caller's user namespace that it may search without possession. */
function findByName(t: Task, name: string): Key | null {
  for (const key of t.keyrings.store.keys.values()) {
    if (key.links === null || key.description !== name || key.isRevoked) continue;
    if (!t.cred.userNs.hasUid(key.user.uid)) continue;
    if (P.mayUseKey(key, false, t.cred, P.KEY_SEARCH)) return key;
  }
  return null;
}

function clear(t: Task, id: number): number {
  const ring = lookupKey(t, id, P.KEY_WRITE, { creates: true });
  return typeof ring === "number" ? ring : t.keyrings.store.clear(ring.key);
}

function link(t: Task, id: number, ringId: number): number {
  const ring = lookupKey(t, ringId, P.KEY_WRITE, { creates: true });
  if (typeof ring === "number") return ring;
  const ref = lookupKey(t, id, P.KEY_LINK, { creates: true });
  return typeof ref === "number" ? ref : t.keyrings.store.link(ring.key, ref.key);
}

function unlink(t: Task, id: number, ringId: number): number {
  const ring = lookupKey(t, ringId, P.KEY_WRITE);
  if (typeof ring === "number") return ring;
  const ref = lookupAnyKey(t, id);
  return typeof ref === "number" ? ref : t.keyrings.store.unlink(ring.key, ref.key);
}

function move(t: Task, a: SyscallArgs): number {
  const flags = a.u32(4);
  if ((flags & ~K.KEYCTL_MOVE_EXCL) !== 0) return -EINVAL;
  const ref = lookupKey(t, a.i32(1), P.KEY_LINK, { creates: true });
  if (typeof ref === "number") return ref;
  const from = lookupKey(t, a.i32(2), P.KEY_WRITE);
  if (typeof from === "number") return from;
  const to = lookupKey(t, a.i32(3), P.KEY_WRITE, { creates: true });
  if (typeof to === "number") return to;
  return t.keyrings.store.move(ref.key, from.key, to.key, flags !== 0);
}

function search(t: Task, a: SyscallArgs): number {
  const name = typeName(t, a.u64(2));
  if (typeof name === "number") return name;
  const description = keyString(t, a.u64(3));
  if (typeof description === "number") return description;
  const ring = lookupKey(t, a.i32(1), P.KEY_SEARCH);
  if (typeof ring === "number") return ring;
  const destination = a.i32(4) === 0
    ? null
    : lookupKey(t, a.i32(4), P.KEY_WRITE, { creates: true });
  if (typeof destination === "number") return destination;
  const type = keyTypeOf(name), { store } = t.keyrings;
  if (type === null) return -ENOKEY;
  if (ring.key.links === null) return -ENOTDIR;
  const index = keyIndex(type, description);
  const request = new KeySearch(index, null, t.cred, ring.isPossessed, store.nowSec());
  const found = request.in(ring.key);
  if (found === null) return searchError(request);
  if (destination === null) return found.serial;
  if (!P.mayUseKey(found, ring.isPossessed, t.cred, P.KEY_LINK)) return -EACCES;
  const r = store.link(destination.key, found);
  return r < 0 ? r : found.serial;
}

function getPersistent(t: Task, uidArg: number, ringId: number): number {
  const { cred, keyrings: { store } } = t;
  const uid = uidArg === NO_ID ? cred.uid : cred.userNs.kernelUid(uidArg);
  if (uid === NO_ID) return -EINVAL;
  if (uid !== cred.uid && uid !== cred.euid && !hasOwnCap(cred, CAP_SETUID)) return -EPERM;
  const ring = lookupKey(t, ringId, P.KEY_WRITE, { creates: true });
  if (typeof ring === "number") return ring;
  if (ring.key.links === null) return -ENOTDIR;
  const persistent = userKeyringsOf(store, cred.userNs).persistentOf(uid, t.account);
  if (typeof persistent === "number") return persistent;
  if (!P.mayUseKey(persistent, true, cred, P.KEY_LINK)) return -EACCES;
  const r = store.link(ring.key, persistent);
  if (r < 0) return r;
  store.expireAt(persistent, store.nowSec() + store.setting("persistent_keyring_expiry"));
  return persistent.serial;
}

/**
 * KEYCTL_RESTRICT_KEYRING. No type has link restrictions of its own (ENOENT); without a type the
 * keyring accepts no further links.
 */
function restrict(t: Task, id: number, typeAddr: number, restriction: number): number {
  const ref = lookupKey(t, id, P.KEY_SETATTR);
  if (typeof ref === "number") return ref;
  if (typeAddr !== 0) {
    if (restriction === 0) return -EINVAL;
    const name = typeName(t, typeAddr);
    if (typeof name === "number") return name;
    const text = keyString(t, restriction);
    if (typeof text === "number") return text;
    if (ref.key.links === null) return -ENOTDIR;
    return keyTypeOf(name) === null ? -ENOKEY : -ENOENT;
  }
  if (restriction !== 0) return -EINVAL;
  if (ref.key.links === null) return -ENOTDIR;
  if (ref.key.isRestricted) return -EEXIST;
  ref.key.isRestricted = true;
  return 0;
}
