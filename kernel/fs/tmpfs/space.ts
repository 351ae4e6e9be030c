/**
 * The part of the file system that the inodes of a tmpfs need; tmpfs.ts implements it. The
 * interface avoids an import cycle.
 */

import type { Account } from "../../core/account.ts";
import type { Host } from "../../core/host.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { FileSystem } from "../../vfs/inode.ts";

export interface TmpfsSpace extends FileSystem {
  readonly frames: FrameAllocator;
  readonly host: Host;
  /** A ramfs: no attributes but those of stat(2), no fallocate(2), directories without a size. */
  readonly isRam: boolean;
  nextIno(): number;
  /** Takes room for an inode of the account: 0 or -ENOSPC. */
  takeInode(account: Account): number;
  giveInode(account: Account): void;
  takePages(count: number): number;
  givePages(count: number): void;
}
