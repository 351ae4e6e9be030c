/** The inodes of a tmpfs without file contents: symbolic links, devices, FIFOs, sockets. */

import type { Account } from "../../core/account.ts";
import { S_IFLNK } from "../../../ffi/abi/stat.ts";
import { flatString } from "../../core/bytes.ts";
import type { TmpfsSpace } from "./space.ts";
import { TmpfsInode } from "./tmpfs_inode.ts";

export class TmpfsSymlink extends TmpfsInode {
  private readonly target: string;

  constructor(account: Account, space: TmpfsSpace, target: string, uid: number, gid: number) {
    super(account, space, S_IFLNK | 0o777, uid, gid);
    this.target = flatString(target);
    this.size = target.length;
    this.storeMore(target.length);
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
  ) {
    super(account, space, mode, uid, gid);
    this.rdev = rdev;
  }
}
