/**
 * The ring of events of one context of asynchronous I/O, which its process maps. Some programs take
 * events from it without a call (QEMU, fio, and libaio to test for events). The process can write
 * all of it: the head is read once and bounded, the tail is kept here.
 *
 * Neighbour: aio.ts.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { IoEvent } from "../../ffi/abi/aio.ts";
import { KernelPages } from "../mm/kernel_pages.ts";
import type { MemoryContext } from "../mm/memory_context.ts";

/** Byte offsets of the words of struct aio_ring (fs/aio.c), in 32-bit words; events follow them. */
const AT = {
  id: 0,
  nr: 1,
  head: 2,
  tail: 3,
  magic: 4,
  compat: 5,
  incompat: 6,
  headerBytes: 7,
} as const;
const HEADER_BYTES = 32, EVENT_WORDS = IoEvent.size / 4, MAGIC = 0xa10a10a1 | 0;
const E = IoEvent.at;

export class AioRing extends KernelPages {
  /** Slots for events; one of them stays empty. */
  readonly places: number;
  private readonly words: Int32Array<SharedArrayBuffer>;
  private tail: number = 0;

  private constructor(ctx: MemoryContext, base: number, pages: number) {
    super(ctx.frames, { dev: 0, ino: ctx.nextIno() }, base, pages * PAGE_SIZE);
    this.words = ctx.arena.words;
    this.places = Math.floor((this.bytes - HEADER_BYTES) / IoEvent.size);
    const header = base / 4;
    this.words[header + AT.nr] = this.places;
    this.words[header + AT.magic] = MAGIC;
    this.words[header + AT.compat] = 1;
    this.words[header + AT.headerBytes] = HEADER_BYTES;
  }

  /** A ring with at least `events` slots, as many as fit its pages. null: no memory. */
  static create(ctx: MemoryContext, events: number): AioRing | null {
    const pages = Math.ceil((HEADER_BYTES + events * IoEvent.size) / PAGE_SIZE);
    const base = ctx.frames.alloc(pages);
    return base < 0 ? null : new AioRing(ctx, base, pages);
  }

  private head(): number {
    return (Atomics.load(this.words, this.base / 4 + AT.head) >>> 0) % this.places;
  }

  /** Number of events in it. */
  get length(): number {
    return (this.tail - this.head() + this.places) % this.places;
  }

  /** Word index of slot `n`. */
  private place(n: number): number {
    return (this.base + HEADER_BYTES) / 4 + n * EVENT_WORDS;
  }

  /** Adds an event behind the others. The context has checked that there is a slot. */
  push(dataLo: number, dataHi: number, obj: number, result: number): void {
    const { words } = this, at = this.place(this.tail);
    words[at + E.data / 4] = dataLo;
    words[at + E.data / 4 + 1] = dataHi;
    words[at + E.obj / 4] = obj;
    words[at + E.obj / 4 + 1] = Math.floor(obj / 2 ** 32);
    words[at + E.res / 4] = result;
    words[at + E.res / 4 + 1] = Math.floor(result / 2 ** 32);
    words[at + E.res2 / 4] = 0;
    words[at + E.res2 / 4 + 1] = 0;
    this.tail = (this.tail + 1) % this.places;
    Atomics.store(words, this.base / 4 + AT.tail, this.tail);
  }

  /** Arena offset of the oldest event, or -1. */
  first(): number {
    const head = this.head();
    return head === this.tail ? -1 : this.place(head) * 4;
  }

  /** Removes the oldest event. */
  shift(): void {
    Atomics.store(this.words, this.base / 4 + AT.head, (this.head() + 1) % this.places);
  }

  override describe(): string {
    return "/[aio] (deleted)";
  }
}
