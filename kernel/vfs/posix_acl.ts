/**
 * POSIX ACLs (acl(5)): the binary form of `system.posix_acl_access` and `_default`
 * (linux/posix_acl_xattr.h), the access check, and the effect of chmod(2) and of creation in a
 * directory with a default ACL.
 *
 * File systems store ACLs (`Inode.accessAcl`, `defaultAcl`); xattr.ts decides which callers may set
 * them; access.ts calls `checkAcl`.
 */

import { EACCES, EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { checkAccess, checkCapabilities, type Owned } from "../cred/permission.ts";
import { type Credentials, inGroup } from "../cred/credentials.ts";

export const ACL_USER_OBJ = 1, ACL_USER = 2, ACL_GROUP_OBJ = 4, ACL_GROUP = 8;
const ACL_MASK = 0x10, ACL_OTHER = 0x20;
const VERSION = 2, UNDEFINED_ID = 0xffffffff;

interface AclEntry {
  readonly tag: number;
  readonly perm: number;
  /** User or group id; unused with the other tags. */
  readonly id: number;
}

/** Entries in canonical order: user::, user:N, group::, group:N, mask, other. */
export type PosixAcl = readonly AclEntry[];

const ORDER: readonly number[] = [
  ACL_USER_OBJ,
  ACL_USER,
  ACL_GROUP_OBJ,
  ACL_GROUP,
  ACL_MASK,
  ACL_OTHER,
];

/**
 * The entries in an xattr value; an empty list means "no ACL". -EINVAL for a malformed value,
 * -EOPNOTSUPP for another version. `isValidAcl` checks whether the entries make sense together.
 */
export function decodeAcl(value: Uint8Array<ArrayBuffer>): PosixAcl | number {
  if (value.length === 0) return [];
  if (value.length < 4) return -EINVAL;
  const dv = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (dv.getUint32(0, true) !== VERSION) return -EOPNOTSUPP;
  if ((value.length - 4) % 8 !== 0) return -EINVAL;
  const entries: AclEntry[] = [];
  for (let at = 4; at < value.length; at += 8) {
    entries.push({
      tag: dv.getUint16(at, true),
      perm: dv.getUint16(at + 2, true),
      id: dv.getUint32(at + 4, true),
    });
  }
  return entries.every((e) => ORDER.includes(e.tag)) ? entries : -EINVAL;
}

export function encodeAcl(acl: PosixAcl): Uint8Array<ArrayBuffer> {
  const dv = new DataView(new ArrayBuffer(4 + 8 * acl.length));
  dv.setUint32(0, VERSION, true);
  acl.forEach((e, i) => {
    dv.setUint16(4 + 8 * i, e.tag, true);
    dv.setUint16(6 + 8 * i, e.perm, true);
    const hasId = e.tag === ACL_USER || e.tag === ACL_GROUP;
    dv.setUint32(8 + 8 * i, hasId ? e.id : UNDEFINED_ID, true);
  });
  return new Uint8Array(dv.buffer as ArrayBuffer);
}

/**
 * Whether the entries are in canonical order, the owner, group and other entries exist once each,
 * no id is named twice, and a mask exists when an id is named.
 */
export function isValidAcl(entries: readonly AclEntry[]): boolean {
  let rank = 0;
  const seen = new Set<string>(), isMasked = entries.some((e) => e.tag === ACL_MASK);
  for (const e of entries) {
    const r = ORDER.indexOf(e.tag);
    if (r < rank || (e.perm & ~7) !== 0) return false;
    rank = r;
    const named = e.tag === ACL_USER || e.tag === ACL_GROUP;
    const key = named ? `${e.tag}:${e.id}` : `${e.tag}`;
    if (seen.has(key)) return false;
    seen.add(key);
    if (named && !isMasked) return false;
  }
  return [ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER].every((t) => seen.has(`${t}`));
}

function permOf(acl: PosixAcl, tag: number): number {
  return acl.find((e) => e.tag === tag)?.perm ?? 0;
}

/** The permission bits of an access ACL; the group bits are those of its mask. */
export function modeOfAcl(acl: PosixAcl): number {
  const group = acl.find((e) => e.tag === ACL_MASK) ?? acl.find((e) => e.tag === ACL_GROUP_OBJ);
  return (permOf(acl, ACL_USER_OBJ) << 6) | ((group?.perm ?? 0) << 3) | permOf(acl, ACL_OTHER);
}

/** The ACL is equal to a mode: no named entries and no mask. */
export function isMinimal(acl: PosixAcl): boolean {
  return acl.length <= 3;
}

/** The ACL after chmod(2) to `mode`. */
export function aclWithMode(acl: PosixAcl, mode: number): PosixAcl {
  const masked = acl.some((e) => e.tag === ACL_MASK);
  return acl.map((e) => {
    if (e.tag === ACL_USER_OBJ) return { ...e, perm: (mode >> 6) & 7 };
    if (e.tag === ACL_OTHER) return { ...e, perm: mode & 7 };
    if (e.tag === (masked ? ACL_MASK : ACL_GROUP_OBJ)) return { ...e, perm: (mode >> 3) & 7 };
    return e;
  });
}

/**
 * The access ACL of a new file, from the directory's default ACL and the mode that the call asked
 * for (umask not applied).
 */
export function inheritAcl(defaultAcl: PosixAcl, mode: number): PosixAcl {
  return aclWithMode(defaultAcl, mode & modeOfAcl(defaultAcl));
}

/** acl(5), "ACCESS CHECK ALGORITHM": 0 or -EACCES. */
export function checkAcl(acl: PosixAcl, file: Owned, mask: number, cred: Credentials): number {
  // The mode has the owner's entry. Linux ignores an ACL whose mask is empty.
  if (file.uid === cred.fsuid || (file.mode & 0o070) === 0) return checkAccess(file, mask, cred);
  const limit = acl.find((e) => e.tag === ACL_MASK)?.perm ?? 7;
  const user = acl.find((e) => e.tag === ACL_USER && e.id === cred.fsuid);
  if (user !== undefined) return verdict((user.perm & limit & mask) === mask, file, mask, cred);
  let matched = false;
  for (const e of acl) {
    if (e.tag !== ACL_GROUP_OBJ && e.tag !== ACL_GROUP) continue;
    if (!inGroup(cred, e.tag === ACL_GROUP ? e.id : file.gid)) continue;
    matched = true;
    if ((e.perm & limit & mask) === mask) return 0;
  }
  if (matched) return verdict(false, file, mask, cred);
  return verdict((permOf(acl, ACL_OTHER) & mask) === mask, file, mask, cred);
}

function verdict(granted: boolean, file: Owned, mask: number, cred: Credentials): number {
  if (granted) return 0;
  return checkCapabilities(file, mask, cred) === 0 ? 0 : -EACCES;
}
