/**
 * Changes of user and group ids (kernel ids): setuid(2) and its family, and their effect on
 * capabilities (capabilities(7), "Effect of user ID changes on capabilities"). Pure functions:
 * credentials in, new credentials or -errno out. syscalls/process/credentials.ts calls them.
 */

import { CAP_SETGID, CAP_SETUID } from "../../ffi/abi/capability.ts";
import { SECBIT_KEEP_CAPS, SECBIT_NO_SETUID_FIXUP } from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { difference, intersection, union } from "./cap_set.ts";
import { type CapSet, type Credentials, hasOwnCap, NO_CAPS } from "./credentials.ts";

/** (uid_t) -1: the id stays. */
export const KEEP_ID = 0xffffffff;

/**
 * The capabilities that the file system user id governs: CHOWN..FSETID, LINUX_IMMUTABLE, MKNOD,
 * MAC_OVERRIDE.
 */
const FS_CAPS: CapSet = { lo: 0x0800021f, hi: 1 };

/** setuid(2): new credentials, -EINVAL or -EPERM. */
export function setuid(cred: Credentials, uid: number): Credentials | number {
  if (uid === KEEP_ID) return -EINVAL;
  if (hasOwnCap(cred, CAP_SETUID)) return withUids(cred, uid, uid, uid);
  if (uid !== cred.uid && uid !== cred.suid) return -EPERM;
  return withUids(cred, cred.uid, uid, cred.suid);
}

/** setreuid(2): new credentials, or -EPERM. */
export function setreuid(cred: Credentials, ruid: number, euid: number): Credentials | number {
  const mayAll = hasOwnCap(cred, CAP_SETUID);
  if (ruid !== KEEP_ID && ruid !== cred.uid && ruid !== cred.euid && !mayAll) return -EPERM;
  if (euid !== KEEP_ID && !isOwnUid(cred, euid) && !mayAll) return -EPERM;
  const uid = ruid === KEEP_ID ? cred.uid : ruid;
  const effective = euid === KEEP_ID ? cred.euid : euid;
  const savesNew = ruid !== KEEP_ID || (euid !== KEEP_ID && euid !== cred.uid);
  return withUids(cred, uid, effective, savesNew ? effective : cred.suid);
}

/** setresuid(2): new credentials, or -EPERM. */
export function setresuid(
  cred: Credentials,
  ruid: number,
  euid: number,
  suid: number,
): Credentials | number {
  const isAllowed = (id: number): boolean => id === KEEP_ID || isOwnUid(cred, id);
  const isOwn = isAllowed(ruid) && isAllowed(euid) && isAllowed(suid);
  if (!isOwn && !hasOwnCap(cred, CAP_SETUID)) return -EPERM;
  return withUids(
    cred,
    ruid === KEEP_ID ? cred.uid : ruid,
    euid === KEEP_ID ? cred.euid : euid,
    suid === KEEP_ID ? cred.suid : suid,
  );
}

/** setfsuid(2) cannot fail: without permission the credentials do not change. */
export function setfsuid(cred: Credentials, uid: number): Credentials {
  if (uid === KEEP_ID || uid === cred.fsuid) return cred;
  if (!isOwnUid(cred, uid) && !hasOwnCap(cred, CAP_SETUID)) return cred;
  let { effective } = cred;
  if ((cred.securebits & SECBIT_NO_SETUID_FIXUP) === 0) {
    const root = cred.userNs.kernelUid(0);
    if (cred.fsuid === root) effective = difference(effective, FS_CAPS);
    else if (uid === root) effective = union(effective, intersection(cred.permitted, FS_CAPS));
  }
  return { ...cred, fsuid: uid, effective };
}

/** setgid(2): new credentials, -EINVAL or -EPERM. */
export function setgid(cred: Credentials, gid: number): Credentials | number {
  if (gid === KEEP_ID) return -EINVAL;
  if (hasOwnCap(cred, CAP_SETGID)) {
    return { ...cred, gid, egid: gid, sgid: gid, fsgid: gid };
  }
  if (gid !== cred.gid && gid !== cred.sgid) return -EPERM;
  return { ...cred, egid: gid, fsgid: gid };
}

