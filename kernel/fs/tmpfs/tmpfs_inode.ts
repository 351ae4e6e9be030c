/**
 * The base class of inodes of a tmpfs: owner, mode and times, extended attributes and ACLs,
 * eviction. Neighbours: directory.ts, regular.ts, nodes.ts (symbolic links and special files).
 */

import type { Account } from "../../core/account.ts";
import { EEXIST, EINVAL, ENODATA, ENOSPC, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import {
  XATTR_CREATE,
  XATTR_NAME_CAPS,
  XATTR_NAME_POSIX_ACL_ACCESS,
  XATTR_NAME_POSIX_ACL_DEFAULT,
  XATTR_REPLACE,
} from "../../../ffi/abi/xattr.ts";
import type { Credentials } from "../../cred/credentials.ts";
import {
  ATTR_ATIME,
  ATTR_ATIME_SET,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_MTIME_SET,
  ATTR_SIZE,
  type AttrChange,
} from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import { TMPFS_BYTES, TMPFS_INODES } from "../../core/quota.ts";
import {
  aclWithMode,
  decodeAcl,
  encodeAcl,
  isMinimal,
  modeOfAcl,
  type PosixAcl,
} from "../../vfs/posix_acl.ts";
import { InodeRecord } from "./records/inode_record.ts";
import type { TmpfsSpace } from "./space.ts";

/** LIMIT: bytes of extended attributes of one inode, names included. */
const MAX_XATTR_BYTES = 1 << 20;
/** The bytes that an entry of an ACL is charged as. */
const ACL_ENTRY_BYTES = 40;
const DAY_SEC = 86400;
const NO_ACL = new Uint8Array(0);
/** The number of an inode that gets the next one. */
export const NEW_INO = -1;

export abstract class TmpfsInode extends PlainInode {
  /** The account that it is charged to. */
  account: Account;
  readonly space: TmpfsSpace;
  private xattrs: Map<string, Uint8Array<ArrayBuffer>> | null = null;
  private xattrBytes: number = 0;
  /** The bytes of TMPFS_BYTES that it is charged for. */
  private charged: number = 0;
  isEvicted: boolean = false;
  /** It may differ from its record, or nothing keeps records. */
  isChanged: boolean = true;

  /**
   * The caller has taken room for it (`takeInode`).
   *
   * @param ino of an inode that is made of a record, which `load` gets then
   */
  constructor(
    account: Account,
    space: TmpfsSpace,
    mode: number,
    uid: number,
    gid: number,
    ino: number = NEW_INO,
  ) {
    super(space, ino === NEW_INO ? space.nextIno() : ino, mode);
    this.account = account;
    this.space = space;
    this.uid = uid;
    this.gid = gid;
    if (ino !== NEW_INO) {
      this.isChanged = false;
      return;
    }
    space.records?.onChanged(this);
    const sec = space.host.realtimeSec(), nsec = space.host.realtimeNsec();
    this.atimeSec =
      this.mtimeSec =
      this.ctimeSec =
      this.btimeSec =
        sec;
    this.atimeNsec =
      this.mtimeNsec =
      this.ctimeNsec =
      this.btimeNsec =
        nsec;
  }

  /** Sets ctime to now; with `modified` mtime too. HOT */
  touch(modified: boolean): void {
    if (!this.isChanged) this.noteChange();
    const host = this.space.host;
    this.ctimeSec = host.realtimeSec();
    this.ctimeNsec = host.realtimeNsec();
    if (!modified) return;
    this.mtimeSec = this.ctimeSec;
    this.mtimeNsec = this.ctimeNsec;
  }

  override get hasFileFlags(): boolean {
    const type = this.mode & S_IFMT;
    return type === S_IFREG || type === S_IFDIR || type === S_IFLNK;
  }

  override setFileFlags(flags: number): number {
    this.fileFlags = flags;
    this.touch(false);
    return 0;
  }

  override touchAtime(relative: boolean): void {
    const sec = this.space.host.realtimeSec();
    if (relative && sec - this.atimeSec < DAY_SEC && this.isRead) return;
    if (!this.isChanged) this.noteChange();
    this.atimeSec = sec;
    this.atimeNsec = this.space.host.realtimeNsec();
  }

  /** Whether atime is later than mtime and ctime. */
  private get isRead(): boolean {
    const { atimeSec: sec, atimeNsec: nsec } = this;
    const afterM = sec > this.mtimeSec || (sec === this.mtimeSec && nsec > this.mtimeNsec);
    return afterM && (sec > this.ctimeSec || (sec === this.ctimeSec && nsec > this.ctimeNsec));
  }

  override setattr(change: AttrChange, _cred: Credentials): number {
    const valid = change.valid;
    if ((valid & ATTR_SIZE) !== 0) {
      const r = this.resize(change.size);
      if (r < 0) return r;
    }
    if ((valid & ATTR_MODE) !== 0) {
      const r = this.mayChangeMode(change.mode);
      if (r < 0) return r;
      if (this.accessAcl !== null) this.accessAcl = aclWithMode(this.accessAcl, change.mode);
    }
    this.takeChange(change);
    this.touch((valid & (ATTR_MTIME | ATTR_MTIME_SET)) === ATTR_MTIME);
    if ((valid & (ATTR_ATIME | ATTR_ATIME_SET)) === ATTR_ATIME) {
      this.atimeSec = this.ctimeSec;
      this.atimeNsec = this.ctimeNsec;
    }
    return 0;
  }

  /** ATTR_SIZE; only regular files have a size to change. */
  protected resize(_size: number): number {
    return -EINVAL;
  }

  /** Whether the mode may be changed: seals may forbid it. */
  protected mayChangeMode(_mode: number): number {
    return 0;
  }

  private get isLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }

  override getxattr(name: string): Uint8Array<ArrayBuffer> | number {
    if (this.space.isRam) return -EOPNOTSUPP;
    if (name === XATTR_NAME_POSIX_ACL_ACCESS || name === XATTR_NAME_POSIX_ACL_DEFAULT) {
      if (this.isLink) return -EOPNOTSUPP;
      const acl = name === XATTR_NAME_POSIX_ACL_ACCESS ? this.accessAcl : this.defaultAcl;
      return acl === null ? -ENODATA : encodeAcl(acl);
    }
    return this.xattrs?.get(name) ?? -ENODATA;
  }

  override setxattr(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number {
    if (this.space.isRam) return -EOPNOTSUPP;
    // XATTR_CREATE and XATTR_REPLACE do not apply to ACLs.
    if (name === XATTR_NAME_POSIX_ACL_ACCESS) return this.setAccessAcl(value);
    if (name === XATTR_NAME_POSIX_ACL_DEFAULT) return this.setDefaultAcl(value);
    const old = this.getxattr(name);
    if ((flags & XATTR_CREATE) !== 0 && typeof old !== "number") return -EEXIST;
    if ((flags & XATTR_REPLACE) !== 0 && typeof old === "number") return -ENODATA;
    const before = typeof old === "number" ? 0 : old.length + name.length;
    const bytes = this.xattrBytes - before + value.length + name.length;
    if (bytes > MAX_XATTR_BYTES || !this.mayStore(bytes - this.xattrBytes)) return -ENOSPC;
    this.xattrBytes = bytes;
    (this.xattrs ??= new Map()).set(name, value.slice());
    if (name === XATTR_NAME_CAPS) this.hasCapabilities = true;
    this.touch(false);
    return 0;
  }

  override removexattr(name: string): number {
    if (this.space.isRam) return -EOPNOTSUPP;
    if (name === XATTR_NAME_POSIX_ACL_ACCESS) return this.setAccessAcl(NO_ACL);
    if (name === XATTR_NAME_POSIX_ACL_DEFAULT) return this.setDefaultAcl(NO_ACL);
    const old = this.getxattr(name);
    if (typeof old === "number") return old;
    this.xattrs?.delete(name);
    if (name === XATTR_NAME_CAPS) this.hasCapabilities = false;
    this.xattrBytes -= old.length + name.length;
    this.storeMore(-old.length - name.length);
    this.touch(false);
    return 0;
  }

  override listxattr(): string[] {
    const names: string[] = [];
    if (this.accessAcl !== null) names.push(XATTR_NAME_POSIX_ACL_ACCESS);
    if (this.defaultAcl !== null) names.push(XATTR_NAME_POSIX_ACL_DEFAULT);
    return this.xattrs === null ? names : names.concat([...this.xattrs.keys()].sort());
  }

  override inheritAcls(access: PosixAcl | null, byDefault: PosixAcl | null): void {
    if (!this.isChanged) this.noteChange();
    this.storeMore(aclBytes(access) + aclBytes(byDefault));
    this.accessAcl = access;
    this.defaultAcl = byDefault;
  }

  /** Charges for `more` bytes beside its data. */
  protected storeMore(more: number): void {
    TMPFS_BYTES.add(more, this.account);
    this.charged += more;
  }

  /** Charges for them if there is room. */
  private mayStore(more: number): boolean {
    if (more > 0 && !TMPFS_BYTES.hasRoom(more, this.account)) return false;
    this.storeMore(more);
    return true;
  }

  /**
   * posix_acl_update_mode: sets the mode by the ACL; an ACL that is equal to a mode is not stored.
   */
  private setAccessAcl(value: Uint8Array<ArrayBuffer>): number {
    if (this.isLink) return -EOPNOTSUPP;
    const acl = decodeAcl(value);
    if (typeof acl === "number") return acl;
    const kept = acl.length === 0 || isMinimal(acl) ? null : acl;
    if (!this.mayStore(aclBytes(kept) - aclBytes(this.accessAcl))) return -ENOSPC;
    if (acl.length > 0) this.mode = (this.mode & ~0o777) | modeOfAcl(acl);
    this.accessAcl = kept;
    this.touch(false);
    return 0;
  }

  private setDefaultAcl(value: Uint8Array<ArrayBuffer>): number {
    if (this.isLink) return -EOPNOTSUPP;
    const acl = decodeAcl(value);
    if (typeof acl === "number") return acl;
    const isDir = (this.mode & S_IFMT) === S_IFDIR;
    const kept = acl.length === 0 || !isDir ? null : acl;
    if (!this.mayStore(aclBytes(kept) - aclBytes(this.defaultAcl))) return -ENOSPC;
    this.defaultAcl = kept;
    this.touch(false);
    return 0;
  }

  /** Called before a change; those that `touch` follows or precedes need no other call. */
  noteChange(): void {
    if (this.isChanged) return;
    this.isChanged = true;
    this.space.records?.onChanged(this);
  }

  /** A record of it, which subclasses complete. @param account its number in the file system */
  record(account: number): InodeRecord {
    const record = new InodeRecord(this, account), { xattrs } = this;
    if (xattrs !== null && xattrs.size > 0) record.xattrs = new Map(xattrs);
    record.xattrBytes = this.xattrBytes;
    record.charged = this.charged;
    return record;
  }

  /** Makes a new inode what the record says. */
  load(record: InodeRecord): void {
    const { xattrs, xattrBytes, charged } = record;
    record.copyTo(this);
    this.xattrs = xattrs === null ? null : new Map(xattrs);
    this.xattrBytes = xattrBytes;
    this.charged = charged;
  }

  /** Moves its charges to an account above its own. */
  passUp(account: Account): void {
    const names = (this.mode & S_IFMT) === S_IFDIR ? 1 : this.nlink;
    TMPFS_INODES.passUp(names, this.account, account);
    TMPFS_BYTES.passUp(this.charged, this.account, account);
    this.account = account;
  }

  override evict(): void {
    if (this.isEvicted) return;
    this.isEvicted = true;
    this.freeData();
    this.space.records?.onEvicted(this);
    this.storeMore(-this.charged);
    this.space.giveInode(this.account);
  }

  /** Frees what the inode stores besides itself. */
  protected freeData(): void {}
}

function aclBytes(acl: PosixAcl | null): number {
  return acl === null ? 0 : acl.length * ACL_ENTRY_BYTES;
}
