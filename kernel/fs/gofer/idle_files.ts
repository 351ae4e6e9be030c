/**
 * The donated descriptors that no open file uses: opening such a file again takes no round trip.
 * Beyond a limit the least recently used are closed. Also the set of written descriptors, for
 * sync(2).
 */

import type { Account } from "../../core/account.ts";
import type { MemoryContext } from "../../mm/memory_context.ts";
import type { DonatedFile } from "./donated_file.ts";

/**
 * Number of idle files that are closed at once when the host or an account has no room for more.
 */
export const CLOSE_WHEN_SHORT = 64;

export class IdleFiles {
  private readonly ctx: MemoryContext;
  readonly max: number;
  /** The descriptors in the order of their last use. */
  private readonly files: Set<DonatedFile> = new Set();
  private readonly dirty: Set<DonatedFile> = new Set();

  constructor(ctx: MemoryContext, max: number) {
    this.ctx = ctx;
    this.max = max;
  }

  add(file: DonatedFile): void {
    this.files.add(file);
    if (this.files.size > this.max) this.closeOldest(1);
  }

  remove(file: DonatedFile): void {
    this.files.delete(file);
  }

  /**
   * Closes up to `count` descriptors, of `account` and those below it or (null) of any; returns how
   * many.
   */
  closeOldest(count: number, account: Account | null = null): number {
    let closed = 0;
    for (const file of this.files) {
      if (closed === count) break;
      if (account !== null && !isWithin(file.account, account)) continue;
      this.close(file);
      closed++;
    }
    return closed;
  }

  /** Closes a descriptor without users. */
  close(file: DonatedFile): void {
    this.files.delete(file);
    this.dirty.delete(file);
    file.inode.onClosed(file);
    const { backing } = file;
    if (backing !== null && backing.platformFile >= 0) {
      this.ctx.platform.unregisterFile(backing.platformFile);
    }
    if (file.fd >= 0) this.ctx.host.close(file.fd);
    const { fs } = file.inode;
    fs.donated.delete(file);
    fs.descriptors.give(file.account);
  }

  /** Records that bytes were written, for sync(2). */
  noteWrite(file: DonatedFile): void {
    if (file.isDirty) return;
    file.isDirty = true;
    this.dirty.add(file);
  }

  /** Takes over a file that was written before the connection changed. */
  addDirty(file: DonatedFile): void {
    this.dirty.add(file);
  }

  get dirtyCount(): number {
    return this.dirty.size;
  }

  /** Writes the file that was dirty first to stable storage: 0 or -errno. */
  syncFirst(): number {
    for (const file of this.dirty) return this.sync(file, false);
    return 0;
  }

  sync(file: DonatedFile, isDataOnly: boolean): number {
    file.isDirty = false;
    this.dirty.delete(file);
    const r = this.ctx.host.fsync(file.fd, isDataOnly);
    return r < 0 ? file.failure(r) : r;
  }
}

function isWithin(account: Account, top: Account): boolean {
  let at: Account | null = account;
  while (at !== null && at !== top) at = at.parent;
  return at !== null;
}
