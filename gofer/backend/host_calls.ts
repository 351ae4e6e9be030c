/**
 * The Gofer's file system calls, each a short name for one raw call with its fixed flags.
 *
 * Results are >= 0 or -errno. A name is staged by scratch.ts: a single component, looked up in a
 * directory that is held open, and never followed if it is a symlink. Policy (read-only roots,
 * which files may be opened) is in open.ts, create.ts and the server's handlers.
 */

import { EAGAIN, EINTR, ENOSYS, EOPNOTSUPP, EPERM } from "../../ffi/abi/errno.ts";
import * as F from "../../ffi/abi/fcntl.ts";
import { STATX_BASIC_STATS, STATX_BTIME } from "../../ffi/abi/stat.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { openConfinedProc } from "./confined_tree.ts";
import {
  base,
  EMPTY_PATH,
  OPEN_HOW_AT,
  stageNumber,
  stageProcName,
  stageProcPath,
  STATX_AT,
  view,
} from "./scratch.ts";

const RESOLVE = F.RESOLVE_BENEATH | F.RESOLVE_NO_SYMLINKS | F.RESOLVE_NO_MAGICLINKS;
const STATX_FLAGS = F.AT_SYMLINK_NOFOLLOW | F.AT_NO_AUTOMOUNT;
const STATX_MASK = STATX_BASIC_STATS | STATX_BTIME;
/** LIMIT: tries of an openat2 that saw a rename somewhere (EAGAIN). */
const OPEN_TRIES = 8;

let hasOpenat2 = true;

/** Opens a staged component beneath `dirFd`; a symlink is never followed, whatever races. */
export function openBeneath(dirFd: number, nameAddr: number, flags: number, mode: number): number {
  const all = flags | F.O_CLOEXEC | F.O_NOFOLLOW;
  if (hasOpenat2) {
    view.setUint32(OPEN_HOW_AT, all, true);
    view.setUint32(OPEN_HOW_AT + 4, 0, true);
    view.setUint32(OPEN_HOW_AT + 8, mode, true);
    view.setUint32(OPEN_HOW_AT + 12, 0, true);
    view.setUint32(OPEN_HOW_AT + 16, RESOLVE, true);
    view.setUint32(OPEN_HOW_AT + 20, 0, true);
    for (let i = 0; i < OPEN_TRIES; i++) {
      const fd = syscall(N.SYS_openat2, dirFd, nameAddr, base + OPEN_HOW_AT, 24);
      if (fd === -EAGAIN || fd === -EINTR) continue;
      if (fd !== -ENOSYS && fd !== -EPERM) return fd;
      break;
    }
    // Before Linux 5.6 the call is missing, and old container filters answer EPERM. openat is
    // enough then, since a single checked component with O_NOFOLLOW stays beneath its directory;
    // openat2 checks it a second time.
  }
  const fd = syscall(N.SYS_openat, dirFd, nameAddr, all, mode);
  if (hasOpenat2 && fd >= 0) hasOpenat2 = false;
  return fd;
}

/**
 * Whether the host has openat2(2) and no filter of a surrounding container forbids it. `dirFd`: any
 * directory.
 */
export function probeOpenat2(dirFd: number): boolean {
  view.setUint32(OPEN_HOW_AT, F.O_PATH | F.O_CLOEXEC, true);
  for (let at = 4; at < 24; at += 4) view.setUint32(OPEN_HOW_AT + at, 0, true);
  const fd = syscall(N.SYS_openat2, dirFd, EMPTY_PATH, base + OPEN_HOW_AT, 24);
  // ENOENT is the answer to the empty path.
  hasOpenat2 = fd !== -ENOSYS && fd !== -EPERM;
  return hasOpenat2;
}

/** An O_PATH descriptor of a staged component of any file type; a symlink is not followed. */
export function openPath(dirFd: number, nameAddr: number): number {
  return openBeneath(dirFd, nameAddr, F.O_PATH, 0);
}

/**
 * Opens a staged path of several components as a directory for reading. `crosses`: mounts on the
 * way are entered. Only openat2 walks several components safely: -EOPNOTSUPP where the host has
 * none.
 */
