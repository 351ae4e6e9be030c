/**
 * The control file: all memory that the Sentry and the stubs of one platform share besides guest
 * memory.
 *
 * It is one sparse memory file, of which each stub maps only its own parts. A part that is freed is
 * emptied at once, since it holds registers of a guest. Neighbour: `stub/layout.ts` has the
 * contents of the parts.
 */

import { Arena, WINDOW_BYTES } from "../../ffi/mem/arena.ts";
import { ACK_BYTES, COMMANDS_BYTES, SLOTS_IN_CHUNK } from "./stub/layout.ts";
import type { SharedOffsets } from "./stub/zygote.ts";
import { TABLE_BYTES, TABLE_COUNT, TABLE_THUNKS_BYTES, THUNKS_BYTES } from "../thunks.ts";

/** LIMIT: stubs of one platform at one time; guests have a part each (kernel/core/quota.ts). */
const MAX_SPACES = 8192;
/** LIMIT: chunks of slots beyond the first of each space. */
const EXTRA_CHUNKS = 2048;
/** LIMIT: tables of patched call sites, each with its thunks, of all sets. */
export const MAX_SITE_BLOCKS = 1024;

const GLOBAL = 0;
/** Stays empty: a stub maps it in place of tables and thunks until it maps those of its set. */
const TABLES = 0x10000;
const ACKS = 0x100000;
const THUNKS = 0x200000;
const SITES = 0x400000;
const SITES_BYTES = TABLE_BYTES + TABLE_THUNKS_BYTES;
const BLOCKS = SITES + MAX_SITE_BLOCKS * SITES_BYTES;
const COMMANDS_STRIDE = 0x20000;

export const SHARED_OFFSETS: SharedOffsets = { global: GLOBAL, tables: TABLES, thunks: THUNKS };

export class ControlMemory {
  readonly fd: number;
  /** Host address of offset 0. */
  readonly base: number;
  /** For memory that no stub writes at the moment: a frame of a stopped thread, commands. */
  readonly dv: DataView<SharedArrayBuffer>;
  /** For words that a stub may be writing: an element is loaded and stored as a whole. */
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly slotBytes: number;
  readonly chunkBytes: number;
  readonly global = GLOBAL;
  readonly #file: Arena;
  readonly #chunks: number;
  readonly #chunkLimit: number;
  readonly #freeSpaces: number[] = [];
  readonly #freeChunks: number[] = [];
  readonly #freeSites: number[] = [];
  #nextSites = 0;
  #nextSpace = 0;
  #nextChunk = 0;

  /** @throws SyscallError or RangeError if the host has no address space or descriptor left */
  constructor(slotBytes: number) {
    this.slotBytes = slotBytes;
    this.chunkBytes = SLOTS_IN_CHUNK * slotBytes;
    this.#chunks = BLOCKS + MAX_SPACES * COMMANDS_STRIDE;
    this.#chunkLimit = MAX_SPACES + EXTRA_CHUNKS;
    const bytes = this.#chunks + this.#chunkLimit * this.chunkBytes;
    this.#file = Arena.create(Math.ceil(bytes / WINDOW_BYTES) * WINDOW_BYTES, 0);
    this.fd = this.#file.fd;
    this.base = this.#file.base;
    this.dv = this.#file.dv;
    this.i32 = this.#file.words;
    if (TABLES + TABLE_COUNT * TABLE_BYTES > ACKS || ACKS + MAX_SPACES * ACK_BYTES > THUNKS) {
      throw new RangeError("parts of the control file overlap");
    }
    if (THUNKS + THUNKS_BYTES > SITES || COMMANDS_BYTES > COMMANDS_STRIDE) {
      throw new RangeError("parts of the control file overlap");
    }
  }

  /** A number for a new space, or -1: its command and ack parts are zero. */
  takeSpace(): number {
    const free = this.#freeSpaces.pop();
    if (free !== undefined) return free;
    return this.#nextSpace < MAX_SPACES ? this.#nextSpace++ : -1;
  }

  commandsOffset(space: number): number {
    return BLOCKS + space * COMMANDS_STRIDE;
  }

  ackOffset(space: number): number {
    return ACKS + space * ACK_BYTES;
  }

  giveSpace(space: number): void {
    this.#file.punch(this.commandsOffset(space), COMMANDS_STRIDE);
    const ack = this.ackOffset(space);
    for (let i = 0; i < ACK_BYTES; i += 4) this.dv.setUint32(ack + i, 0, true);
    this.#freeSpaces.push(space);
  }

  /** Control file offset of a chunk of empty slots, or -1. */
  takeChunk(): number {
    const free = this.#freeChunks.pop();
    if (free !== undefined) return free;
    if (this.#nextChunk === this.#chunkLimit) return -1;
    return this.#chunks + this.#nextChunk++ * this.chunkBytes;
  }

  giveChunk(offset: number): void {
    this.#file.punch(offset, this.chunkBytes);
    this.#freeChunks.push(offset);
  }

  /** Control file offset of an empty table and its thunks, or -1. */
  takeSites(): number {
    const free = this.#freeSites.pop();
    if (free !== undefined) return free;
    return this.#nextSites < MAX_SITE_BLOCKS ? SITES + this.#nextSites++ * SITES_BYTES : -1;
  }

  giveSites(offset: number): void {
    this.#file.punch(offset, SITES_BYTES);
    this.#freeSites.push(offset);
  }

  /** Stores a u64, the low half first; `value` is a natural number up to 2^53. */
  setWord(at: number, value: number): void {
    const index = at / 4;
    this.i32[index] = value;
    this.i32[index + 1] = Math.floor(value / 0x100000000);
  }

  /** Loads a u64; from 2^53 on low bits are lost. */
  word(at: number): number {
    const index = at / 4;
    return (this.i32[index]! >>> 0) + (this.i32[index + 1]! >>> 0) * 0x100000000;
  }

  close(): void {
    this.#file.close();
  }
}
