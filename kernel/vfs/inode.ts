/**
 * Inodes and file systems as the VFS sees them. A file system subclasses Inode; everything here is
 * non-blocking and returns -errno. Permission checks on the *path* are the VFS's (walk.ts, access.ts);
 * an inode's methods assume that they were made.
 *
 * Names are byte strings (core/bytes.ts). Times are seconds + nanoseconds, so that nothing is lost.
 */

import { ECONNREFUSED, EINVAL, ENOTDIR, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import type { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { IN_DELETE_SELF } from "../../ffi/abi/inotify.ts";
import { makedev } from "../../ffi/abi/stat.ts";
import { XATTR_NAME_CAPS } from "../../ffi/abi/xattr.ts";
import type { Credentials } from "../cred/credentials.ts";
import { checkAccess } from "../cred/permission.ts";
import type { Dentry, Path } from "./dentry.ts";
import type { FileLocks } from "./file_locks.ts";
import type { Leases } from "./leases.ts";
import type { Mark } from "./marks.ts";
import { type InodeWatches, notifySelf } from "./notify.ts";
import type { OpenFile } from "./open_file.ts";
import type { PosixAcl } from "./posix_acl.ts";

/** What setattr changes: bits of `AttrChange.valid`. */
export const ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8;
export const ATTR_ATIME = 16, ATTR_MTIME = 32, ATTR_CTIME = 64;
/** The time is given (utimensat); without it the matching ATTR_xTIME means now. */
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
  /** As in /proc/filesystems and mountinfo. */
  abstract readonly type: string;
  /** st_dev: an anonymous device number in stat's encoding, unless inodes say otherwise. */
  readonly dev: number;
  abstract readonly root: Inode;
  /** What mountinfo shows as mount source. */
  source: string = "none";
  readOnly: boolean = false;
  /** Whose capabilities count for it: device nodes mean nothing where that is not the first one. */
  owner: UserNamespace = INITIAL_USER_NAMESPACE;
  /** Its device nodes are its own work, and mean something whichever user mounts it. */
  readonly hasOwnDevices: boolean = false;
  /** A mount of it shows what other mounts of the type may hide (revealing.ts). */
  readonly isRevealing: boolean = false;
  /**
   * It is there without mounts, and belongs to what it shows: its first mounter does not own it.
   */
  hasFixedOwner: boolean = false;
  /** How many stacked file systems lead to the lowest one below: 0 for one that is not stacked. */
  readonly stackDepth: number = 0;
  /** Its bytes are somewhere outside: what is read and written is a transfer for the io controller. */
  isStored: boolean = false;
  /** Options behind `rw,` in mountinfo. */
  superOptions(): string {
    return "";
  }
  /** What mountinfo says of the root of a mount; null: its path in the file system. */
  rootText(_root: Dentry): string | null {
    return null;
  }
  abstract statfs(out: StatFs): number;
  /** sync(2), syncfs(2): 0 or -errno. */
  sync(): number {
    return 0;
  }
  /** remount with other options (mount(2) data); unknown ones -EINVAL. The read-only flag is the VFS's. */
  remount(_options: string): number {
    return 0;
  }
  /** Others may have changed it just now: nothing that was remembered counts. */
  expire(): void {}
  /** The last mount is gone. */
  destroy(): void {}
  /**
   * It may have many files, and nothing outside of it notices when they are freed: `free` does
   * that, instead of `destroy`.
   */
  get isFreedInSlices(): boolean {
    return false;
  }
  /** A slice of that, as a job does one (core/deferred_work.ts). */
  free(units: number): number {
    return units;
  }
  /** Somebody changes the tree behind the VFS's back (an overlay that has it as its upper layer). */
  isChangedBehind: boolean = false;
  /** No path leads to its files: pipes, sockets, namespaces, memfds. */
  isInternal: boolean = false;
  /** Of fanotify, on the whole of it. */
  readonly marks: Mark[] = [];
  /** Mounts that show this file system. */
  mounts: number = 0;
  /** Files open for writing, over all mounts. */
  writers: number = 0;
  /** The dentry of `root`, shared by all mounts; made by `rootDentryOf` (dentry_cache.ts). */
  rootDentry: Dentry | null = null;
  /**
   * The walk is about to look up the component of `path` at `from` in `dir`, which is not cached, or is (`cached`) and
   * is not stable. A remote file system may fetch the whole rest at once. `opens`: the last one is going to be opened
   * for reading. 0, -errno, or BLOCK.
   */
  walkAhead(
    _dir: Inode,
    _path: string,
    _from: number,
    _opens: boolean,
    _cached: Dentry | null,
  ): number {
    return 0;
  }

  constructor() {
    this.dev = makedev(0, nextAnonymousDev++);
  }
}
let nextAnonymousDev = 32;

/** All fields zero; for callers of `statfs`. */
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

/** A change of nothing; set `valid` and the fields that it names. */
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
 * Receives one directory entry; `offset` is the position behind it (d_off). False: it did not fit, stop, and the
 * entry is given again next time.
 */
export type DirSink = (name: string, ino: number, type: number, offset: number) => boolean;

/** One file, directory, link or special file. Fields are the stat data; file systems keep them current. */
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
  /** Of inotify and fanotify (notify.ts); null while nobody watches. */
  watches: InodeWatches | null = null;
  /** FS_*_FL of chattr(1) (file_flags.ts). */
  fileFlags: number = 0;
  /** Rules of landlock that name it. */
  ruleCount: number = 0;
  /** FIFO or socket that lives at this inode. */
  special: object | null = null;
  /** > 0: open for writing so often; < 0: executed so often, writing is refused (ETXTBSY). */
  writeCount: number = 0;
  /** Open file descriptions of it, those of O_PATH aside. */
  openCount: number = 0;
  /** It may have capabilities (capabilities(7)), which a write takes away. */
  hasCapabilities: boolean = false;
  /** F_SET_RW_HINT of fcntl(2): RWH_WRITE_LIFE_*. */
  writeHint: number = 0;
  /** Access ACL that says more than the mode does (posix_acl.ts), or null. */
  accessAcl: PosixAcl | null = null;
  /** ACL that new entries of this directory inherit, or null. */
  defaultAcl: PosixAcl | null = null;

  constructor(fs: FileSystem, ino: number, mode: number) {
    this.fs = fs;
    this.ino = ino;
    this.mode = mode;
  }

  get dev(): number {
    return this.fs.dev;
  }

  /** Bring the stat fields up to date (remote files). 0 or -errno. */
  refresh(): number {
    return 0;
  }
  /** Its file system has flags for it. */
  get hasFileFlags(): boolean {
    return false;
  }
  /** Other flags; permission was checked, and they are known: 0 or -errno. */
  setFileFlags(_flags: number): number {
    return -EOPNOTSUPP;
  }
  /** It is going to lose its last name, and stays in use (remote files are otherwise found by name). */
  keepReachable(): void {}
  abstract setattr(change: AttrChange, cred: Credentials): number;
  /** The file was read: atime becomes now; with `relative` only when it is a day old or not behind mtime, ctime. */
  touchAtime(_relative: boolean): void {}
  /** Just created in a directory with a default ACL: what it inherits. */
  inheritAcls(_access: PosixAcl | null, _default: PosixAcl | null): void {}

  /** The namespace that it is a file of (nsfs). */
  get standsFor(): Namespace | null {
    return null;
  }
  /**
   * The directory is there to be mounted on, and never has entries: a mount on it hides nothing.
   */
  get isForMountsOnly(): boolean {
    return false;
  }
  /** A mount shows it as its root, and does so no more. */
  onMounted(): void {}
  onUnmounted(): void {}

  /** Directories. A missing name is -ENOENT. */
  abstract lookup(name: string): Inode | number;
  /** True when a cached dentry of this directory may be used without asking again. */
  get dentriesAreStable(): boolean {
    return !this.fs.isChangedBehind;
  }
  /**
   * What `name` is now, asked for a cached answer of a directory that is not stable: returning `cached` itself
   * keeps the dentry, anything else replaces it.
   */
  relookup(name: string, _cached: Inode | null): Inode | number {
    return this.lookup(name);
  }
  /** A new regular file. `mode` is final: umask and set-group-ID rules were applied by the VFS. */
  abstract create(name: string, mode: number, uid: number, gid: number): Inode | number;
  abstract mkdir(name: string, mode: number, uid: number, gid: number): Inode | number;
  abstract mknod(
    name: string,
    mode: number,
    rdev: number,
    uid: number,
    gid: number,
  ): Inode | number;
  abstract symlink(name: string, target: string, uid: number, gid: number): Inode | number;
  abstract link(name: string, target: Inode): number;
  abstract unlink(name: string, target: Inode): number;
  abstract rmdir(name: string, target: Inode): number;
  /** flags: RENAME_NOREPLACE is checked by the VFS; RENAME_EXCHANGE and RENAME_WHITEOUT come here. */
  abstract rename(
    name: string,
    source: Inode,
    newDir: Inode,
    newName: string,
    target: Inode | null,
    flags: number,
  ): number;
  /** O_TMPFILE: a regular file without a name, nlink 0. `linkable`: linkat may name it later. */
  abstract tmpfile(mode: number, uid: number, gid: number, linkable: boolean): Inode | number;
  /** An unnamed file that `link` may name (O_TMPFILE without O_EXCL). */
  get isLinkable(): boolean {
    return false;
  }

  /** Of a file of the host, which may be reached in several ways and then is several inodes; "" for others. */
  get hostIdentity(): string {
    return "";
  }

  /** mknod of a socket that listens: where the host lets the sandbox make some, its programs can connect to it. */
  bindListener(name: string, mode: number, uid: number, gid: number): Inode | number {
    return this.mknod(name, mode, 0, uid, gid);
  }

  /** The host's descriptor that `bindListener` of the directory made, which the caller owns from then on; -1: none. */
  takeListener(): number {
    return -1;
  }

  /** A socket of the host: a connected, non-blocking descriptor of it that the caller owns, or -errno. */
  connectHost(): number {
    return -ECONNREFUSED;
  }

  /**
   * A FIFO of the host that may be opened: a non-blocking descriptor that the caller owns. -EAGAIN: for writing, and nobody
   * reads; -EOPNOTSUPP: it connects processes of the sandbox alone.
   */
  openHostFifo(_mode: number): number {
    return -EOPNOTSUPP;
  }

  /** What owner and mode allow (MAY_*): 0 or -EACCES. Files with rules of their own override it. */
  checkMode(mask: number, cred: Credentials): number {
    return checkAccess(this, mask, cred);
  }

  abstract readlink(): string | number;
  /** /proc magic links: where the walk goes instead of following text, or -errno; null for ordinary links. */
  followMagic(): Path | number | null {
    return null;
  }

  /**
   * A new open file description. The VFS has checked permission and handles O_CREAT, O_EXCL, O_TRUNC,
   * O_PATH, FIFOs, sockets and device numbers; so this sees regular files, directories and the rest.
   */
  abstract open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number;

  /** Value, or -ENODATA, -EOPNOTSUPP. Names carry their namespace (`user.`, `security.`, ...). */
  abstract getxattr(name: string): Uint8Array<ArrayBuffer> | number;
  abstract setxattr(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number;
  abstract removexattr(name: string): number;
  /**
   * It got another owner, or other contents: its capabilities go (those of a remote file went with
   * that).
   */
  dropCapabilities(): void {
    this.removexattr(XATTR_NAME_CAPS);
  }
  abstract listxattr(): string[] | number;

  /** The last dentry and open file are gone and nlink is 0: give storage back. */
  evict(): void {}
  /** Reference from dentries and open files; file systems that evict count it. */
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

/** Defaults of an inode that is no directory and no link: file systems override what they have. */
export abstract class PlainInode extends Inode {
  override lookup(_name: string): Inode | number {
    return -ENOTDIR;
  }
  override create(_name: string, _mode: number, _uid: number, _gid: number): Inode | number {
    return -ENOTDIR;
  }
  override mkdir(_name: string, _mode: number, _uid: number, _gid: number): Inode | number {
    return -ENOTDIR;
  }
  override mknod(
    _name: string,
    _mode: number,
    _rdev: number,
    _uid: number,
    _gid: number,
  ): Inode | number {
    return -ENOTDIR;
  }
  override symlink(_name: string, _target: string, _uid: number, _gid: number): Inode | number {
    return -ENOTDIR;
  }
  override link(_name: string, _target: Inode): number {
    return -ENOTDIR;
  }
  override unlink(_name: string, _target: Inode): number {
    return -ENOTDIR;
  }
  override rmdir(_name: string, _target: Inode): number {
    return -ENOTDIR;
  }
  override rename(
    _name: string,
    _source: Inode,
    _newDir: Inode,
    _newName: string,
    _target: Inode | null,
    _flags: number,
  ): number {
    return -ENOTDIR;
  }
  override tmpfile(_mode: number, _uid: number, _gid: number, _linkable: boolean): Inode | number {
    return -ENOTDIR;
  }
  override readlink(): string | number {
    return -EINVAL;
  }
  override getxattr(_name: string): Uint8Array<ArrayBuffer> | number {
    return -EOPNOTSUPP;
  }
  override setxattr(_name: string, _value: Uint8Array<ArrayBuffer>, _flags: number): number {
    return -EOPNOTSUPP;
  }
  override removexattr(_name: string): number {
    return -EOPNOTSUPP;
  }
  override listxattr(): string[] | number {
    return [];
  }
}
