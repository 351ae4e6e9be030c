/**
 * Operations of keyctl(2) for programs that make keys on request (request-key(8)), and
 * KEYCTL_SESSION_TO_PARENT.
 */

import {
  EBUSY,
  EFAULT,
  EINVAL,
  ENOKEY,
  EOPNOTSUPP,
  EPERM,
  MAX_ERRNO,
} from "../../../ffi/abi/errno.ts";
import * as K from "../../../ffi/abi/keyctl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Key, KeyRequest } from "../key.ts";
import { authorityFor, lookupKey } from "../lookup.ts";
import * as P from "../permission.ts";
import type { Task } from "../../task/task.ts";
import { contents } from "./arguments.ts";

const MAX_CONTENTS = (1 << 20) - 1;
/** Error numbers inside the kernel: ERESTARTSYS and its neighbours. */
const FIRST_INTERNAL = 512, LAST_INTERNAL = 516;

/** keyctl(2): the commands by which a helper of request_key(2) makes or rejects a key. */
export function keyctlOfMakers(t: Task, a: SyscallArgs): number {
  const id = a.i32(1);
  switch (a.i32(0)) {
    case K.KEYCTL_INSTANTIATE:
      return instantiate(t, id, a.u64(2), a.u64(3), a.i32(4));
    case K.KEYCTL_INSTANTIATE_IOV:
      return instantiateFrom(t, id, a.u64(2), a.u32(3), a.i32(4));
    case K.KEYCTL_NEGATE:
      return reject(t, id, a.u32(2), ENOKEY, a.i32(3));
    case K.KEYCTL_REJECT:
      return reject(t, id, a.u32(2), a.u32(3), a.i32(4));
    case K.KEYCTL_SET_REQKEY_KEYRING:
      return setRequestDefault(t, id);
    case K.KEYCTL_ASSUME_AUTHORITY:
      return assumeAuthority(t, id);
    case K.KEYCTL_SESSION_TO_PARENT:
      return sessionToParent(t);
    default:
      return -EOPNOTSUPP;
  }
}

/** The request that the caller may instantiate, if it is for this key; -EPERM. */
function requestFor(t: Task, id: number): KeyRequest | number {
  const request = t.keyrings.authority?.request ?? null;
  return request !== null && id > 0 && request.target.serial === id ? request : -EPERM;
}

function instantiate(t: Task, id: number, addr: number, len: number, ringId: number): number {
  if (len > MAX_CONTENTS) return -EINVAL;
  const request = requestFor(t, id);
  if (typeof request === "number") return request;
  const payload = contents(t, addr, len);
  return typeof payload === "number" ? payload : endRequest(t, request, payload, ringId);
}

function instantiateFrom(
  t: Task,
  id: number,
  addr: number,
  count: number,
  ringId: number,
): number {
  if (addr === 0 || count === 0) return instantiate(t, id, 0, 0, ringId);
  const r = t.io.setIov(addr, count), total = t.io.remaining;
  if (r < 0) return r;
  if (total > MAX_CONTENTS) return -EINVAL;
  const request = requestFor(t, id);
  if (typeof request === "number") return request;
  const payload = new Uint8Array(total);
  if (t.io.takeBytes(payload, 0, total) !== total) return -EFAULT;
  return endRequest(t, request, payload, ringId);
}

function endRequest(
  t: Task,
  request: KeyRequest,
  payload: Uint8Array<ArrayBuffer>,
  ringId: number,
): number {
  const ring = makerDestination(t, request, ringId);
  if (typeof ring === "number") return ring;
  const { target } = request, { store } = t.keyrings;
  if (target.isInstantiated) return -EBUSY;
  if (ring !== null) {
    const r = store.mayLink(ring, target);
    if (r < 0) return r;
  }
  const r = store.fill(target, payload);
  return r < 0 ? r : linkAndRevoke(t, ring, target);
}

