/**
 * Makes files, directories, links and nodes with exactly the mode and owner of the request.
 *
 * The host gives a new file the server's own user, and applies the set-group-ID rule of the
 * directory and its default ACL. So each file is made first, then opened, checked, and corrected
 * where it differs: owner, then mode, since chown clears set-id bits. When that fails, the new name
 * is removed again and the request fails.
 */

import { EINVAL, EPERM, ESTALE } from "../../ffi/abi/errno.ts";
import { AT_REMOVEDIR, O_CREAT, O_EXCL, O_TMPFILE } from "../../ffi/abi/fcntl.ts";
import {
  makedev,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../ffi/abi/stat.ts";
import { statGid, statMode, statUid, typeOf } from "./attributes.ts";
import type { ServerPolicy } from "./export_root.ts";
import {
  chownFd,
  closeFd,
  mkdirAt,
  mknodAt,
  openBeneath,
  openPath,
  type ProcFd,
  statxFd,
  symlinkAt,
  unlinkAt,
} from "./host_calls.ts";
import { hostFlags } from "./open.ts";

/** An id that stays as the host set it. */
export const KEEP_ID = 0xffffffff;

/** The user that this process makes files as; the server finds it once. */
export interface Maker {
  readonly proc: ProcFd;
  readonly policy: ServerPolicy;
  readonly uid: number;
}

/**
 * Corrects owner and mode of a new file. Leaves its final attributes in the statx buffer. 0 or
 * -errno.
 */
export function settle(fd: number, mode: number, uid: number, gid: number, maker: Maker): number {
  let r = statxFd(fd);
  if (r < 0) return r;
  const type = typeOf(statMode());
  if (type !== typeOf(mode)) return -ESTALE;
  const wantsOwner = !maker.policy.squash &&
    ((uid !== KEEP_ID && uid !== statUid()) || (gid !== KEEP_ID && gid !== statGid()));
  const wantsMode = type !== S_IFLNK && (statMode() & 0o7777) !== (mode & 0o7777);
  // A host process may have put another file under the name, and the file system may assign files
  // to another user (NFS). A file with another owner is not changed.
  if ((wantsOwner || wantsMode) && statUid() !== maker.uid) return -EPERM;
  if (wantsOwner) {
    r = chownFd(fd, uid, gid);
    if (r < 0) return r;
    r = statxFd(fd);
    if (r < 0) return r;
  }
  if (type !== S_IFLNK && (statMode() & 0o7777) !== (mode & 0o7777)) {
    r = maker.proc.chmod(fd, mode & 0o7777);
    if (r < 0) return r;
    return statxFd(fd);
  }
  return 0;
}

/**
 * Creates and opens a regular file; the name must be free. Returns a descriptor with `flags`'
 * access, attributes in the statx buffer, or -errno.
 */
export function createFile(
  dirFd: number,
  nameAddr: number,
  flags: number,
  mode: number,
  uid: number,
  gid: number,
  maker: Maker,
): number {
  const host = hostFlags(flags);
  if (host < 0) return host;
  const fd = openBeneath(dirFd, nameAddr, host | O_CREAT | O_EXCL, mode & 0o7777);
  if (fd < 0) return fd;
  const r = settle(fd, S_IFREG | (mode & 0o7777), uid, gid, maker);
  if (r < 0) {
    closeFd(fd);
    unlinkAt(dirFd, nameAddr, 0);
    return r;
  }
  return fd;
}

/**
 * Creates and opens a regular file without a name (O_TMPFILE); `flags` without that bit. As
 * createFile.
 */
export function createUnnamed(
  dirFd: number,
  flags: number,
  mode: number,
  uid: number,
  gid: number,
  maker: Maker,
): number {
  const host = hostFlags(flags & ~O_EXCL);
  if (host < 0) return host;
  const all = host | O_TMPFILE | (flags & O_EXCL);
  const fd = maker.proc.reopen(dirFd, all, mode & 0o7777);
  if (fd < 0) return fd;
  const r = settle(fd, S_IFREG | (mode & 0o7777), uid, gid, maker);
  if (r < 0) closeFd(fd);
  return r < 0 ? r : fd;
}

/** Whether a node of this type may be made here: 0 or -errno. */
function mayMake(type: number, major: number, minor: number, policy: ServerPolicy): number {
  switch (type) {
    case S_IFDIR:
    case S_IFLNK:
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
      return 0;
    case S_IFCHR: // 0/0 is overlayfs's whiteout and opens nothing
      return policy.devices || (major === 0 && minor === 0) ? 0 : -EPERM;
    case S_IFBLK:
      return policy.devices ? 0 : -EPERM;
    default:
      return -EINVAL;
  }
}

function makeNode(
  dirFd: number,
  nameAddr: number,
  mode: number,
  major: number,
  minor: number,
  targetAddr: number,
): number {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return mkdirAt(dirFd, nameAddr, mode & 0o7777);
  if (type === S_IFLNK) return symlinkAt(targetAddr, dirFd, nameAddr);
  return mknodAt(dirFd, nameAddr, mode & (S_IFMT | 0o7777), makedev(major, minor));
}

/**
 * Makes a directory, symlink (to the staged target), FIFO, socket, empty file or device node.
 * Returns an O_PATH descriptor of it, attributes in the statx buffer, or -errno.
 */
export function make(
  dirFd: number,
  nameAddr: number,
  mode: number,
  uid: number,
  gid: number,
  major: number,
  minor: number,
  targetAddr: number,
  maker: Maker,
): number {
  const type = mode & S_IFMT;
  let r = mayMake(type, major, minor, maker.policy);
  if (r < 0) return r;
  if (major > 0xfff || minor > 0xfffff) return -EINVAL;
  r = makeNode(dirFd, nameAddr, mode, major, minor, targetAddr);
  if (r < 0) return r;
  const fd = openPath(dirFd, nameAddr);
  if (fd < 0) return fd;
  r = settle(fd, mode, uid, gid, maker);
  if (r < 0) {
    closeFd(fd);
    unlinkAt(dirFd, nameAddr, type === S_IFDIR ? AT_REMOVEDIR : 0);
    return r;
  }
  return fd;
}
