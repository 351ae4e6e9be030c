/**
 * Memory of the machine that no guest code can reach: page tables, and the few pages of ring 0. A page of it is a frame,
 * named by its number, which is also its guest-physical address divided by the page size.
 *
 * A frame that was a table cannot be one again at once: the host keeps what it made of tables (shadow pages, cached walks)
 * and does not see the Sentry write to them. It is retired until `forget` has made the host forget all of that.
 * Neighbours: `page_tables.ts` is the only writer of entries, `ring0.ts` fills the first frames.
 */

import { MAP_NORESERVE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { sealedMemfd } from "../../ffi/mem/shared_region.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, mmap, munmap } from "../../ffi/sys/files.ts";
import { viewOf } from "../../ffi/sys/native.ts";

export const PAGE_BYTES = 4096;
/** LIMIT: 262,144 tables, of which a process has some forty. */
export const TABLE_MEMORY_BYTES = 2 ** 30;
/** Frames in front of those that tables are made of. */
export const RING0_FRAMES = 768;
/** Words of 32 bits in a frame. */
export const FRAME_WORDS = PAGE_BYTES / 4;

/** V8 counts what it has a view of, so views are made when they are needed. */
const CHUNK_BYTES = 16 * 2 ** 20;
const CHUNK_FRAMES = CHUNK_BYTES / PAGE_BYTES;
/** To forget costs milliseconds: as many frames are worth that. */
const RETIRED_ENOUGH = 4096;

export class TableMemory {
  /** Host address of frame 0. */
  readonly base: number;
  readonly #fd: number;
  readonly #chunks: (Uint32Array<ArrayBuffer> | undefined)[] = [];
  #free: number[] = [];
  #retired: number[] = [];
  #next = RING0_FRAMES;
  /** Makes the host forget all that it knows of any table. */
  forget: () => void = () => {};

  /** @throws SyscallError */
  constructor() {
    this.#fd = sealedMemfd("dvisor-tables", TABLE_MEMORY_BYTES);
    const flags = MAP_SHARED | MAP_NORESERVE;
    const base = mmap(0, TABLE_MEMORY_BYTES, PROT_READ | PROT_WRITE, flags, this.#fd, 0);
    if (base < 0) close(this.#fd);
    this.base = check(base, "mmap of page tables");
  }

  /** The array that has the frame's words, from `wordOf(frame)` on. HOT */
  words(frame: number): Uint32Array<ArrayBuffer> {
    return this.#chunks[frame >>> 12] ?? this.#addChunk(frame >>> 12);
  }

  /** HOT */
  wordOf(frame: number): number {
    return (frame & (CHUNK_FRAMES - 1)) * FRAME_WORDS;
  }

  #addChunk(i: number): Uint32Array<ArrayBuffer> {
    const chunk = new Uint32Array(viewOf(this.base + i * CHUNK_BYTES, CHUNK_BYTES));
    this.#chunks[i] = chunk;
    return chunk;
  }

  /** A frame of zeros, or -1 if there is none. */
  take(): number {
    if (this.#free.length === 0 && this.#retired.length >= RETIRED_ENOUGH) this.#recycle();
    let frame = this.#free.pop();
    if (frame === undefined) {
      if (this.#next < TABLE_MEMORY_BYTES / PAGE_BYTES) return this.#next++;
      if (this.#retired.length > 0) this.#recycle();
      frame = this.#free.pop();
      if (frame === undefined) return -1;
    }
    const at = this.wordOf(frame);
    this.words(frame).fill(0, at, at + FRAME_WORDS);
    return frame;
  }

  /** Never was part of a table that a processor used. */
  giveUnused(frame: number): void {
    this.#free.push(frame);
  }

  retire(frame: number): void {
    this.#retired.push(frame);
  }

  #recycle(): void {
    this.forget();
    this.#free = this.#retired;
    this.#retired = [];
  }

  close(): void {
    munmap(this.base, TABLE_MEMORY_BYTES);
    close(this.#fd);
  }
}