function reject(t: Task, id: number, sec: number, error: number, ringId: number): number {
  const isInternal = error >= FIRST_INTERNAL && error <= LAST_INTERNAL;
  if (error === 0 || error > MAX_ERRNO || isInternal) return -EINVAL;
  const request = requestFor(t, id);
  if (typeof request === "number") return request;
  const ring = makerDestination(t, request, ringId);
  if (typeof ring === "number") return ring;
  if (request.target.isInstantiated) return -EBUSY;
  t.keyrings.store.reject(request.target, -error, sec);
  return linkAndRevoke(t, ring, request.target);
}

/** Links the new key, and revokes the authority, which is used up. */
function linkAndRevoke(t: Task, ring: Key | null, key: Key): number {
  const { store, authority } = t.keyrings;
  const r = ring === null ? 0 : store.link(ring, key);
  if (authority !== null) store.invalidate(authority);
  t.keyrings.setAuthority(null);
  return r;
}

/** The keyring for the new key: any special id stands for the keyring that the requester chose. */
function makerDestination(t: Task, request: KeyRequest, ringId: number): Key | null | number {
  if (ringId === 0) return null;
  if (ringId > 0) {
    const ref = lookupKey(t, ringId, P.KEY_WRITE, { creates: true });
    return typeof ref === "number" ? ref : ref.key;
  }
  if (ringId === K.KEY_SPEC_REQKEY_AUTH_KEY) return -EINVAL;
  return ringId >= K.KEY_SPEC_REQUESTOR_KEYRING ? request.destination : -ENOKEY;
}

/** KEYCTL_SET_REQKEY_KEYRING: returns the former default. */
function setRequestDefault(t: Task, value: number): number {
  const { keyrings, cred } = t, old = keyrings.requestDefault;
  switch (value) {
    case K.KEY_REQKEY_DEFL_NO_CHANGE:
      return old;
    case K.KEY_REQKEY_DEFL_THREAD_KEYRING:
    case K.KEY_REQKEY_DEFL_PROCESS_KEYRING: {
      const isThread = value === K.KEY_REQKEY_DEFL_THREAD_KEYRING;
      const ring = isThread
        ? keyrings.ownThread(cred, t.account)
        : keyrings.ownProcess(cred, t.account);
      if (typeof ring === "number") return ring;
      break;
    }
    case K.KEY_REQKEY_DEFL_DEFAULT:
    case K.KEY_REQKEY_DEFL_SESSION_KEYRING:
    case K.KEY_REQKEY_DEFL_USER_KEYRING:
    case K.KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
    case K.KEY_REQKEY_DEFL_REQUESTOR_KEYRING:
      break;
    default:
      return -EINVAL;
  }
  keyrings.requestDefault = value;
  return old;
}

/**
 * KEYCTL_ASSUME_AUTHORITY: takes the authority for this key from the caller's keyrings; 0: none any
 * more.
 */
function assumeAuthority(t: Task, id: number): number {
  if (id < 0) return -EINVAL;
  if (id === 0) {
    t.keyrings.setAuthority(null);
    return 0;
  }
  const authority = authorityFor(t, id);
  if (typeof authority === "number") return authority;
  t.keyrings.setAuthority(authority);
  return authority.serial;
}

/**
 * KEYCTL_SESSION_TO_PARENT. DIFFERS: the parent has the keyring at once, not at its next return
 * from a call.
 */
function sessionToParent(t: Task): number {
  const session = lookupKey(t, K.KEY_SPEC_SESSION_KEYRING, P.KEY_LINK);
  if (typeof session === "number") return session;
  const parent = t.group.parent, { cred } = t, ring = session.key;
  if (parent === null || parent.isInit || parent.tasks.length !== 1) return -EPERM;
  const [to] = parent.tasks;
  if (to === undefined) return -EPERM;
  const { keyrings, cred: of } = to;
  if (keyrings.session === ring) return 0;
  const isSame = [of.uid, of.euid, of.suid].every((uid) => uid === cred.euid) &&
    [of.gid, of.egid, of.sgid].every((gid) => gid === cred.egid);
  const own = keyrings.session;
  const isOurs = (own === null || own.uid === cred.euid) && ring.uid === cred.euid;
  if (!isSame || !isOurs) return -EPERM;
  keyrings.setSession(ring);
  return 0;
}
