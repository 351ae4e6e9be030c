/**
 * The inodes that have a fid. A fid is a descriptor in the Gofer, so the number is limited; an
 * inode that has a name can get a new fid at any time.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { GoferInode } from "./gofer_inode.ts";

/**
 * LIMIT: fids of one file system, without those of files that have no name. Fewer where the Gofer
 * has fewer descriptors.
 */
const MAX_FIDS = 4096, MIN_FIDS = 16;

export class FidCache {
  private readonly client: GoferClient;
  /** The inodes in the order in which their fids were bound. */
  private readonly bound: Set<GoferInode> = new Set();
  private max: number = MAX_FIDS;

  constructor(client: GoferClient) {
    this.client = client;
  }

  /** Records that `inode.fid` was bound. */
  add(inode: GoferInode): void {
    this.bound.add(inode);
    if (this.bound.size > this.max) this.evict();
  }

  /** Gives an inode's fid back. */
  drop(inode: GoferInode): void {
    if (!this.bound.delete(inode)) return;
    this.client.clunk(inode.fid);
    inode.fid = -1;
  }

  /** The Gofer has no descriptors left: halves the limit. Returns whether that freed a fid. */
  shrink(): boolean {
    const before = this.bound.size;
    this.max = Math.max(MIN_FIDS, before >> 1);
    for (let i = before - this.max; i > 0; i--) this.evict();
    return this.bound.size < before;
  }

  /** Forgets all fids: their connection has ended. */
  clear(): void {
    for (const inode of this.bound) inode.fid = -1;
    this.bound.clear();
  }

  destroy(): void {
    for (const inode of this.bound) this.drop(inode);
  }

  /**
   * Gives back the oldest fid that was not used since the last look and whose inode can be found by
   * name.
   */
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
