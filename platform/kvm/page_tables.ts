/**
 * The page tables of one address space: the only writer of entries.
 *
 * A plain write may add rights to an entry (from no page to a page, from reading to writing): at
 * worst the processor reports a fault that the entry no longer causes. Each loss of rights is
 * reported to `Changes.lost`, and the host must forget the old entry. An entry of a page without
 * permissions is not present, keeps its frame and is marked as mapped. The host and the processor
 * set A at the first use of an entry, so an entry without A was never used, and nothing has to be
 * forgotten. Neighbours: `table_memory.ts`, `space.ts`. Source: Intel SDM vol. 3 ch. 4.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import { TABLE_MEMORY_BYTES, type TableMemory } from "./table_memory.ts";

/** Bits of the low word. */
export const PRESENT = 1, WRITABLE = 2;
const USER = 4;
const ACCESSED = 0x20, DIRTY = 0x40;
/**
 * Bits for software: a page is mapped here, perhaps without permissions; its file ends before the
 * page.
 */
export const MAPPED = 0x200, BEYOND_END = 0x400;
/** Bits of the high word. */
const NO_EXECUTE = 0x80000000;

const TABLE_ENTRY = PRESENT | WRITABLE | USER | ACCESSED | DIRTY;
const GIB_4 = 0x100000000;
const HIGH_MASK = 0xfffff, LOW_MASK = 0xfffff000;
/** Bytes that one entry of each level covers, from the root down. */
const SPANS = [2 ** 39, 2 ** 30, 2 ** 21] as const;
const TABLE_SPAN = SPANS[2];
const ENTRIES = 512;
/**
 * LIMIT: half of all tables for one space, so that a guest which uses tables without bound fails
 * first.
 */
const MAX_TABLES = TABLE_MEMORY_BYTES / PAGE_SIZE / 2;
/** The last entry of a root: ring 0 as a vCPU sees it in any space. */
const RING0_ENTRY = 511;

/** Receives changes of pages, by guest-physical address. */
export interface Changes {
  /** Called when a processor may have cached more rights to this page than the entry now gives. */
  lost(page: number): void;
  /** Called when an entry that named this page no longer does. */
  dropped(page: number): void;
}

export class PageTables {
  readonly #memory: TableMemory;
  /** The root's entries of user space, the same for all vCPUs. */
  readonly #root: number;
  /** Roots by vCPU: a copy of them, with the vCPU's own entry for ring 0. */
  readonly #roots: number[] = [];
  readonly #max: number;
  #count = 0;

  /** @throws RangeError if there is no memory for a root */
  constructor(memory: TableMemory, max = MAX_TABLES) {
    this.#memory = memory;
    this.#max = max;
    this.#root = this.#take();
    if (this.#root < 0) throw new RangeError("no memory for page tables");
  }

  /** A frame of zeros, or -1 if there is none. */
  #take(): number {
    if (this.#count === this.#max) return -1;
    const frame = this.#memory.take();
    if (frame >= 0) this.#count++;
    return frame;
  }

  /**
   * The root that a vCPU loads: a frame, or -1 if there is no memory for it.
   *
   * @param ring0 low word of the vCPU's entry for ring 0
   */
  rootFor(cpu: number, ring0: number): number {
    const known = this.#roots[cpu];
    if (known !== undefined) return known;
    const memory = this.#memory, root = this.#take();
    if (root < 0) return -1;
    copy(memory.base + root * PAGE_SIZE, memory.base + this.#root * PAGE_SIZE, PAGE_SIZE);
    memory.words(root)[memory.wordOf(root) + 2 * RING0_ENTRY] = ring0;
    this.#roots[cpu] = root;
    return root;
  }

  /**
   * Maps guest-physical memory from `page` on at [addr, addr + len). False: out of tables.
   *
   * @param isKnown sets A in the entries; the host then also maps the neighbours of a page that is
   * touched, if they may be written
   */
  map(
    addr: number,
    len: number,
    page: number,
    prot: number,
    isKnown: boolean,
    changes: Changes,
  ): boolean {
    const bits = isKnown ? lowBits(prot) : lowBits(prot) & ~ACCESSED, nx = highBits(prot);
    const end = addr + len;
    while (addr < end) {
      const table = this.#table(addr, true);
      if (table < 0) return false;
      const words = this.#memory.words(table), base = this.#memory.wordOf(table);
      let i = (addr / PAGE_SIZE) & (ENTRIES - 1);
      for (; i < ENTRIES && addr < end; i++, addr += PAGE_SIZE, page += PAGE_SIZE) {
        const high = (Math.floor(page / GIB_4) | nx) >>> 0;
        this.#write(words, base + 2 * i, (page | bits) >>> 0, high, changes);
      }
    }
    return true;
  }

  unmap(addr: number, len: number, changes: Changes): void {
    this.#walk(addr, len, (words, at) => this.#write(words, at, 0, 0, changes));
  }

  /** Sets permissions of the mapped pages in a range; other pages are passed over. */
  protect(addr: number, len: number, prot: number, changes: Changes): void {
    const bits = lowBits(prot), nx = highBits(prot);
    this.#walk(addr, len, (words, at) => {
      const low = words[at]!, high = highWord(low, words[at + 1]!);
      if ((low & MAPPED) === 0) return;
      const to = ((low & LOW_MASK) | bits) >>> 0;
      this.#write(words, at, to, ((high & HIGH_MASK) | nx) >>> 0, changes);
    });
  }

