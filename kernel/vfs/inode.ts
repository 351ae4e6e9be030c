/**
 * The contract of a file system: the abstract classes FileSystem and Inode. Each file system of
 * kernel/fs subclasses both, and the operations of this folder call them, after they have checked
 * permission (walk.ts, access.ts). No method blocks; each returns -errno, some BLOCK.
 *
 * Names are byte strings (core/bytes.ts). Times are exact: seconds and nanoseconds.
 */

import type { Account } from "../core/account.ts";
import { ECONNREFUSED, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import type { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { IN_DELETE_SELF } from "../../ffi/abi/inotify.ts";
import { XATTR_NAME_CAPS } from "../../ffi/abi/xattr.ts";
import type { Credentials } from "../cred/credentials.ts";
import { checkAccess } from "../cred/permission.ts";
import type { Dentry, Path } from "./dentry.ts";
import type { DeviceNumbers } from "./device_numbers.ts";
import type { FileLocks } from "./file_locks.ts";
import type { Leases } from "./leases.ts";
import type { Mark } from "./marks.ts";
import { type InodeWatches, notifySelf } from "./notify.ts";
import type { OpenFile } from "./open_file.ts";
import type { PosixAcl } from "./posix_acl.ts";

/** Bits of `AttrChange.valid`: the fields that setattr changes. */
export const ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8;
export const ATTR_ATIME = 16, ATTR_MTIME = 32, ATTR_CTIME = 64;
/** The change has the time (utimensat(2)); without this bit ATTR_xTIME means now. */
export const ATTR_ATIME_SET = 128, ATTR_MTIME_SET = 256;

export interface AttrChange {
  valid: number;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
}

export interface StatFs {
  type: number;
  blockSize: number;
  blocks: number;
  blocksFree: number;
  blocksAvailable: number;
  files: number;
  filesFree: number;
  fsid: number;
  nameMax: number;
  flags: number;
}

/** One mounted instance (a superblock). */
export abstract class FileSystem {
  /** The name in /proc/filesystems and mountinfo. */
  abstract readonly type: string;
  /** st_dev: an anonymous device number in stat's encoding, unless inodes say otherwise. */
  readonly dev: number;
  abstract readonly root: Inode;
  /** The mount source of mountinfo. */
  source: string = "none";
  readOnly: boolean = false;
  /** The user namespace whose capabilities count; only in the first one, device nodes open. */
  owner: UserNamespace = INITIAL_USER_NAMESPACE;
  /** It makes its device nodes itself, so they can be opened whichever user mounts it. */
  readonly hasOwnDevices: boolean = false;
  /** A new mount of it may show what other mounts of the type hide (revealing.ts). */
  readonly isRevealing: boolean = false;
  /** It exists without mounts, so its first mounter does not own it. */
  hasFixedOwner: boolean = false;
  /** The number of stacked file systems above the lowest one; 0 for one that is not stacked. */
  readonly stackDepth: number = 0;
  /** Its bytes are stored outside the sandbox: the io controller counts reads and writes. */
  isStored: boolean = false;
  /** The options behind `rw,` in mountinfo. */
  superOptions(): string {
    return "";
  }
  /** The root of a mount in mountinfo; null: its path in the file system. */
  rootText(_root: Dentry): string | null {
    return null;
  }
  abstract statfs(out: StatFs): number;
  /** The number of files whose bytes may not be on stable storage yet. */
  get unsyncedFiles(): number {
    return 0;
  }
  /**
   * Writes one of `unsyncedFiles` to stable storage, the one that has waited longest: 0 or -errno.
   * The kernel waits for the host's disk meanwhile, so a turn of the loop syncs one file.
   */
  syncFile(): number {
    return 0;
  }
  /** Remounts with other options; -EINVAL for an unknown one. The VFS handles MS_RDONLY. */
  remount(_options: string): number {
    return 0;
  }
  /** Drops all cached names and attributes, because the file system may have changed outside. */
  expire(): void {}
  /** Called when the last mount is gone. */
  destroy(): void {}
  /**
   * Whether `free` frees its files in slices instead of `destroy`: it may have many, and nothing
   * outside of it notices when they are freed.
   */
  get isFreedInSlices(): boolean {
    return false;
  }
  /** Frees a slice of the files; returns the units left, as a WorkItem (core/deferred_work.ts). */
  free(units: number): number {
    return units;
  }
  /** The tree is changed behind the VFS: an overlay has it as its upper layer. */
  isChangedBehind: boolean = false;
  /** No path leads to its files: pipes, sockets, namespaces, memfds. */
  isInternal: boolean = false;
  /** Marks of fanotify on the whole file system. */
  readonly marks: Mark[] = [];
  /** Mounts that show this file system. */
  mounts: number = 0;
  /** Files open for writing, over all mounts. */
  writers: number = 0;
  /** The dentry of `root`, shared by all mounts; made by `rootDentryOf` (dentry_cache.ts). */
  rootDentry: Dentry | null = null;
  /**
   * Called before the walk looks up the component of `path` at `from` in `dir`, when that is not
   * cached, or cached (`cached`) and not stable. A remote file system may fetch the whole rest of
   * the path at once. `opens`: the last component is going to be opened for reading; `account` is
   * charged for that. 0, -errno, or BLOCK.
   */
  walkAhead(
    _dir: Inode,
    _path: string,
    _from: number,
    _opens: boolean,
    _cached: Dentry | null,
    _account: Account,
  ): number {
    return 0;
  }

  constructor(devices: DeviceNumbers) {
    this.dev = devices.next();
  }
}

/** A StatFs with zeros, for callers of `statfs`. */
export function emptyStatFs(): StatFs {
  return {
    type: 0,
    blockSize: 4096,
    blocks: 0,
    blocksFree: 0,
    blocksAvailable: 0,
    files: 0,
    filesFree: 0,
    fsid: 0,
    nameMax: 255,
    flags: 0,
  };
}

/** An AttrChange that changes nothing: set `valid` and the fields that it names. */
export function emptyAttrChange(): AttrChange {
  return {
    valid: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    atimeSec: 0,
    atimeNsec: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
  };
}

/**
 * Takes one directory entry; `offset` is the position behind it (d_off). False: the entry did not
 * fit, so `readdir` stops and gives it again next time.
 */
export type DirSink = (name: string, ino: number, type: number, offset: number) => boolean;

/** One file, directory, link or special file. The file system keeps its stat fields current. */
export abstract class Inode {
  readonly fs: FileSystem;
  ino: number;
  /** File type and permission bits (S_IF* | 07777). */
  mode: number;
  uid: number = 0;
  gid: number = 0;
  nlink: number = 1;
  size: number = 0;
  /** For device nodes: the number in stat's encoding (makedev of ffi/abi/stat.ts). */
  rdev: number = 0;
  /** Blocks of 512 bytes. */
  blocks: number = 0;
  blockSize: number = 4096;
  atimeSec: number = 0;
  atimeNsec: number = 0;
  mtimeSec: number = 0;
  mtimeNsec: number = 0;
  ctimeSec: number = 0;
  ctimeNsec: number = 0;
  btimeSec: number = 0;
  btimeNsec: number = 0;
  /** Record locks and flock (file_locks.ts); null until the first. */
  locks: FileLocks | null = null;
  /** F_SETLEASE (leases.ts); null until the first. */
  leases: Leases | null = null;
  /** Watches of inotify and marks of fanotify (notify.ts); null when there are none. */
  watches: InodeWatches | null = null;
  /** FS_*_FL of chattr(1) (file_flags.ts). */
  fileFlags: number = 0;
  /** The number of its file handle (file_handles.ts); 0: none. */
  handle: number = 0;
  /** The number of landlock rules that name it. */
  ruleCount: number = 0;
  /** The FIFO or socket at this inode. */
  special: object | null = null;
  /** > 0: opens for writing; < 0: programs that run it, so that opens for writing are ETXTBSY. */
  writeCount: number = 0;
  /** Open file descriptions of it, without those of O_PATH. */
  openCount: number = 0;
  /** It may have file capabilities (capabilities(7)), which a write removes. */
  hasCapabilities: boolean = false;
  /** F_SET_RW_HINT of fcntl(2): RWH_WRITE_LIFE_*. */
  writeHint: number = 0;
  /** The access ACL when the mode does not say it all (posix_acl.ts), or null. */
  accessAcl: PosixAcl | null = null;
  /** The ACL that new entries of this directory inherit, or null. */
  defaultAcl: PosixAcl | null = null;

  constructor(fs: FileSystem, ino: number, mode: number) {
    this.fs = fs;
    this.ino = ino;
    this.mode = mode;
  }

  get dev(): number {
    return this.fs.dev;
  }

  /** Brings the stat fields up to date (remote files): 0 or -errno. */
  refresh(): number {
    return 0;
  }
  /** Whether its file system stores FS_*_FL flags for it. */
  get hasFileFlags(): boolean {
    return false;
  }
  /** Sets the flags. The VFS has checked permission and that the flags are known: 0 or -errno. */
  setFileFlags(_flags: number): number {
    return -EOPNOTSUPP;
  }
  /** Called before a file in use loses its last name, by which remote files are found. */
  keepReachable(): void {}
  abstract setattr(change: AttrChange, cred: Credentials): number;
  /** Sets atime to now; with `relative` only if it is a day old or not after mtime and ctime. */
  touchAtime(_relative: boolean): void {}
  /** Sets the ACLs of a new file, inherited from the default ACL of its directory. */
  inheritAcls(_access: PosixAcl | null, _default: PosixAcl | null): void {}

  /** The namespace that this file of nsfs stands for. */
  get standsFor(): Namespace | null {
    return null;
  }
  /**
   * The directory only serves as a mountpoint and never has entries: a mount on it hides nothing.
   */
  get isForMountsOnly(): boolean {
    return false;
  }
  /** Called when a mount has it as its root, and when that mount is freed. */
  onMounted(): void {}
  onUnmounted(): void {}

  /** Looks up a name in this directory; -ENOENT when it is missing. */
  abstract lookup(name: string): Inode | number;
  /** Whether a cached dentry of this directory may be used without a new lookup. */
  get dentriesAreStable(): boolean {
    return !this.fs.isChangedBehind;
  }
  /**
   * Looks up `name` again, for a cached answer of a directory that is not stable. To return
   * `cached` itself keeps the dentry; anything else replaces it.
   */
  relookup(name: string, _cached: Inode | null): Inode | number {
    return this.lookup(name);
  }
  /**
   * Creates a regular file. `mode` is final: the VFS has applied the umask and the set-group-ID
   * rules.
   */
  abstract create(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number;
  abstract mkdir(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number;
  abstract mknod(
    name: string,
    mode: number,
    rdev: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number;
  abstract symlink(
    name: string,
    target: string,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number;
  abstract link(name: string, target: Inode): number;
  abstract unlink(name: string, target: Inode): number;
  /** Called again after NEEDS_TURN. */
  abstract rmdir(name: string, target: Inode): number;
  /**
   * The VFS checks RENAME_NOREPLACE; `flags` are RENAME_EXCHANGE and RENAME_WHITEOUT. Called again
   * after NEEDS_TURN.
   */
  abstract rename(
    name: string,
    source: Inode,
    newDir: Inode,
    newName: string,
    target: Inode | null,
    flags: number,
    account: Account,
  ): number;
  /**
   * O_TMPFILE: makes a regular file without a name, nlink 0. `linkable`: linkat(2) may name it
   * later.
   */
  abstract tmpfile(
    mode: number,
    uid: number,
    gid: number,
    linkable: boolean,
    account: Account,
  ): Inode | number;
  /** Whether it is an unnamed file that `link` may name (O_TMPFILE without O_EXCL). */
  get isLinkable(): boolean {
    return false;
  }

  /** Equal for all inodes of one host file, which several paths may reach; "" for others. */
  get hostIdentity(): string {
    return "";
  }

  /**
   * Creates a socket that is going to listen. Where the host lets the sandbox make sockets,
   * programs of the host can connect to it.
   */
  bindListener(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    return this.mknod(name, mode, 0, uid, gid, account);
  }

  /** Gives the caller the host descriptor that `bindListener` made for this socket; -1: none. */
  takeListener(): number {
    return -1;
  }

  /** Connects to a socket of the host: a non-blocking descriptor for the caller, or -errno. */
  connectHost(): number {
    return -ECONNREFUSED;
  }

  /**
   * Opens a FIFO of the host: a non-blocking descriptor that the caller owns. -EAGAIN: it is opened
   * for writing and has no reader. -EOPNOTSUPP: the FIFO connects processes of the sandbox alone.
   */
  openHostFifo(_mode: number): number {
    return -EOPNOTSUPP;
  }

  /** Checks owner and mode (MAY_*): 0 or -EACCES. Files with their own rules override it. */
  checkMode(mask: number, cred: Credentials): number {
    return checkAccess(this, mask, cred);
  }

  abstract readlink(): string | number;
  /** Magic links of /proc: the path that the walk jumps to, or -errno; null for other links. */
  followMagic(): Path | number | null {
    return null;
  }

  /**
   * Makes an open file description of a regular file, a directory or the file system's own kinds.
   * The VFS has checked permission, and handles O_CREAT, O_EXCL, O_TRUNC, O_PATH and other kinds.
   */
  abstract open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number;

  /** The value, or -ENODATA, -EOPNOTSUPP. Names have their prefix (`user.`, `security.`, ...). */
  abstract getxattr(name: string): Uint8Array<ArrayBuffer> | number;
  abstract setxattr(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number;
  abstract removexattr(name: string): number;
  /**
   * Removes the file capabilities after a change of owner or contents. (A remote file has lost them
   * by that change.)
   */
  dropCapabilities(): void {
    this.removexattr(XATTR_NAME_CAPS);
  }
  abstract listxattr(): string[] | number;

  /** Frees the storage: the last dentry and open file are gone and nlink is 0. */
  evict(): void {}
  /** References from dentries and open files. Only file systems with `evict` depend on it. */
  refs: number = 0;
  hold(): void {
    this.refs++;
  }
  drop(): void {
    if (--this.refs > 0 || this.nlink > 0) return;
    notifySelf(this, IN_DELETE_SELF, null);
    this.evict();
  }
}
