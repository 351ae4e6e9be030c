/**
 * Which inodes have a fid. A fid is a descriptor in the Gofer, so only so many are kept; an inode that still has a
 * name can get a new one at any time.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { GoferInode } from "./gofer_inode.ts";

/** LIMIT: fids of one file system, beside those of files without a name. Fewer where the Gofer has not so many. */
const MAX_FIDS = 4096, MIN_FIDS = 16;

export class FidCache {
  private readonly client: GoferClient;
  /** In the order of binding. */
  private readonly bound: Set<GoferInode> = new Set();
  private max: number = MAX_FIDS;

  constructor(client: GoferClient) {
    this.client = client;
  }

  /** `inode.fid` was bound. */
  add(inode: GoferInode): void {
    this.bound.add(inode);
    if (this.bound.size > this.max) this.evict();
  }

  /** Give an inode's fid back. */
  drop(inode: GoferInode): void {
    if (!this.bound.delete(inode)) return;
    this.client.clunk(inode.fid);
    inode.fid = -1;
  }

  /** The Gofer has none left: keeps half as many from now on. Whether that made room. */
  shrink(): boolean {
    const before = this.bound.size;
    this.max = Math.max(MIN_FIDS, before >> 1);
    for (let i = before - this.max; i > 0; i--) this.evict();
    return this.bound.size < before;
  }

  destroy(): void {
    for (const inode of this.bound) this.drop(inode);
  }

  /** The oldest that was not used since it was last looked at, and that can be found again. */
  private evict(): void {
    let looked = 0;
    for (const inode of this.bound) {
      if (++looked > 64) return;
      if (!inode.wasFidUsed && inode.hasPlace) {
        this.drop(inode);
        return;
      }
      inode.wasFidUsed = false;
      this.bound.delete(inode);
      this.bound.add(inode);
    }
  }
}
