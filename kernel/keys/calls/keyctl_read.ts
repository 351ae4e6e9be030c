/**
 * Operations of keyctl(2) that read a key: KEYCTL_DESCRIBE, KEYCTL_READ, KEYCTL_GET_SECURITY,
 * KEYCTL_CAPABILITIES.
 */

import { EACCES, EFAULT, EINVAL, ENOKEY, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as K from "../../../ffi/abi/keyctl.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { stringToBytes } from "../../core/bytes.ts";
import type { Key } from "../key.ts";
import { lookupForMaker, lookupKey } from "../lookup.ts";
import { shownKeyGid } from "../proc_text.ts";
import * as P from "../permission.ts";
import type { Task } from "../../task/task.ts";

/** Bytes of an id in a keyring. */
const SERIAL_BYTES = 4;

/** Describes a key as "type;uid;gid;perm;description". */
export function describe(t: Task, id: number, addr: number, size: number): number {
  const ref = lookupForMaker(t, id, P.KEY_VIEW);
  if (typeof ref === "number") return ref;
  const { key } = ref, { userNs } = t.cred;
  const perm = key.perm.toString(16).padStart(8, "0");
  const ids = `${userNs.shownUid(key.uid)};${shownKeyGid(key.gid, userNs)}`;
  const text = `${key.type.name};${ids};${perm};${key.description}\0`;
  return copyWhole(t, addr, size, stringToBytes(text));
}

/**
 * Copies all bytes out, or none when the buffer is too small; returns their number in both cases.
 */
function copyWhole(t: Task, addr: number, size: number, bytes: Uint8Array<ArrayBuffer>): number {
  if (addr === 0 || size < bytes.length || bytes.length === 0) return bytes.length;
  return t.mm.copyOut(addr, bytes, 0, bytes.length) === 0 ? bytes.length : -EFAULT;
}

/**
 * A possessor of a key may read it whatever its rights. An id that names no key is ENOKEY, whatever
 * the other error.
 */
export function read(t: Task, id: number, addr: number, size: number): number {
  const ref = lookupKey(t, id, 0);
  if (typeof ref === "number") return -ENOKEY;
  const { key, isPossessed } = ref;
  if (key.rejectError !== 0) return key.rejectError;
  if (!P.mayUseKey(key, isPossessed, t.cred, P.KEY_READ) && !isPossessed) return -EACCES;
  if (!key.type.canRead) return -EOPNOTSUPP;
  const state = P.keyState(key, t.keyrings.store.nowSec());
  if (state < 0) return state;
  const isList = key.links !== null && key.request === null;
  // Linux reads into buffers larger than a page in another way.
  if (isList && addr !== 0 && size <= PAGE_SIZE && size % SERIAL_BYTES !== 0) return -EINVAL;
  return copyWhole(t, addr, size, contentsOf(key));
}

/** The contents of a keyring are the ids of its keys. */
function contentsOf(key: Key): Uint8Array<ArrayBuffer> {
  if (key.request !== null) return stringToBytes(key.request.callout);
  if (key.links === null) return key.payload ?? new Uint8Array(0);
  const serials = [...key.links.values()].map(({ serial }) => serial);
  return new Uint8Array(Uint32Array.from(serials).buffer);
}

/** No security module labels keys. */
export function getSecurity(t: Task, id: number, addr: number, size: number): number {
  const ref = lookupForMaker(t, id, P.KEY_VIEW);
  return typeof ref === "number" ? ref : copyWhole(t, addr, size, new Uint8Array(1));
}

/** LIMIT: bytes that are cleared behind the capabilities. */
const MAX_CLEARED = 1 << 16;
const CAPABILITIES = Uint8Array.of(
  K.KEYCTL_CAPS0_CAPABILITIES | K.KEYCTL_CAPS0_PERSISTENT_KEYRINGS | K.KEYCTL_CAPS0_BIG_KEY |
    K.KEYCTL_CAPS0_INVALIDATE | K.KEYCTL_CAPS0_RESTRICT_KEYRING | K.KEYCTL_CAPS0_MOVE,
  K.KEYCTL_CAPS1_NS_KEYRING_NAME | K.KEYCTL_CAPS1_NS_KEY_TAG,
);

/** KEYCTL_CAPABILITIES of keyctl(2): the length of all capabilities in bytes, or -EFAULT. */
export function capabilities(t: Task, addr: number, size: number): number {
  const n = Math.min(size, CAPABILITIES.length);
  if (n > 0 && t.mm.copyOut(addr, CAPABILITIES, 0, n) !== 0) return -EFAULT;
  if (size > n && t.mm.clear(addr + n, Math.min(size - n, MAX_CLEARED)) !== 0) return -EFAULT;
  return CAPABILITIES.length;
}
