/** The inodes of a tmpfs without file contents: symbolic links, devices, FIFOs, sockets. */

import type { Account } from "../../core/account.ts";
import { S_IFLNK } from "../../../ffi/abi/stat.ts";
import { flatString } from "../../core/bytes.ts";
import type { InodeRecord } from "./records/inode_record.ts";
import type { TmpfsSpace } from "./space.ts";
import { NEW_INO, TmpfsInode } from "./tmpfs_inode.ts";

export class TmpfsSymlink extends TmpfsInode {
  private readonly target: string;

  constructor(
    account: Account,
    space: TmpfsSpace,
    target: string,
    uid: number,
    gid: number,
    ino: number = NEW_INO,
  ) {
    super(account, space, S_IFLNK | 0o777, uid, gid, ino);
    this.target = flatString(target);
    this.size = target.length;
    if (ino === NEW_INO) this.storeMore(target.length);
  }

  override record(account: number): InodeRecord {
    const record = super.record(account);
    record.target = this.target;
    return record;
  }

  override readlink(): string {
    return this.target;
  }
}

/** A device, FIFO or socket. The VFS opens it by `rdev` or `special`. */
export class TmpfsNode extends TmpfsInode {
  constructor(
    account: Account,
    space: TmpfsSpace,
    mode: number,
    rdev: number,
    uid: number,
    gid: number,
    ino: number = NEW_INO,
  ) {
    super(account, space, mode, uid, gid, ino);
    this.rdev = rdev;
  }
}
