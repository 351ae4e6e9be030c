/**
 * Translates ids in the values of extended attributes: POSIX ACLs name users and groups, and file
 * capabilities may name the root of their user namespace (capabilities(7), "Namespaced file
 * capabilities"). File systems store kernel ids. xattr.ts calls this.
 */

import {
  CAP_SETFCAP,
  VFS_CAP_FLAGS_EFFECTIVE,
  VFS_CAP_REVISION_2,
  VFS_CAP_REVISION_3,
  VFS_CAP_REVISION_MASK,
} from "../../ffi/abi/capability.ts";
import { EINVAL, EOVERFLOW, EPERM } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCap } from "../cred/credentials.ts";
import { hasCapOver, type Owned } from "../cred/permission.ts";
import { NO_ID, type UserNamespace } from "../cred/user_namespace.ts";
import { ACL_GROUP, ACL_USER } from "./posix_acl.ts";

const V2_BYTES = 20, V3_BYTES = 24, ROOT_AT = 20;

/**
 * An ACL with the ids of `ns` translated to kernel ids (`isFromCaller`), or the other way round;
 * -EINVAL for an id that is not mapped.
 */
export function translateAcl(
  value: Uint8Array<ArrayBuffer>,
  ns: UserNamespace,
  isFromCaller: boolean,
): Uint8Array<ArrayBuffer> | number {
  if (ns.isInitial || value.length < 4) return value;
  const copy = value.slice(), dv = new DataView(copy.buffer);
  for (let at = 4; at + 8 <= copy.length; at += 8) {
    const tag = dv.getUint16(at, true), id = dv.getUint32(at + 4, true);
    if (tag !== ACL_USER && tag !== ACL_GROUP) continue;
    const isUser = tag === ACL_USER;
    const other = isFromCaller
      ? isUser ? ns.kernelUid(id) : ns.kernelGid(id)
      : isUser
      ? ns.uidOf(id)
      : ns.gidOf(id);
    if (isFromCaller && other === NO_ID) return -EINVAL;
    dv.setUint32(at + 4, other, true);
  }
  return copy;
}

/**
 * The value of `security.capability` to store, from the value that a caller sets: for a file of a
 * user namespace it names that namespace's root. -EINVAL; -EPERM without CAP_SETFCAP over the file.
 */
export function capabilityToKeep(
  value: Uint8Array<ArrayBuffer>,
  file: Owned,
  cred: Credentials,
): Uint8Array<ArrayBuffer> | number {
  const root = rootOf(value);
  if (root < 0) return -EINVAL;
  if (!hasCapOver(file, cred, CAP_SETFCAP)) return -EPERM;
  if (value.length === V2_BYTES && hasCap(cred, CAP_SETFCAP)) return value;
  const kernelRoot = cred.userNs.kernelUid(root);
  return kernelRoot === NO_ID ? -EINVAL : withRoot(value, kernelRoot);
}

/**
 * The value of a stored `security.capability` for a reader; -EOVERFLOW when it names the root of a
 * namespace that the reader is not in.
 */
export function capabilityToShow(
  value: Uint8Array<ArrayBuffer>,
  reader: UserNamespace,
): Uint8Array<ArrayBuffer> | number {
  const root = rootOf(value);
  if (root < 0) return value;
  const shown = reader.uidOf(root);
  if (shown !== NO_ID && shown !== 0) return withRoot(value, shown);
  for (let ns: UserNamespace | null = reader; ns !== null; ns = ns.parent) {
    if (ns.uidOf(root) === 0) return withoutRoot(value);
  }
  return -EOVERFLOW;
}

/** The root id that a value names; 0 in version 2, which has none; -1 for any other form. */
function rootOf(value: Uint8Array<ArrayBuffer>): number {
  if (value.length !== V2_BYTES && value.length !== V3_BYTES) return -1;
  const dv = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const revision = (dv.getUint32(0, true) & VFS_CAP_REVISION_MASK) >>> 0;
  if (revision === VFS_CAP_REVISION_2 && value.length === V2_BYTES) return 0;
  if (revision !== VFS_CAP_REVISION_3 || value.length !== V3_BYTES) return -1;
  return dv.getUint32(ROOT_AT, true);
}

function withRoot(value: Uint8Array<ArrayBuffer>, root: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(V3_BYTES), dv = new DataView(copy.buffer);
  copy.set(value.subarray(0, V2_BYTES));
  const flags = dv.getUint32(0, true) & VFS_CAP_FLAGS_EFFECTIVE;
  dv.setUint32(0, (VFS_CAP_REVISION_3 | flags) >>> 0, true);
  dv.setUint32(ROOT_AT, root, true);
  return copy;
}

function withoutRoot(value: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = value.slice(0, V2_BYTES), dv = new DataView(copy.buffer);
  const flags = dv.getUint32(0, true) & VFS_CAP_FLAGS_EFFECTIVE;
  dv.setUint32(0, (VFS_CAP_REVISION_2 | flags) >>> 0, true);
  return copy;
}