/** setregid(2): new credentials, or -EPERM. */
export function setregid(cred: Credentials, rgid: number, egid: number): Credentials | number {
  const mayAll = hasOwnCap(cred, CAP_SETGID);
  if (rgid !== KEEP_ID && rgid !== cred.gid && rgid !== cred.egid && !mayAll) return -EPERM;
  if (egid !== KEEP_ID && !isOwnGid(cred, egid) && !mayAll) return -EPERM;
  const gid = rgid === KEEP_ID ? cred.gid : rgid;
  const effective = egid === KEEP_ID ? cred.egid : egid;
  const savesNew = rgid !== KEEP_ID || (egid !== KEEP_ID && egid !== cred.gid);
  const sgid = savesNew ? effective : cred.sgid;
  return { ...cred, gid, egid: effective, sgid, fsgid: effective };
}

/** setresgid(2): new credentials, or -EPERM. */
export function setresgid(
  cred: Credentials,
  rgid: number,
  egid: number,
  sgid: number,
): Credentials | number {
  const isAllowed = (id: number): boolean => id === KEEP_ID || isOwnGid(cred, id);
  const isOwn = isAllowed(rgid) && isAllowed(egid) && isAllowed(sgid);
  if (!isOwn && !hasOwnCap(cred, CAP_SETGID)) return -EPERM;
  const effective = egid === KEEP_ID ? cred.egid : egid;
  return {
    ...cred,
    gid: rgid === KEEP_ID ? cred.gid : rgid,
    egid: effective,
    sgid: sgid === KEEP_ID ? cred.sgid : sgid,
    fsgid: effective,
  };
}

/** setfsgid(2): new credentials, or the same ones without the right to change. */
export function setfsgid(cred: Credentials, gid: number): Credentials {
  if (gid === KEEP_ID || gid === cred.fsgid) return cred;
  if (!isOwnGid(cred, gid) && !hasOwnCap(cred, CAP_SETGID)) return cred;
  return { ...cred, fsgid: gid };
}

/** setgroups(2): `groups` are sorted, and the credentials keep the array. */
export function setgroups(cred: Credentials, groups: readonly number[]): Credentials | number {
  const { userNs } = cred;
  if (!hasOwnCap(cred, CAP_SETGID) || !userNs.allowsSetgroups) return -EPERM;
  // Without a map a process could only drop groups that deny it something.
  if (userNs.gidMap.length === 0) return -EPERM;
  return { ...cred, groups };
}

function isOwnUid(cred: Credentials, id: number): boolean {
  return id === cred.uid || id === cred.euid || id === cred.suid || id === cred.fsuid;
}

function isOwnGid(cred: Credentials, id: number): boolean {
  return id === cred.gid || id === cred.egid || id === cred.sgid || id === cred.fsgid;
}

/** New user ids, with the capabilities that remain. */
function withUids(cred: Credentials, uid: number, euid: number, suid: number): Credentials {
  let { permitted, effective, ambient } = cred;
  if ((cred.securebits & SECBIT_NO_SETUID_FIXUP) === 0) {
    const root = cred.userNs.kernelUid(0);
    const wasRoot = cred.uid === root || cred.euid === root || cred.suid === root;
    const isRoot = uid === root || euid === root || suid === root;
    if (wasRoot && !isRoot) {
      ambient = NO_CAPS;
      if ((cred.securebits & SECBIT_KEEP_CAPS) === 0) {
        permitted = NO_CAPS;
        effective = NO_CAPS;
      }
    }
    if (cred.euid === root && euid !== root) effective = NO_CAPS;
    else if (cred.euid !== root && euid === root) effective = permitted;
  }
  return { ...cred, uid, euid, suid, fsuid: euid, permitted, effective, ambient };
}