export function openTreeDir(dirFd: number, pathAddr: number, crosses: boolean): number {
  if (!hasOpenat2) return -EOPNOTSUPP;
  const flags = F.O_RDONLY | F.O_DIRECTORY | F.O_NOFOLLOW | F.O_CLOEXEC;
  view.setUint32(OPEN_HOW_AT, flags, true);
  view.setUint32(OPEN_HOW_AT + 4, 0, true);
  view.setUint32(OPEN_HOW_AT + 8, 0, true);
  view.setUint32(OPEN_HOW_AT + 12, 0, true);
  view.setUint32(OPEN_HOW_AT + 16, RESOLVE | (crosses ? 0 : F.RESOLVE_NO_XDEV), true);
  view.setUint32(OPEN_HOW_AT + 20, 0, true);
  const fd = syscall(N.SYS_openat2, dirFd, pathAddr, base + OPEN_HOW_AT, 24);
  return fd === -ENOSYS ? -EOPNOTSUPP : fd;
}

/** Attributes of an open descriptor, to the scratch statx buffer. */
export function statxFd(fd: number): number {
  return syscall(
    N.SYS_statx,
    fd,
    EMPTY_PATH,
    STATX_FLAGS | F.AT_EMPTY_PATH,
    STATX_MASK,
    base + STATX_AT,
  );
}

/** Attributes of a staged component, not followed. */
export function statxName(dirFd: number, nameAddr: number): number {
  return syscall(N.SYS_statx, dirFd, nameAddr, STATX_FLAGS, STATX_MASK, base + STATX_AT);
}

/** close(2). */
export function closeFd(fd: number): number {
  return syscall(N.SYS_close, fd);
}

/** A close-on-exec duplicate, at 3 or above. */
export function dupFd(fd: number): number {
  return syscall(N.SYS_fcntl, fd, F.F_DUPFD_CLOEXEC, 3);
}

/** The target of a symlink held by an O_PATH descriptor: its length. */
export function readlinkFd(fd: number, addr: number, len: number): number {
  return syscall(N.SYS_readlinkat, fd, EMPTY_PATH, addr, len);
}

/** readlinkat(2) of a staged component: the length of the target. */
export function readlinkName(dirFd: number, nameAddr: number, addr: number, len: number): number {
  return syscall(N.SYS_readlinkat, dirFd, nameAddr, addr, len);
}

/** mkdirat(2) of a staged component. */
export function mkdirAt(dirFd: number, nameAddr: number, mode: number): number {
  return syscall(N.SYS_mkdirat, dirFd, nameAddr, mode);
}

/** mknodat(2) of a staged component; `dev` as the system call takes it. */
export function mknodAt(dirFd: number, nameAddr: number, mode: number, dev: number): number {
  return syscall(N.SYS_mknodat, dirFd, nameAddr, mode, dev);
}

/** symlinkat(2) of a staged target and component. */
export function symlinkAt(targetAddr: number, dirFd: number, nameAddr: number): number {
  return syscall(N.SYS_symlinkat, targetAddr, dirFd, nameAddr);
}

/** unlinkat(2) of a staged component. */
export function unlinkAt(dirFd: number, nameAddr: number, flags: number): number {
  return syscall(N.SYS_unlinkat, dirFd, nameAddr, flags);
}

/** renameat2(2) of two staged components. */
export function renameAt(
  oldDir: number,
  oldAddr: number,
  newDir: number,
  newAddr: number,
  flags: number,
): number {
  return syscall(N.SYS_renameat2, oldDir, oldAddr, newDir, newAddr, flags);
}

/** pread(2) to a host address: bytes read. */
export function preadFd(fd: number, addr: number, len: number, offset: number): number {
  return syscall(N.SYS_pread64, fd, addr, len, offset);
}

/** pwrite(2) from a host address: bytes written. */
export function pwriteFd(fd: number, addr: number, len: number, offset: number): number {
  return syscall(N.SYS_pwrite64, fd, addr, len, offset);
}

/** getdents64(2) to a host address: bytes of entries. */
export function getdents(fd: number, addr: number, len: number): number {
  return syscall(N.SYS_getdents64, fd, addr, len);
}

/**
 * Moves a directory to a cookie of 64 bits given in halves. The halves go in two steps, since not
 * every cookie (ext4 uses 63 bits) is a number; each step is exact.
 */
