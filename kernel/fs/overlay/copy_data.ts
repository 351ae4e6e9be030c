/**
 * Copies the bytes of one layer's file to another layer's, and keeps the holes that SEEK_DATA and
 * SEEK_HOLE find. copy_up.ts and copy_tree.ts call it.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EIO, ENXIO } from "../../../ffi/abi/errno.ts";
import { O_RDONLY, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { SEEK_DATA, SEEK_HOLE } from "../../../ffi/abi/fs.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { ATTR_SIZE, emptyAttrChange, type Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { LAYER_CRED, openLayer } from "./layers.ts";

/** The pages that one step moves. */
const STEP_PAGES = 256;

/** The buffer of the copies of an overlay, allocated at the first copy. */
export class CopyBuffer {
  private readonly payer: { readonly account: Account };
  private readonly frames: FrameAllocator;
  private frame: number = -1;
  readonly bytes: number = STEP_PAGES * PAGE_SIZE;

  /** @param payer has the account for files opened for a copy */
  constructor(payer: { readonly account: Account }, frames: FrameAllocator) {
    this.payer = payer;
    this.frames = frames;
  }

  get account(): Account {
    return this.payer.account;
  }

  /** Its host address, or -1 when there is no memory. */
  address(): number {
    if (this.frame < 0) this.frame = this.frames.alloc(STEP_PAGES);
    return this.frame < 0 ? -1 : this.frames.arena.base + this.frame;
  }

  release(): void {
    if (this.frame >= 0) this.frames.release(this.frame, STEP_PAGES);
    this.frame = -1;
  }
}

/** Copies the first `size` bytes of `from` to `to`, which is empty or a hole: 0 or -errno. */
export function copyBetween(from: Inode, to: Inode, size: number, buffer: CopyBuffer): number {
  const reader = openLayer(from, O_RDONLY, buffer.account);
  if (typeof reader === "number") return reader;
  const writer = openLayer(to, O_RDWR, buffer.account);
  if (typeof writer === "number") {
    reader.drop();
    return writer;
  }
  let r = copyPieces(reader, writer, size, buffer);
  reader.drop();
  writer.drop();
  if (r === 0 && to.size < size) r = setSize(to, size);
  return r;
}

function copyPieces(
  reader: OpenFile,
  writer: OpenFile,
  size: number,
  buffer: CopyBuffer,
): number {
  for (let at = 0; at < size;) {
    let start = reader.seek(at, SEEK_DATA), end = size;
    if (start === -ENXIO) return 0;
    if (start < 0) start = at;
    else end = Math.min(size, reader.seek(start, SEEK_HOLE));
    if (end <= start) end = size;
    const r = copyRange(reader, writer, start, end, buffer);
    if (r <= 0) return r;
    at = end;
  }
  return 0;
}

const cursor = new KernelCursor();

/** Copies [start, end): 1 when done, 0 when the file ends before, or -errno. */
function copyRange(
  reader: OpenFile,
  writer: OpenFile,
  start: number,
  end: number,
  buffer: CopyBuffer,
): number {
  const address = buffer.address();
  if (address < 0) return -EIO;
  for (let at = start; at < end;) {
    const n = reader.read(cursor.set(address, Math.min(buffer.bytes, end - at)), at);
    if (n <= 0) return n;
    for (let done = 0; done < n;) {
      const w = writer.write(cursor.set(address + done, n - done), at + done);
      if (w <= 0) return w < 0 ? w : -EIO;
      done += w;
    }
    at += n;
  }
  return 1;
}

export function setSize(inode: Inode, size: number): number {
  const change = emptyAttrChange();
  change.valid = ATTR_SIZE;
  change.size = size;
  return inode.setattr(change, LAYER_CRED);
}
