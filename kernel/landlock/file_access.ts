/**
 * Checks access to files against domains of landlock(7) (security/landlock/fs.c). In each domain
 * that decides about an access, rules on the file and on the directories above it, up to the root
 * of the mount tree, must allow it. vfs/access.ts checks owner and mode.
 */

import { EACCES, EXDEV } from "../../ffi/abi/errno.ts";
import { O_ACCMODE, O_RDONLY, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import * as L from "../../ffi/abi/landlock.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
} from "../../ffi/abi/stat.ts";
import type { Domain } from "./domain.ts";
import type { Dentry, Mount, Path } from "../vfs/dentry.ts";
import type { Inode } from "../vfs/inode.ts";

const REFER = L.LANDLOCK_ACCESS_FS_REFER;
/** Rights that apply to files other than directories. */
export const ACCESS_FILE: number = L.LANDLOCK_ACCESS_FS_EXECUTE | L.LANDLOCK_ACCESS_FS_WRITE_FILE |
  L.LANDLOCK_ACCESS_FS_READ_FILE | L.LANDLOCK_ACCESS_FS_TRUNCATE | L.LANDLOCK_ACCESS_FS_IOCTL_DEV;
export const ACCESS_FS: number = L.LANDLOCK_ACCESS_FS_IOCTL_DEV * 2 - 1;

/**
 * The rights of `request` that each domain denies at a place, the innermost domain first. REFER is
 * denied unless a rule allows it.
 */
function deniedAt(domain: Domain, mount: Mount, dentry: Dentry, request: number): number[] {
  const denied: number[] = [];
  let open = 0;
  for (let at: Domain | null = domain; at !== null; at = at.parent) {
    const wanted = request & (at.handled.fs | REFER);
    denied.push(wanted);
    open |= wanted;
  }
  if (open === 0 || isInternal(dentry)) return denied.fill(0);
  let m = mount, d = dentry;
  for (;;) {
    const { inode } = d;
    if (inode !== null && inode.ruleCount > 0 && removeGranted(domain, inode, denied) === 0) {
      return denied;
    }
    // The walk continues below the mount point; mounted-over directories are skipped.
    while (d === m.root) {
      if (m.parent === null || m.mountpoint === null) return denied;
      d = m.mountpoint;
      m = m.parent;
    }
    if (d.isRoot) return denied;
    d = d.parent;
  }
}

/**
 * Removes from `denied` the rights that rules on `inode` allow: the remaining ones of all domains.
 */
function removeGranted(domain: Domain, inode: Inode, denied: number[]): number {
  let left = 0, i = 0;
  for (let at: Domain | null = domain; at !== null; at = at.parent, i++) {
    const given = at.rules.files.get(inode) ?? 0;
    denied[i]! &= ~given;
    left |= denied[i]!;
  }
  return left;
}

/** Pipes, sockets and the like have no path. */
function isInternal(dentry: Dentry): boolean {
  return dentry.fs.isInternal;
}

function unionOfRights(denied: readonly number[]): number {
  let all = 0;
  for (const bits of denied) all |= bits;
  return all;
}

function isOver(domain: Domain | null): domain is Domain {
  return domain !== null && domain.all.fs !== 0;
}

/** Checks an access at a place: 0 or -EACCES. */
export function mayDo(
  domain: Domain | null,
  mount: Mount,
  dentry: Dentry,
  request: number,
): number {
  if (!isOver(domain)) return 0;
  return unionOfRights(deniedAt(domain, mount, dentry, request)) === 0 ? 0 : -EACCES;
}

/** The right for making a file of this type. */
export function rightToMake(mode: number): number {
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return L.LANDLOCK_ACCESS_FS_MAKE_SYM;
    case S_IFDIR:
      return L.LANDLOCK_ACCESS_FS_MAKE_DIR;
    case S_IFCHR:
      return L.LANDLOCK_ACCESS_FS_MAKE_CHAR;
    case S_IFBLK:
      return L.LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    case S_IFIFO:
      return L.LANDLOCK_ACCESS_FS_MAKE_FIFO;
    case S_IFSOCK:
      return L.LANDLOCK_ACCESS_FS_MAKE_SOCK;
    default:
      return L.LANDLOCK_ACCESS_FS_MAKE_REG;
  }
}

