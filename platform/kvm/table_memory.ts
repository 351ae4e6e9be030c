/**
 * Memory of the machine that no guest code can reach: page tables, and the pages of ring 0. A page
 * of it is a frame; the number of a frame is its guest-physical address divided by the page size.
 *
 * A frame that was a table cannot become one again at once: the host keeps what it derived from
 * tables (shadow pages, cached walks) and does not see the Sentry's writes to them. It is retired
 * until `forget` has made the host discard all of that. Neighbours: `page_tables.ts` is the only
 * writer of entries, `ring0.ts` fills the first frames.
 */

import { MAP_NORESERVE, MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { sealedMemfd } from "../../ffi/mem/shared_region.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, mmap, munmap } from "../../ffi/sys/files.ts";
import { viewOf } from "../../ffi/sys/native.ts";

/** LIMIT: 262,144 tables, of which a process has some forty. */
export const TABLE_MEMORY_BYTES = 2 ** 30;
/** Frames of ring 0, in front of those that tables use. */
export const RING0_FRAMES = 768;
/** 32-bit words in a frame. */
export const FRAME_WORDS = PAGE_SIZE / 4;

/** V8 counts memory that has a view, so views are made at the first use of a chunk. */
const CHUNK_BYTES = 16 * 2 ** 20;
const CHUNK_FRAMES = CHUNK_BYTES / PAGE_SIZE;
/** LIMIT: retired frames before the host is made to forget, which costs milliseconds. */
const RETIRED_ENOUGH = 4096;

export class TableMemory {
  /** Host address of frame 0. */
  readonly base: number;
  readonly #fd: number;
  readonly #chunks: (Uint32Array<ArrayBuffer> | undefined)[] = [];
  #free: number[] = [];
  #retired: number[] = [];
  #next = RING0_FRAMES;
  /** Makes the host discard all that it derived from tables. */
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
      if (this.#next < TABLE_MEMORY_BYTES / PAGE_SIZE) return this.#next++;
      if (this.#retired.length > 0) this.#recycle();
      frame = this.#free.pop();
      if (frame === undefined) return -1;
    }
    const at = this.wordOf(frame);
    this.words(frame).fill(0, at, at + FRAME_WORDS);
    return frame;
  }

  /** Frees a frame that never was part of a table that a vCPU used. */
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
