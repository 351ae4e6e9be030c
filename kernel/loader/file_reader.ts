/**
 * Reads headers of a program into JS memory, through some arena pages of its own. load.ts has one
 * for each execve(2).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import { copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { KernelCursor } from "../mm/cursor.ts";
import type { MemoryContext } from "../mm/memory_context.ts";
import type { OpenFile } from "../vfs/open_file.ts";

const PAGES = 17;

export class FileReader {
  /** The most bytes of one `read`. */
  static readonly MAX_BYTES: number = PAGES * PAGE_SIZE;
  private readonly ctx: MemoryContext;
  private readonly frame: number;
  private readonly cursor: KernelCursor = new KernelCursor();

  constructor(ctx: MemoryContext) {
    this.ctx = ctx;
    this.frame = ctx.frames.alloc(PAGES);
  }

  /**
   * Reads up to `len` bytes at `offset` to the start of `buf`: how many, or what the file's read
   * returned.
   */
  read(file: OpenFile, offset: number, buf: Uint8Array<ArrayBuffer>, len: number): number {
    if (this.frame < 0) return -ENOMEM;
    const host = this.ctx.arena.base + this.frame;
    let done = 0;
    while (done < len) {
      const n = file.read(this.cursor.set(host + done, len - done), offset + done);
      if (n < 0) return n;
      if (n === 0) break;
      done += n;
    }
    return copyToBuffer(buf, 0, host, done) === done ? done : -ENOMEM;
  }

  close(): void {
    if (this.frame >= 0) this.ctx.frames.release(this.frame, PAGES);
  }
}
