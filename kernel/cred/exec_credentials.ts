/**
 * The credentials of a program at execve(2): set-user-ID and set-group-ID bits, file capabilities,
 * ambient capabilities, no_new_privs (capabilities(7), "Transformation of capabilities during
 * execve()"; security/commoncap.c). task/program.ts calls it.
 */

import {
  CAP_SETUID,
  SECBIT_KEEP_CAPS,
  SECBIT_NOROOT,
  VFS_CAP_FLAGS_EFFECTIVE,
  VFS_CAP_REVISION_1,
  VFS_CAP_REVISION_2,
  VFS_CAP_REVISION_3,
  VFS_CAP_REVISION_MASK,
} from "../../ffi/abi/capability.ts";
import { EPERM } from "../../ffi/abi/errno.ts";
import { S_ISGID, S_ISUID, S_IXGRP } from "../../ffi/abi/stat.ts";
import { capSet, intersection, isSubset, union } from "./cap_set.ts";
import { type CapSet, type Credentials, hasOwnCap, NO_CAPS } from "./credentials.ts";
import type { UserNamespace } from "./user_namespace.ts";

/** The properties of an executable that count. */
export interface Executable {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** It is on a nosuid mount: neither set-ID bits nor file capabilities count. */
  readonly isNosuid: boolean;
  /** The attribute `security.capability`, or null. */
  readonly capabilities: Uint8Array<ArrayBuffer> | null;
}

export interface ExecResult {
  readonly cred: Credentials;
  /** AT_SECURE: the program must not trust its environment. */
  readonly isSecure: boolean;
  /**
   * Set-ID bits counted, or the file has capabilities that the caller lacks: dangerous personality
   * bits are cleared.
   */
  readonly clearsPersonality: boolean;
}

interface FileCaps {
  readonly permitted: CapSet;
  readonly inheritable: CapSet;
  readonly isEffective: boolean;
}

/**
 * The new credentials, or -EPERM when the program cannot have the capabilities that the file
 * requires. `isUnsafe`: another task could use the program's privilege, so it gains none
 * (LSM_UNSAFE_SHARE, LSM_UNSAFE_PTRACE).
 */
export function execCredentials(
  old: Credentials,
  file: Executable,
  isUnsafe: boolean,
): ExecResult | number {
  const { userNs } = old, root = userNs.kernelUid(0);
  let { euid, egid } = old;
  // Ids that are not mapped in the program's user namespace do not count.
  const isMapped = userNs.hasUid(file.uid) && userNs.hasGid(file.gid);
  const mayBeSetid = !file.isNosuid && !old.noNewPrivs && isMapped;
  const isSetuid = mayBeSetid && (file.mode & S_ISUID) !== 0;
  const isSetgid = mayBeSetid && (file.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  if (isSetuid) euid = file.uid;
  if (isSetgid) egid = file.gid;
  const caps = file.isNosuid ? null : parseFileCaps(file.capabilities, userNs);
  let permitted = NO_CAPS, isEffective = false;
  if (caps !== null) {
    permitted = union(
      intersection(caps.permitted, old.bounding),
      intersection(caps.inheritable, old.inheritable),
    );
    isEffective = caps.isEffective;
    if (isEffective && !isSubset(caps.permitted, permitted)) return -EPERM;
  }
  // A set-user-ID-root program with file capabilities gets only these.
  const isFileOnly = caps !== null && old.uid !== root && euid === root;
  if ((old.securebits & SECBIT_NOROOT) === 0 && !isFileOnly) {
    if (euid === root || old.uid === root) permitted = union(old.bounding, old.inheritable);
    if (euid === root) isEffective = true;
  }
  const isSetid = euid !== old.uid || egid !== old.gid;
  const mayGain = !old.noNewPrivs && !isUnsafe, gainsCaps = !isSubset(permitted, old.permitted);
  if ((isSetid || gainsCaps) && !mayGain) {
    if (old.noNewPrivs || !hasOwnCap(old, CAP_SETUID)) {
      euid = old.uid;
      egid = old.gid;
    }
    permitted = intersection(permitted, old.permitted);
  }
  const ambient = caps !== null || isSetid ? NO_CAPS : old.ambient;
  const gainsBeyondAmbient = !isSubset(permitted, ambient);
  permitted = union(permitted, ambient);
  const cred: Credentials = {
    ...old,
    euid,
    egid,
    suid: euid,
    sgid: egid,
    fsuid: euid,
    fsgid: egid,
    permitted,
    effective: isEffective ? permitted : ambient,
    ambient,
    securebits: old.securebits & ~SECBIT_KEEP_CAPS,
  };
  return {
    cred,
    isSecure: isSetid || (old.uid !== root && (isEffective || gainsBeyondAmbient)),
    clearsPersonality: isSetuid || isSetgid || gainsCaps,
  };
}

/** Whether the kernel id is root of `userNs` or of an ancestor. */
function ownsNamespace(kernelUid: number, userNs: UserNamespace): boolean {
  for (let ns: UserNamespace | null = userNs; ns !== null; ns = ns.parent) {
    if (ns.uidOf(kernelUid) === 0) return true;
  }
  return false;
}

/**
 * Parses `security.capability` (struct vfs_cap_data): null when there is none, or it is malformed.
 */
function parseFileCaps(
  bytes: Uint8Array<ArrayBuffer> | null,
  userNs: UserNamespace,
): FileCaps | null {
  if (bytes === null || bytes.length < 12) return null;
  const dv = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = dv.getUint32(0, true), revision = (magic & VFS_CAP_REVISION_MASK) >>> 0;
  const isEffective = (magic & VFS_CAP_FLAGS_EFFECTIVE) !== 0;
  if (revision === VFS_CAP_REVISION_1 && bytes.length === 12) {
    const permitted = capSet(dv.getUint32(4, true), 0);
    return { permitted, inheritable: capSet(dv.getUint32(8, true), 0), isEffective };
  }
  const isCurrent = (revision === VFS_CAP_REVISION_2 && bytes.length === 20) ||
    (revision === VFS_CAP_REVISION_3 && bytes.length === 24 &&
      ownsNamespace(dv.getUint32(20, true), userNs));
  if (!isCurrent) return null;
  return {
    permitted: capSet(dv.getUint32(4, true), dv.getUint32(12, true)),
    inheritable: capSet(dv.getUint32(8, true), dv.getUint32(16, true)),
    isEffective,
  };
}
