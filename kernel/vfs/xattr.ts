/**
 * Extended attributes (xattr(7)): the permission rules of each name space, POSIX ACLs, sizes. The
 * file system stores the values. Names are byte strings with their prefix.
 * kernel/syscalls/fs/xattr.ts calls this; xattr_ids.ts translates ids in values.
 */

import { CAP_SETFCAP, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { E2BIG, EACCES, EINVAL, ENODATA, EOPNOTSUPP, EPERM, ERANGE } from "../../ffi/abi/errno.ts";
import { XATTR_NAME_MAX, XATTR_SIZE_MAX } from "../../ffi/abi/fs.ts";
import { IN_ATTRIB } from "../../ffi/abi/inotify.ts";
import { S_ISGID } from "../../ffi/abi/stat.ts";
import {
  XATTR_CREATE,
  XATTR_NAME_CAPS,
  XATTR_NAME_POSIX_ACL_ACCESS,
  XATTR_NAME_POSIX_ACL_DEFAULT,
  XATTR_REPLACE,
  XATTR_SECURITY_PREFIX,
  XATTR_SYSTEM_PREFIX,
  XATTR_TRUSTED_PREFIX,
  XATTR_USER_PREFIX,
} from "../../ffi/abi/xattr.ts";
import { type Credentials, hasCap, hasCapIn } from "../cred/credentials.ts";
import {
  hasCapOver,
  MAY_READ,
  MAY_WRITE,
  mayKeepSetgid,
  ownsOrCapable,
} from "../cred/permission.ts";
import {
  inodePermission,
  isDirectory,
  isProtected,
  isRegular,
  isSymlink,
  wantWrite,
} from "./access.ts";
import type { Caller } from "./caller.ts";
import type { Path } from "./dentry.ts";
import { ATTR_MODE, emptyAttrChange, type Inode } from "./inode.ts";
import { notify } from "./notify.ts";
import { decodeAcl, isValidAcl } from "./posix_acl.ts";
import { capabilityToKeep, capabilityToShow, translateAcl } from "./xattr_ids.ts";

/** -ERANGE for a name that is empty or too long, else 0. All calls check this first. */
export function checkXattrName(name: string): number {
  return name.length === 0 || name.length > XATTR_NAME_MAX ? -ERANGE : 0;
}

/** The first checks of setxattr(2), before anything is copied: 0, -EINVAL, -E2BIG. */
export function checkXattrSize(size: number, flags: number): number {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  return size > XATTR_SIZE_MAX ? -E2BIG : 0;
}

function isAcl(name: string): boolean {
  return name === XATTR_NAME_POSIX_ACL_ACCESS || name === XATTR_NAME_POSIX_ACL_DEFAULT;
}

/** xattr_permission of fs/xattr.c: 0 or -errno. */
function permission(inode: Inode, name: string, mask: number, cred: Credentials): number {
  const writes = (mask & MAY_WRITE) !== 0;
  if (writes && isProtected(inode)) return -EPERM;
  if (name.startsWith(XATTR_SECURITY_PREFIX) || name.startsWith(XATTR_SYSTEM_PREFIX)) return 0;
  if (name.startsWith(XATTR_TRUSTED_PREFIX)) {
    return hasCap(cred, CAP_SYS_ADMIN) ? 0 : writes ? -EPERM : -ENODATA;
  }
  if (name.startsWith(XATTR_USER_PREFIX)) {
    if (!isRegular(inode) && !isDirectory(inode)) return writes ? -EPERM : -ENODATA;
    const isSticky = isDirectory(inode) && (inode.mode & 0o1000) !== 0;
    if (isSticky && writes && !ownsOrCapable(inode, cred)) return -EPERM;
  }
  return inodePermission(inode, mask, cred);
}

/** Checks that the name has a known prefix and more: 0, -EOPNOTSUPP, -EINVAL. */
function checkPrefix(name: string): number {
  if (isAcl(name)) return 0;
  for (const p of [XATTR_USER_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_SECURITY_PREFIX]) {
    if (name.startsWith(p)) return name.length === p.length ? -EINVAL : 0;
  }
  return -EOPNOTSUPP;
}

/** The capability that a writer of security.* needs (cap_inode_setxattr): 0 or -EPERM. */
function securityPermission(inode: Inode, name: string, cred: Credentials): number {
  if (!name.startsWith(XATTR_SECURITY_PREFIX)) return 0;
  if (name === XATTR_NAME_CAPS) return hasCapOver(inode, cred, CAP_SETFCAP) ? 0 : -EPERM;
  return hasCapIn(cred, inode.fs.owner, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

export function setXattr(
  caller: Caller,
  path: Path,
  name: string,
  value: Uint8Array<ArrayBuffer>,
  flags: number,
): number {
  let r = wantWrite(path.mount);
  if (r === 0) r = setInodeXattr(caller, path.dentry.inode!, name, value, flags);
  if (r === 0) notify(null, path.dentry, IN_ATTRIB);
  return r;
}

/** setxattr(2) on a file that has no path. */
export function setInodeXattr(
  caller: Caller,
  inode: Inode,
  name: string,
  value: Uint8Array<ArrayBuffer>,
  flags: number,
): number {
  const { cred } = caller;
  let r: number, kept: Uint8Array<ArrayBuffer> | number = value;
  if (isAcl(name)) {
    r = checkAclChange(inode, name, value, cred);
    if (r < 0) return r;
    kept = translateAcl(value, cred.userNs, true);
  } else {
    r = permission(inode, name, MAY_WRITE, cred);
    if (r === 0) r = securityPermission(inode, name, cred);
    if (r === 0) r = checkPrefix(name);
    if (r < 0) return r;
    if (name === XATTR_NAME_CAPS) kept = capabilityToKeep(value, inode, cred);
  }
  if (typeof kept === "number") return kept;
  r = inode.setxattr(name, kept, flags);
  if (r === 0 && name === XATTR_NAME_POSIX_ACL_ACCESS) r = dropSetgid(inode, cred);
  return r;
}

/**
 * Setting or removing an access ACL sets the mode, as chmod(2) does, and so clears the set-group-ID
 * bit when the caller is not in the file's group.
 */
function dropSetgid(inode: Inode, cred: Credentials): number {
  if ((inode.mode & S_ISGID) === 0 || mayKeepSetgid(inode, cred)) return 0;
  const change = emptyAttrChange();
  change.valid = ATTR_MODE;
  change.mode = inode.mode & ~S_ISGID;
  return inode.setattr(change, cred);
}

function checkAclChange(
  inode: Inode,
  name: string,
  value: Uint8Array<ArrayBuffer> | null,
  cred: Credentials,
): number {
  const acl = value === null ? [] : decodeAcl(value);
  if (typeof acl === "number") return acl;
  if (isSymlink(inode)) return -EOPNOTSUPP;
  const isDefault = name === XATTR_NAME_POSIX_ACL_DEFAULT;
  if (isDefault && !isDirectory(inode)) return acl.length === 0 ? 0 : -EACCES;
  if (!ownsOrCapable(inode, cred)) return -EPERM;
  return acl.length === 0 || isValidAcl(acl) ? 0 : -EINVAL;
}

export function getXattr(
  caller: Caller,
  inode: Inode,
  name: string,
): Uint8Array<ArrayBuffer> | number {
  if (!isAcl(name)) {
    const r = permission(inode, name, MAY_READ, caller.cred);
    if (r < 0) return r;
    const p = checkPrefix(name);
    if (p < 0) return p;
  }
  const value = inode.getxattr(name), { userNs } = caller.cred;
  if (typeof value === "number") return value;
  if (name === XATTR_NAME_CAPS) return capabilityToShow(value, userNs);
  return isAcl(name) ? translateAcl(value, userNs, false) : value;
}

export function removeXattr(caller: Caller, path: Path, name: string): number {
  let r = wantWrite(path.mount);
  if (r === 0) r = removeInodeXattr(caller, path.dentry.inode!, name);
  if (r === 0) notify(null, path.dentry, IN_ATTRIB);
  return r;
}

export function removeInodeXattr(caller: Caller, inode: Inode, name: string): number {
  const { cred } = caller;
  let r: number;
  if (isAcl(name)) {
    r = checkAclChange(inode, name, null, cred);
  } else {
    r = permission(inode, name, MAY_WRITE, cred);
    if (r === 0) r = securityPermission(inode, name, cred);
    if (r === 0) r = checkPrefix(name);
  }
  if (r < 0) return r;
  r = inode.removexattr(name);
  if (r === 0 && name === XATTR_NAME_POSIX_ACL_ACCESS) r = dropSetgid(inode, cred);
  return r;
}

/** listxattr(2): the names that the caller may see. */
export function listXattr(caller: Caller, inode: Inode): string[] | number {
  const names = inode.listxattr();
  if (typeof names === "number") return names;
  if (hasCap(caller.cred, CAP_SYS_ADMIN)) return names;
  return names.filter((n) => !n.startsWith(XATTR_TRUSTED_PREFIX));
}
