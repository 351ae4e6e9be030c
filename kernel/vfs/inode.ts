/**
 * Inodes and file systems as the VFS sees them. A file system subclasses Inode; everything here is
 * non-blocking and returns -errno. Permission checks on the *path* are the VFS's (walk.ts, operations.ts);
 * an inode's methods assume that they were made.
 *
 * Names are byte strings (core/bytes.ts). Times are seconds + nanoseconds, so that nothing is lost.
 */

import type { Credentials } from "../cred/credentials.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { Dentry } from "./dentry.ts";
import type { OpenFile } from "./open_file.ts";

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
  /** st_dev, as (major << 8 | minor) of an anonymous device, unless inodes say otherwise. */
  readonly dev: number;
  abstract readonly root: Inode;
  /** What mountinfo shows as mount source. */
  source: string = "none";
  readOnly: boolean = false;
  /** Options behind `rw,` in mountinfo. */
  superOptions(): string {
    return "";
  }
  abstract statfs(out: StatFs): number;
  /** The last mount is gone. */
  destroy(): void {}

  constructor() {
    this.dev = nextAnonymousDev++;
  }
}
let nextAnonymousDev = 32;

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
  /** For device nodes: (major << 8 | minor) in Linux's dev_t encoding of stat. */
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
  /** The file system's own use: locks, watches, FIFO or socket that lives at this inode. */
  locks: object | null = null;
  watches: object | null = null;
  special: object | null = null;

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
  abstract setattr(change: AttrChange, cred: Credentials): number;

  /** Directories. A missing name is -ENOENT. */
  abstract lookup(name: string): Inode | number;
  /** True when a cached dentry of this directory may be used without asking again. */
  get dentriesAreStable(): boolean {
    return true;
  }
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
  /** O_TMPFILE: a regular file without a name. */
  abstract tmpfile(mode: number, uid: number, gid: number): Inode | number;

  abstract readlink(): string | number;
  /** /proc magic links: where the walk goes instead of following text; null for ordinary links. */
  followMagic(): { dentry: Dentry; mount: object } | null {
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
  abstract listxattr(): string[] | number;

  /** The last dentry and open file are gone and nlink is 0: give storage back. */
  evict(): void {}
  /** Reference from dentries and open files; file systems that evict count it. */
  refs: number = 0;
  hold(): void {
    this.refs++;
  }
  drop(): void {
    if (--this.refs === 0 && this.nlink === 0) this.evict();
  }
}

/** How mmap reaches the pages of a file: one of the three, see mm/backing.ts. */
export interface Mappable {
  /** A host file registered with the platform: pages are mapped straight from it. */
  readonly hostFd: number;
  readonly waiters: WaitQueue | null;
}