export function seekDir(fd: number, lo: number, hi: number): number {
  const r = syscall(N.SYS_lseek, fd, hi * 2 ** 32, 0);
  if (r < 0 && r > -4096) return r;
  if (lo === 0) return 0;
  const s = syscall(N.SYS_lseek, fd, lo, 1);
  return s < 0 && s > -4096 ? s : 0;
}

/** fsync(2), or fdatasync(2). */
export function fsyncFd(fd: number, isDataOnly: boolean): number {
  return syscall(isDataOnly ? N.SYS_fdatasync : N.SYS_fsync, fd);
}

/** ftruncate(2); `size` in bytes. */
export function truncateFd(fd: number, size: number): number {
  return syscall(N.SYS_ftruncate, fd, size);
}

/** fstatfs(2) to a host address. */
export function statfsFd(fd: number, addr: number): number {
  return syscall(N.SYS_fstatfs, fd, addr);
}

/**
 * chown of the file that an O_PATH descriptor holds, also of a symlink. -1 leaves an id as it is.
 */
export function chownFd(fd: number, uid: number, gid: number): number {
  return syscall(N.SYS_fchownat, fd, EMPTY_PATH, uid, gid, F.AT_EMPTY_PATH);
}

/** fcntl's record locks on open file descriptions. */
export function lockFd(fd: number, command: number, addr: number): number {
  return syscall(N.SYS_fcntl, fd, command, addr);
}

/**
 * Paths from O_PATH descriptors to their files, for calls that need a path: through /proc/self/fd,
 * which is held open so that it also works in an empty root directory.
 */
export class ProcFd {
  readonly fd: number;
  /**
   * The part of a path in front of a descriptor's number; "" once the working directory is
   * /proc/self/fd.
   */
  prefix = "/proc/self/fd/";

  /** Whether it is a clone without a way out (confined_tree.ts). */
  readonly isClone: boolean;

  /** Opens /proc/self/fd. Throws when /proc is not mounted. */
  constructor() {
    const { fd, isClone } = openConfinedProc("/proc/self/fd");
    if (fd < 0) {
      throw new Error("/proc/self/fd cannot be opened: mount /proc, the Gofer works through it");
    }
    this.fd = fd;
    this.isClone = isClone;
  }

  /**
   * Opens the file that an O_PATH descriptor holds. The caller has checked the type of the file.
   */
  reopen(fd: number, flags: number, mode = 0): number {
    return syscall(N.SYS_openat, this.fd, stageNumber(fd), flags | F.O_CLOEXEC, mode);
  }

  chmod(fd: number, mode: number): number {
    return syscall(N.SYS_fchmodat, this.fd, stageNumber(fd), mode);
  }

  /** `timesAddr`: two timespecs as utimensat(2). */
  setTimes(fd: number, timesAddr: number): number {
    return syscall(N.SYS_utimensat, this.fd, stageNumber(fd), timesAddr, 0);
  }

  /** A new name for the file. */
  link(fd: number, dirFd: number, nameAddr: number): number {
    const from = stageNumber(fd);
    return syscall(N.SYS_linkat, this.fd, from, dirFd, nameAddr, F.AT_SYMLINK_FOLLOW);
  }

  getxattr(fd: number, nameAddr: number, addr: number, len: number): number {
    return syscall(N.SYS_getxattr, stageProcPath(this.prefix, fd), nameAddr, addr, len);
  }

  setxattr(fd: number, nameAddr: number, addr: number, len: number, flags: number): number {
    return syscall(N.SYS_setxattr, stageProcPath(this.prefix, fd), nameAddr, addr, len, flags);
  }

  listxattr(fd: number, addr: number, len: number): number {
    return syscall(N.SYS_listxattr, stageProcPath(this.prefix, fd), addr, len);
  }

  /**
   * Length of the list of a name in an open directory, itself if it is a symlink. `nameAt`: in the
   * scratch memory.
   */
  llistxattr(dirFd: number, nameAt: number, len: number): number {
    return syscall(N.SYS_llistxattr, stageProcName(this.prefix, dirFd, nameAt, len), 0, 0);
  }

  removexattr(fd: number, nameAddr: number): number {
    return syscall(N.SYS_removexattr, stageProcPath(this.prefix, fd), nameAddr);
  }
}