  /**
   * Marks the page at addr as behind the end of its file: it faults until `protect`. False: the
   * page was not present.
   */
  mark(addr: number, changes: Changes): boolean {
    const table = this.#table(addr, false);
    if (table <= 0) return false;
    const words = this.#memory.words(table), at = this.#entry(table, addr);
    if ((words[at]! & PRESENT) === 0) return false;
    const low = ((words[at]! & ~PRESENT) | BEYOND_END) >>> 0;
    this.#write(words, at, low, words[at + 1]!, changes);
    return true;
  }

  /** The low word of the entry for addr, 0 if nothing is mapped; `pageAt` returns the rest. */
  flagsAt(addr: number): number {
    const table = this.#table(addr, false);
    if (table <= 0) return 0;
    return this.#memory.words(table)[this.#entry(table, addr)]! & ~LOW_MASK;
  }

  isExecutable(addr: number): boolean {
    const table = this.#table(addr, false);
    if (table <= 0) return false;
    return (this.#memory.words(table)[this.#entry(table, addr) + 1]! & NO_EXECUTE) === 0;
  }

  /** Guest-physical address of the page that is mapped at addr, or -1. */
  pageAt(addr: number): number {
    const table = this.#table(addr, false);
    if (table <= 0) return -1;
    const words = this.#memory.words(table), at = this.#entry(table, addr);
    const low = words[at]!;
    return (low & MAPPED) === 0 ? -1 : pageOf(low, highWord(low, words[at + 1]!));
  }

  /** The first page of [addr, end) that is mapped, or `end`. */
  firstMapped(addr: number, end: number): number {
    while (addr < end) {
      const table = this.#table(addr, false);
      if (table <= 0) {
        addr = endOfSpan(addr, SPANS[-table]!);
        continue;
      }
      const words = this.#memory.words(table), stop = Math.min(end, endOfSpan(addr, TABLE_SPAN));
      for (; addr < stop; addr += PAGE_SIZE) {
        if ((words[this.#entry(table, addr)]! & MAPPED) !== 0) return addr;
      }
    }
    return end;
  }

  /** A copy for another space, or null if there is not enough memory. */
  clone(): PageTables | null {
    let copy: PageTables;
    try {
      copy = new PageTables(this.#memory, this.#max);
    } catch {
      return null;
    }
    if (copy.#copy(this.#root, copy.#root, 0)) return copy;
    copy.#each(copy.#root, 0, (frame) => this.#memory.giveUnused(frame));
    return null;
  }

  /** Frees all tables: no vCPU uses them any more. */
  retire(): void {
    this.#each(this.#root, 0, (frame) => this.#memory.retire(frame));
    for (const root of this.#roots) if (root !== undefined) this.#memory.retire(root);
  }

  /** Takes the tables of another space. */
  #copy(from: number, to: number, level: number): boolean {
    const memory = this.#memory;
    if (level === SPANS.length) {
      copy(memory.base + to * PAGE_SIZE, memory.base + from * PAGE_SIZE, PAGE_SIZE);
      return true;
    }
    const source = memory.words(from), sourceAt = memory.wordOf(from);
    const target = memory.words(to), targetAt = memory.wordOf(to);
    for (let i = 0; i < ENTRIES; i++) {
      const low = source[sourceAt + 2 * i]!;
      if ((low & PRESENT) === 0) continue;
      const frame = this.#take();
      if (frame < 0) return false;
      target[targetAt + 2 * i] = (frame * PAGE_SIZE + TABLE_ENTRY) >>> 0;
      if (!this.#copy(low >>> 12, frame, level + 1)) return false;
    }
    return true;
  }

  /** Visits each table, leaves first. */
  #each(frame: number, level: number, visit: (frame: number) => void): void {
    const words = this.#memory.words(frame), at = this.#memory.wordOf(frame);
    if (level < SPANS.length) {
      for (let i = 0; i < ENTRIES; i++) {
        const low = words[at + 2 * i]!;
        if ((low & PRESENT) !== 0) this.#each(low >>> 12, level + 1, visit);
      }
    }
    visit(frame);
  }

  /** Visits each entry of the range whose table exists. */
  #walk(
    addr: number,
    len: number,
    visit: (words: Uint32Array<ArrayBuffer>, at: number) => void,
  ): void {
    const end = addr + len;
    while (addr < end) {
      const table = this.#table(addr, false);
      if (table <= 0) {
        addr = endOfSpan(addr, SPANS[-table]!);
        continue;
      }
      const words = this.#memory.words(table), base = this.#memory.wordOf(table);
      const stop = Math.min(end, endOfSpan(addr, TABLE_SPAN));
      for (; addr < stop; addr += PAGE_SIZE) {
        visit(words, base + 2 * ((addr / PAGE_SIZE) & (ENTRIES - 1)));
      }
    }
  }

  #entry(table: number, addr: number): number {
    return this.#memory.wordOf(table) + 2 * ((addr / PAGE_SIZE) & (ENTRIES - 1));
  }

  /**
   * The last table on the way to addr; -1 if a table cannot be made; else minus the level (0 for
   * the root) at which the entry is missing.
   */
  #table(addr: number, make: boolean): number {
    const memory = this.#memory;
    let frame = this.#root;
    for (let level = 0; level < SPANS.length; level++) {
      const words = memory.words(frame);
      const at = memory.wordOf(frame) + 2 * (Math.floor(addr / SPANS[level]!) & (ENTRIES - 1));
      const low = words[at]!;
      if ((low & PRESENT) !== 0) {
        frame = low >>> 12;
        continue;
      }
      if (!make) return -level;
      const fresh = this.#take();
      if (fresh < 0) return -1;
      words[at] = (fresh * PAGE_SIZE + TABLE_ENTRY) >>> 0;
      if (level === 0) this.#copyEntry(at - memory.wordOf(frame), words[at]!);
      frame = fresh;
    }
    return frame;
  }

  /** Sets an entry of the root for all vCPUs. */
  #copyEntry(word: number, low: number): void {
    const memory = this.#memory;
    for (const root of this.#roots) {
      if (root !== undefined) memory.words(root)[memory.wordOf(root) + word] = low;
    }
  }

  /**
   * Writes one entry. A vCPU that walks the tables meanwhile finds the old entry, none, or the new
   * one. HOT
   */
  #write(
    words: Uint32Array<ArrayBuffer>,
    at: number,
    low: number,
    high: number,
    changes: Changes,
  ): void {
    let oldLow = words[at]!;
    const oldHigh = highWord(oldLow, words[at + 1]!);
    if (((oldLow ^ low) & ~ACCESSED) === 0 && oldHigh === high) return;
    // An entry that is not present is not used: from here on its A bit stays as it is.
    if ((oldLow & PRESENT) !== 0) oldLow = Atomics.exchange(words, at, 0);
    const page = pageOf(oldLow, oldHigh), wasPresent = (oldLow & PRESENT) !== 0;
    const isSame = (oldLow & low & MAPPED) !== 0 && page === pageOf(low, high);
    const keeps = wasPresent && isSame && (low & PRESENT) !== 0 &&
      (oldLow & ~low & WRITABLE) === 0 && (high & ~oldHigh & NO_EXECUTE) === 0;
    const isKnown = wasPresent && (oldLow & ACCESSED) !== 0;
    if (keeps && isKnown) low = (low | ACCESSED) >>> 0;
    else if (wasPresent && isSame && !isKnown) low = (low & ~ACCESSED) >>> 0;
    words[at + 1] = highWord(low, high);
    words[at] = low;
    if ((oldLow & MAPPED) !== 0 && !isSame) changes.dropped(page);
    if (isKnown && !keeps) changes.lost(page);
  }
}

/** Bytes from addr to the end of what one entry covers. */
function endOfSpan(addr: number, span: number): number {
  return Math.floor(addr / span) * span + span;
}

/**
 * Converts an address to its form in an entry, and back. A page without permissions has the high
 * bits of its address inverted: a processor with L1TF reads speculatively through entries that are
 * not present, and takes the address for one of the host. No host has memory at the inverted
 * address.
 */
function highWord(low: number, high: number): number {
  return (low & (PRESENT | MAPPED)) === MAPPED ? (high ^ HIGH_MASK) >>> 0 : high;
}

function pageOf(low: number, high: number): number {
  return (high & HIGH_MASK) * GIB_4 + ((low & LOW_MASK) >>> 0);
}

/** x86 has no page that can be written or executed and not read. */
function lowBits(prot: number): number {
  if (prot === 0) return MAPPED;
  const access = PRESENT | USER | ACCESSED | DIRTY | MAPPED;
  return (prot & PROT_WRITE) === 0 ? access : access | WRITABLE;
}

function highBits(prot: number): number {
  return (prot & PROT_EXEC) === 0 ? NO_EXECUTE : 0;
}