function rightToRemove(inode: Inode | null): number {
  if (inode === null) return 0;
  return (inode.mode & S_IFMT) === S_IFDIR
    ? L.LANDLOCK_ACCESS_FS_REMOVE_DIR
    : L.LANDLOCK_ACCESS_FS_REMOVE_FILE;
}

/**
 * Checks whether the file may be opened with these flags: -EACCES; or the rights that the open file
 * lacks later (LANDLOCK_ACCESS_FS_TRUNCATE, LANDLOCK_ACCESS_FS_IOCTL_DEV).
 */
export function mayOpenHere(
  domain: Domain | null,
  path: Path,
  inode: Inode,
  flags: number,
  isProgram: boolean,
): number {
  if (!isOver(domain)) return 0;
  const type = inode.mode & S_IFMT, isDevice = type === S_IFCHR || type === S_IFBLK;
  const request = rightsToOpen(type, flags, isProgram);
  const later = L.LANDLOCK_ACCESS_FS_TRUNCATE | (isDevice ? L.LANDLOCK_ACCESS_FS_IOCTL_DEV : 0);
  const denied = unionOfRights(deniedAt(domain, path.mount, path.dentry, request | later));
  return (denied & request) !== 0 ? -EACCES : denied & later;
}

function rightsToOpen(type: number, flags: number, isProgram: boolean): number {
  const mode = flags & O_ACCMODE;
  const reads = mode !== O_WRONLY && mode !== O_ACCMODE;
  if (reads && type === S_IFDIR) return L.LANDLOCK_ACCESS_FS_READ_DIR;
  const writes = mode !== O_RDONLY && mode !== O_ACCMODE;
  return (reads ? L.LANDLOCK_ACCESS_FS_READ_FILE : 0) |
    (writes ? L.LANDLOCK_ACCESS_FS_WRITE_FILE : 0) |
    (isProgram ? L.LANDLOCK_ACCESS_FS_EXECUTE : 0);
}

/** A new name for a file: link(2) or rename(2). */
interface Referral {
  readonly mount: Mount;
  readonly from: Dentry;
  readonly dir: Dentry;
  /** The file at the new place; its inode may be null. */
  readonly to: Dentry;
  /** The old name is removed. */
  readonly removes: boolean;
  readonly exchanges: boolean;
}

/**
 * current_check_refer_path of Linux: 0, -EACCES, or -EXDEV when the file would have more rights at
 * its new place.
 */
export function mayRefer(domain: Domain | null, r: Referral): number {
  const old = r.from.inode, there = r.to.inode;
  if (!isOver(domain) || old === null) return 0;
  let atOld = r.exchanges && there !== null ? rightToMake(there.mode) : 0;
  let atNew = rightToMake(old.mode);
  if (r.removes) {
    atOld |= rightToRemove(old);
    atNew |= rightToRemove(there);
  }
  const parent = r.from.parent;
  if (parent === r.dir) return mayDo(domain, r.mount, r.dir, atOld | atNew);
  const left = deniedAt(domain, r.mount, parent, ACCESS_FS);
  const found = deniedAt(domain, r.mount, r.dir, ACCESS_FS);
  const gains = gainsRights(domain, old, left, found) ||
    (r.exchanges && there !== null && gainsRights(domain, there, found, left));
  const denied = (unionOfRights(left) & atOld) | (unionOfRights(found) & atNew);
  if (denied !== 0) return -EACCES;
  return gains || ((unionOfRights(left) | unionOfRights(found)) & REFER) !== 0 ? -EXDEV : 0;
}

/**
 * True if a right is allowed at the new place that neither rules on the file nor its old place
 * allow.
 */
function gainsRights(
  domain: Domain,
  inode: Inode,
  from: readonly number[],
  to: readonly number[],
): boolean {
  const kept = (inode.mode & S_IFMT) === S_IFDIR ? ACCESS_FS : ACCESS_FILE;
  const own = [...from];
  removeGranted(domain, inode, own);
  return own.some((bits, i) => (bits & kept & ~to[i]!) !== 0);
}
