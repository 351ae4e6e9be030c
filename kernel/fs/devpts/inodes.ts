/**
 * The inodes of a devpts: its only directory, ptmx, and one for each terminal. Terminals make and
 * remove them; no call creates or removes a name.
 */

import type { Account } from "../../core/account.ts";
import { EACCES, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { makedev, S_IFCHR, S_IFDIR } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import {
  ATTR_ATIME,
  ATTR_ATIME_SET,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_MTIME_SET,
  ATTR_UID,
  type AttrChange,
  type DirSink,
  type Inode,
} from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import { DirFile } from "../../vfs/dir_file.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { InodeOpener } from "../../vfs/special_files.ts";
import { PTMX_MINOR, TTYAUX_MAJOR } from "../devfs/devices.ts";
import type { DevptsFs } from "./devpts_fs.ts";
import type { Terminal } from "./terminal.ts";

const ROOT_INO = 1, PTMX_INO = 2, FIRST_SLAVE_INO = 3;
const CHARACTER = S_IFCHR >> 12, DIRECTORY = S_IFDIR >> 12;

abstract class DevptsInode extends PlainInode {
  override readonly fs: DevptsFs;

  constructor(fs: DevptsFs, ino: number, mode: number) {
    super(fs, ino, mode);
    this.fs = fs;
    this.blockSize = 1024;
    const sec = fs.host.realtimeSec();
    this.atimeSec = this.mtimeSec = this.ctimeSec = sec;
  }

  override setattr(change: AttrChange, _cred: Credentials): number {
    const { valid } = change;
    if ((valid & ATTR_MODE) !== 0) this.mode = (this.mode & ~0o7777) | (change.mode & 0o7777);
    if ((valid & ATTR_UID) !== 0) this.uid = change.uid;
    if ((valid & ATTR_GID) !== 0) this.gid = change.gid;
    this.ctimeSec = this.fs.host.realtimeSec();
    if ((valid & ATTR_ATIME) !== 0) this.atimeSec = this.ctimeSec;
    if ((valid & ATTR_MTIME) !== 0) this.mtimeSec = this.ctimeSec;
    if ((valid & ATTR_ATIME_SET) !== 0) this.atimeSec = change.atimeSec;
    if ((valid & ATTR_MTIME_SET) !== 0) this.mtimeSec = change.mtimeSec;
    return 0;
  }
}

export class PtmxInode extends DevptsInode {
  constructor(fs: DevptsFs, mode: number, opener: InodeOpener) {
    super(fs, PTMX_INO, S_IFCHR | mode);
    this.rdev = makedev(TTYAUX_MAJOR, PTMX_MINOR);
    this.special = opener;
  }
}

export class SlaveInode extends DevptsInode {
  readonly terminal: Terminal;

  constructor(fs: DevptsFs, mode: number, terminal: Terminal, opener: InodeOpener) {
    super(fs, FIRST_SLAVE_INO + terminal.index, S_IFCHR | mode);
    this.terminal = terminal;
    this.rdev = terminal.rdev;
    this.special = opener;
  }
}

export class DevptsRoot extends DevptsInode {
  constructor(fs: DevptsFs) {
    super(fs, ROOT_INO, S_IFDIR | 0o755);
    this.nlink = 2;
  }

  /** Not stable: entries change without the VFS. */
  override get dentriesAreStable(): boolean {
    return false;
  }
  override lookup(name: string): Inode | number {
    return this.fs.find(name) ?? -ENOENT;
  }
  override create(): number {
    return -EACCES;
  }
  override mkdir(): number {
    return -EPERM;
  }
  override mknod(): number {
    return -EPERM;
  }
  override symlink(): number {
    return -EPERM;
  }
  override link(): number {
    return -EPERM;
  }
  override unlink(): number {
    return -EPERM;
  }
  override rmdir(_name: string, target: Inode): number {
    return (target.mode & S_IFDIR) === 0 ? -ENOTDIR : -EPERM;
  }
  override rename(): number {
    return -EPERM;
  }
  override tmpfile(): number {
    return -EOPNOTSUPP;
  }
  override open(_dentry: Dentry, flags: number, _cred: Credentials, account: Account): OpenFile {
    return new DevptsDirFile(account, this, flags);
  }
}

/** The open directory. Positions: 0 ".", 1 "..", 2 "ptmx", 3 + index. */
export class DevptsDirFile extends DirFile {
  override readonly inode: DevptsRoot;

  constructor(account: Account, inode: DevptsRoot, flags: number) {
    super(account, flags);
    this.inode = inode;
  }
  override fsync(_dataOnly: boolean): number {
    return 0;
  }

  override readdir(sink: DirSink): number {
    const { fs } = this.inode;
    if (!this.emitEntry(sink, 0, ".", ROOT_INO, DIRECTORY)) return 0;
    if (!this.emitEntry(sink, 1, "..", ROOT_INO, DIRECTORY)) return 0;
    if (!this.emitEntry(sink, 2, "ptmx", PTMX_INO, CHARACTER)) return 0;
    for (const index of fs.indexes()) {
      if (!this.emitEntry(sink, 3 + index, `${index}`, FIRST_SLAVE_INO + index, CHARACTER)) {
        return 0;
      }
    }
    return 0;
  }

  private emitEntry(sink: DirSink, at: number, name: string, ino: number, type: number): boolean {
    if (this.pos > at) return true;
    if (!sink(name, ino, type, at + 1)) return false;
    this.pos = at + 1;
    return true;
  }
}
