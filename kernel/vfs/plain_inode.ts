/**
 * Inodes of files that are neither directories nor links: the base class of most file systems'
 * inodes.
 */

import { EINVAL, ENOTDIR, ENXIO, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { S_IFMT } from "../../ffi/abi/stat.ts";
import type { Account } from "../core/account.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { Dentry } from "./dentry.ts";
import {
  ATTR_ATIME_SET,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME_SET,
  ATTR_UID,
  type AttrChange,
  Inode,
} from "./inode.ts";
import type { OpenFile } from "./open_file.ts";

/**
 * The defaults of an inode that is neither a directory nor a link; file systems override what they
 * implement.
 */
export abstract class PlainInode extends Inode {
  /** Takes the mode, the owner and the times that a change has; times that become now are left. */
  protected takeChange(change: AttrChange): void {
    const { valid } = change;
    if ((valid & ATTR_MODE) !== 0) this.mode = (this.mode & S_IFMT) | (change.mode & 0o7777);
    if ((valid & ATTR_UID) !== 0) this.uid = change.uid;
    if ((valid & ATTR_GID) !== 0) this.gid = change.gid;
    if ((valid & ATTR_ATIME_SET) !== 0) {
      this.atimeSec = change.atimeSec;
      this.atimeNsec = change.atimeNsec;
    }
    if ((valid & ATTR_MTIME_SET) !== 0) {
      this.mtimeSec = change.mtimeSec;
      this.mtimeNsec = change.mtimeNsec;
    }
  }

  override lookup(_name: string): Inode | number {
    return -ENOTDIR;
  }
  override create(_n: string, _m: number, _u: number, _g: number, _a: Account): Inode | number {
    return -ENOTDIR;
  }
  override mkdir(_n: string, _m: number, _u: number, _g: number, _a: Account): Inode | number {
    return -ENOTDIR;
  }
  override mknod(
    _name: string,
    _mode: number,
    _rdev: number,
    _uid: number,
    _gid: number,
    _account: Account,
  ): Inode | number {
    return -ENOTDIR;
  }
  override symlink(_n: string, _t: string, _u: number, _g: number, _a: Account): Inode | number {
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
    _account: Account,
  ): number {
    return -ENOTDIR;
  }
  override tmpfile(_m: number, _u: number, _g: number, _l: boolean, _a: Account): Inode | number {
    return -ENOTDIR;
  }
  override readlink(): string | number {
    return -EINVAL;
  }
  /** The VFS opens devices, FIFOs and sockets by `rdev` or `special`. */
  override open(_d: Dentry, _f: number, _c: Credentials, _a: Account): OpenFile | number {
    return -ENXIO;
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
