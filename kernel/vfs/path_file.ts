/**
 * The open file description that open(2) makes with O_PATH: it names a place in the tree and
 * refuses all I/O with -EBADF. open.ts and the mount system calls make it.
 */

import type { Account } from "../core/account.ts";
import { EBADF } from "../../ffi/abi/errno.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { Backing } from "../mm/backing.ts";
import type { DirSink, Inode } from "./inode.ts";
import { OpenFile } from "./open_file.ts";

export class PathFile extends OpenFile {
  readonly inode: Inode;

  constructor(account: Account, flags: number, inode: Inode) {
    super(account, flags);
    this.inode = inode;
  }

  override read(_io: IoCursor, _offset: number): number {
    return -EBADF;
  }
  override write(_io: IoCursor, _offset: number): number {
    return -EBADF;
  }
  override seek(_offset: number, _whence: number): number {
    return -EBADF;
  }
  override ioctl(_request: number, _arg: number, _user: UserMemory): number {
    return -EBADF;
  }
  override readdir(_sink: DirSink): number {
    return -EBADF;
  }
  override truncate(_size: number): number {
    return -EBADF;
  }
  override fallocate(_mode: number, _offset: number, _len: number): number {
    return -EBADF;
  }
  override fsync(_dataOnly: boolean): number {
    return -EBADF;
  }
  override mmap(_writable: boolean, _shared: boolean): Backing | number {
    return -EBADF;
  }
}
