/**
 * Donated descriptors that no open file uses at the moment: opening the file again costs no round trip. The least
 * recently used are closed beyond a bound.
 */

import type { MemoryContext } from "../../mm/memory_context.ts";
import type { DonatedFile } from "./donated_file.ts";

export class IdleFiles {
  private readonly ctx: MemoryContext;
  readonly max: number;
  /** In the order of last use. */
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

  /** Close up to `count` of them: how many were. */
  closeOldest(count: number): number {
    let closed = 0;
    for (const file of this.files) {
      if (closed === count) break;
      this.close(file);
      closed++;
    }
    return closed;
  }

  /** Close a descriptor that nobody uses. */
  close(file: DonatedFile): void {
    this.files.delete(file);
    this.dirty.delete(file);
    file.inode.closed(file);
    const { backing } = file;
    if (backing !== null) this.ctx.platform.unregisterFile(backing.platformFile);
    this.ctx.host.close(file.fd);
  }

  /** Bytes were written: sync(2) wants to know. */
  noteWrite(file: DonatedFile): void {
    if (file.isDirty) return;
    file.isDirty = true;
    this.dirty.add(file);
  }

  /** Write everything to stable storage: 0 or the first error. */
  syncDirty(): number {
    let result = 0;
    for (const file of this.dirty) {
      const r = this.sync(file, false);
      if (r < 0 && result === 0) result = r;
    }
    return result;
  }

  sync(file: DonatedFile, isDataOnly: boolean): number {
    file.isDirty = false;
    this.dirty.delete(file);
    return this.ctx.host.fsync(file.fd, isDataOnly);
  }
}
