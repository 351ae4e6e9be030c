/**
 * The base class of inodes of generated files: times of their creation, owners that can be changed,
 * extended attributes; and fixed symbolic links.
 */

import { EPERM } from "../../../ffi/abi/errno.ts";
import { S_IFLNK, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { ATTR_GID, ATTR_MODE, ATTR_UID, type AttrChange } from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import type { GeneratedFs } from "./generated_fs.ts";

/** Extended attributes in memory; the results are those of the inode's operations. */
export interface Xattrs {
  get(name: string): Uint8Array<ArrayBuffer> | number;
  set(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number;
  remove(name: string): number;
  list(): string[];
}

export abstract class GeneratedInode extends PlainInode {
  /** The same object as `fs`. */
  readonly generated: GeneratedFs;
  /** Whether chmod(2) is refused; `isOwnerFixed`: whether chown(2) is. */
  protected get isModeFixed(): boolean {
    return false;
  }
  protected get isOwnerFixed(): boolean {
    return false;
  }

  constructor(fs: GeneratedFs, ino: number, mode: number) {
    super(fs, ino, mode);
    this.generated = fs;
    this.blockSize = fs.fileBlockSize;
    if ((mode & S_IFMT) === S_IFREG) this.size = fs.fileSize;
    this.atimeSec = this.mtimeSec = this.ctimeSec = fs.host.realtimeSec();
    this.atimeNsec = this.mtimeNsec = this.ctimeNsec = fs.host.realtimeNsec();
  }

  /** Truncation succeeds and does nothing, because `echo x > file` must work. */
  override setattr(change: AttrChange, _cred: Credentials): number {
    const { valid } = change;
    if ((valid & ATTR_MODE) !== 0 && this.isModeFixed) return -EPERM;
    if ((valid & (ATTR_UID | ATTR_GID)) !== 0 && this.isOwnerFixed) return -EPERM;
    this.takeChange(change);
    return 0;
  }

  /** Its extended attributes; null when it cannot have any. */
  protected get xattrs(): Xattrs | null {
    return null;
  }
  override getxattr(name: string): Uint8Array<ArrayBuffer> | number {
    return this.xattrs?.get(name) ?? super.getxattr(name);
  }
  override setxattr(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number {
    return this.xattrs?.set(name, value, flags) ?? super.setxattr(name, value, flags);
  }
  override removexattr(name: string): number {
    return this.xattrs?.remove(name) ?? super.removexattr(name);
  }
  override listxattr(): string[] | number {
    return this.xattrs?.list() ?? super.listxattr();
  }
}

/** A symbolic link with a fixed text. */
export class FixedLink extends GeneratedInode {
  private readonly target: string;

  constructor(fs: GeneratedFs, ino: number, target: string) {
    super(fs, ino, S_IFLNK | 0o777);
    this.target = target;
    this.size = fs.fileSize === 0 ? target.length : 0;
  }

  override readlink(): string | number {
    return this.target;
  }
}
