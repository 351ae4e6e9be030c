/**
 * One guest address space: page tables without a host process.
 *
 * A change is in the tables at once. What a vCPU may still have cached of the old entries is
 * forgotten at `flush`, in as few host calls as the addresses allow. Neighbours: `page_tables.ts`,
 * `file_windows.ts`, `../mapping_index.ts`.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { load64, load8 } from "../../ffi/mem/native_memory.ts";
import { ARENA, MappingIndex } from "../mapping_index.ts";
import { AddressSpace, type Thunks, USER_END } from "../platform.ts";
import { KvmContext } from "./context.ts";
import type { FileWindows } from "./file_windows.ts";
import { ALL_USED, WINDOW_BYTES } from "./file_windows.ts";
import { ARENA_AT, type GuestPhysical } from "./guest_physical.ts";
import { type Changes, PageTables } from "./page_tables.ts";
import type { Scheduler } from "./scheduler.ts";
import { type TableMemory } from "./table_memory.ts";

/**
 * The part of a file that is mapped at once; the rest is mapped when it is touched, since a window
 * takes some 100 us.
 */
const EAGER_BYTES = 8 * WINDOW_BYTES;
/** LIMIT: ranges that the host forgets one by one; to forget everything costs about as much. */
const MAX_RANGES = 512;
/** From this number of ranges on, a thread that waits in the machine is made to leave it first. */
const FEW_RANGES = 3;
/**
 * Two lost ranges with at most these bytes between them are forgotten as one: one call is cheaper
 * than two.
 */
const NEAR_BYTES = 15 * PAGE_SIZE;
/** LIMIT: threads of a machine that have begun and not ended. */
const MAX_THREADS = 65536;

/** State that the spaces of one machine share. */
export interface Machine {
  readonly tables: TableMemory;
  readonly memory: GuestPhysical;
  readonly windows: FileWindows;
  readonly scheduler: Scheduler;
  readonly spaces: Set<KvmSpace>;
  threadCount: number;
}

export class KvmSpace extends AddressSpace implements Changes {
  readonly tables: PageTables;
  isDestroyed = false;
  /** A vCPU may have entries of these tables cached. */
  hasRun = false;
  /** Number of vCPUs that are in it. */
  #processors = 0;
  override readonly hostPid = 0;
  readonly #machine: Machine;
  readonly #mappings: MappingIndex;
  /** Number of pages that it maps, by window. */
  readonly #windowPages: Map<number, number>;
  readonly #threads = new Set<KvmContext>();
  /** Ranges that the host has to unmap: start, end pairs of guest-physical addresses. */
  #lost: number[] = [];
  #seq = 0;
  #acked = 0;
  #isBroken = false;

  constructor(
    machine: Machine,
    tables: PageTables,
    mappings: MappingIndex,
    windowPages: Map<number, number>,
  ) {
    super();
    this.#machine = machine;
    this.tables = tables;
    this.#mappings = mappings;
    this.#windowPages = windowPages;
    machine.spaces.add(this);
  }

  /** Null if there is no memory for its tables. */
  static create(machine: Machine): KvmSpace | null {
    try {
      const tables = new PageTables(machine.tables);
      return new KvmSpace(machine, tables, new MappingIndex(), new Map());
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  override get seq(): number {
    return this.#seq;
  }
  override get ackedSeq(): number {
    return this.#acked;
  }
  override get broken(): boolean {
    return this.#isBroken;
  }
  override get mappingCount(): number {
    return this.#mappings.count;
  }

  override mapArena(
    addr: number,
    len: number,
    offset: number,
    prot: number,
    isBlank = false,
  ): void {
    if (!this.#prepareChange(addr, len)) return;
    this.#mappings.map(addr, addr + len, ARENA, offset, prot);
    const page = ARENA_AT + offset, { memory } = this.#machine;
    const isMapped = memory.use(page, len) &&
      this.tables.map(addr, len, page, prot, !isBlank, this);
    if (!isMapped) this.#isBroken = true;
  }

  override mapFile(addr: number, len: number, file: number, offset: number, prot: number): void {
    if (!this.#prepareChange(addr, len)) return;
    const end = addr + len, isLate = len > EAGER_BYTES;
    this.#mappings.map(addr, end, file, offset, prot);
    if (!this.#machine.windows.allows(file, prot)) this.#isBroken = true;
    if (isLate) this.tables.unmap(addr, len, this);
    while (addr < end && !this.#isBroken && !isLate) {
      const from = offset % WINDOW_BYTES, part = Math.min(end - addr, WINDOW_BYTES - from);
      this.#mapPart(addr, part, file, offset, prot);
      addr += part;
      offset += part;
    }
  }

  /**
   * Maps the stretch of a file around addr that was left out at first. False: none was left out, or
   * it cannot be mapped.
   */
  mapLate(addr: number): boolean {
    const mapping = this.#mappings.find(addr);
    if (mapping === null || mapping.file === ARENA || this.#isBroken) return false;
    const { file, delta, prot } = mapping, stretch = addr - (addr + delta) % WINDOW_BYTES;
    const from = Math.max(mapping.start, stretch);
    const end = Math.min(mapping.end, stretch + WINDOW_BYTES);
    this.#mapPart(from, end - from, file, from + delta, prot);
    return !this.#isBroken;
  }

  /** Maps pages within one stretch of a file. */
  #mapPart(addr: number, len: number, file: number, offset: number, prot: number): void {
    const window = this.#window(file, Math.floor(offset / WINDOW_BYTES));
    if (window < 0) {
      this.#isBroken = true;
      return;
    }
    const { windows } = this.#machine, pages = this.#windowPages.get(window) ?? 0;
    if (pages === 0) windows.addUser(window);
    this.#windowPages.set(window, pages + len / PAGE_SIZE);
    this.tables.unmap(addr, len, this); // first the old pages, so that each page is counted once
    const page = windows.pageOf(window) + offset % WINDOW_BYTES;
    if (!this.tables.map(addr, len, page, prot, false, this)) this.#isBroken = true;
  }

  /**
   * When all windows are in use, the space that has most gives up all of its own, and gets them
   * again at its next faults.
   */
  #window(file: number, stretch: number): number {
    const { windows, spaces } = this.#machine;
    for (;;) {
      const window = windows.window(file, stretch);
      if (window !== ALL_USED) return window;
      const most = [...spaces].reduce((a, b) => b.#windowPages.size > a.#windowPages.size ? b : a);
      if (most.#windowPages.size === 0) return window;
      most.#giveUpFiles();
    }
  }

  #giveUpFiles(): void {
    for (const { start, end, file } of this.#mappings.list) {
      if (file !== ARENA) this.tables.unmap(start, end - start, this);
    }
    this.flush();
  }

  /** All vCPUs see the same thunks, in all spaces. */
  override useThunks(_thunks: Thunks): void {}

  override unmap(addr: number, len: number): void {
    if (!this.#prepareChange(addr, len)) return;
    this.#mappings.unmap(addr, addr + len);
    this.tables.unmap(addr, len, this);
  }

  override protect(addr: number, len: number, prot: number): void {
    if (!this.#prepareChange(addr, len)) return;
    this.#mappings.protect(addr, addr + len, prot);
    this.tables.protect(addr, len, prot, this);
  }

  /** @throws RangeError for what is not user memory: it would hand ring 0 over */
  #prepareChange(addr: number, len: number): boolean {
    if (!(addr >= 0 && len > 0 && addr + len <= USER_END) || (addr | len) % PAGE_SIZE !== 0) {
      throw new RangeError(`mapping of ${len} bytes at 0x${addr.toString(16)}`);
    }
    if (this.isDestroyed) return false;
    this.#seq++;
    return !this.#isBroken;
  }

  lost(page: number): void {
    if (!this.hasRun) return;
    const ranges = this.#lost, last = ranges.length - 1;
    const gap = last > 0 ? page - ranges[last]! : -1;
    // Arena and windows are two ranges of the Sentry's memory, wherever they are in guest-physical
    // memory.
    if (gap >= 0 && gap <= NEAR_BYTES && !this.#crossesWindows(ranges[last]!, page)) {
      ranges[last] = page + PAGE_SIZE;
    } else ranges.push(page, page + PAGE_SIZE);
  }

  #crossesWindows(end: number, page: number): boolean {
    const { windowsAt } = this.#machine.memory;
    return end <= windowsAt && page >= windowsAt;
  }

  dropped(page: number): void {
    const window = this.#machine.windows.indexOf(page);
    if (window < 0) return;
    const left = this.#windowPages.get(window)! - 1;
    if (left > 0) {
      this.#windowPages.set(window, left);
    } else {
      this.#windowPages.delete(window);
      this.#machine.windows.removeUser(window);
    }
  }

  /** HOT */
  override flush(): void {
    if (this.#lost.length > 0) this.#forget();
    if (!this.isDestroyed) this.#acked = this.#seq;
  }

  #forget(): void {
    const ranges = this.#lost, { memory } = this.#machine;
    this.#lost = [];
    if (this.#processors > 0 && ranges.length >= 2 * FEW_RANGES) {
      this.#machine.scheduler.leave(this);
    }
    if (ranges.length > 2 * MAX_RANGES) return memory.invalidateAll();
    for (let i = 0; i < ranges.length; i += 2) {
      memory.invalidate(ranges[i]!, ranges[i + 1]! - ranges[i]!);
    }
  }

  override fork(): KvmSpace | null {
    if (this.#isBroken || this.isDestroyed) return null;
    const tables = this.tables.clone();
    if (tables === null) return null;
    const windowPages = new Map(this.#windowPages);
    for (const window of windowPages.keys()) this.#machine.windows.addUser(window);
    return new KvmSpace(this.#machine, tables, this.#mappings.clone(), windowPages);
  }

  override newContext(): KvmContext | null {
    if (this.isDestroyed || this.#machine.threadCount >= MAX_THREADS) return null;
    const context = new KvmContext(this, this.#machine.scheduler);
    this.#machine.threadCount++;
    this.#threads.add(context);
    return context;
  }

  forgetThread(context: KvmContext): void {
    if (this.#threads.delete(context)) this.#machine.threadCount--;
  }

  /** A vCPU enters this space. HOT */
  vcpuEntered(): void {
    this.#processors++;
  }

  /** Called when a vCPU has left this space. */
  vcpuLeft(): void {
    if (--this.#processors === 0 && this.isDestroyed) this.#end();
  }

  override destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.#isBroken = true;
    this.#seq++;
    for (const context of this.#threads) context.release();
    if (this.#processors === 0) this.#end();
  }

  /** Ends a space that no vCPU is in and none will load again. */
  #end(): void {
    if (!this.#machine.spaces.delete(this)) return;
    this.tables.retire();
    for (const window of this.#windowPages.keys()) this.#machine.windows.removeUser(window);
    this.#lost = [];
    this.#acked = this.#seq;
  }

  /** Marks the mapped pages behind the ends of their files. False: there were no unmarked ones. */
  markBehindEnds(): boolean {
    const { windows } = this.#machine;
    let isMarked = false;
    for (const mapping of this.#mappings.list) {
      if (mapping.file === ARENA || mapping.prot === 0) continue;
      const { end, delta } = mapping;
      let addr = this.tables.firstMapped(mapping.start, end);
      while (addr < end) {
        const stop = Math.min(end, addr + WINDOW_BYTES - (addr + delta) % WINDOW_BYTES);
        const bytes = windows.bytesOfFile(this.tables.pageAt(addr));
        for (let at = addr + Math.max(0, bytes); at < stop; at += PAGE_SIZE) {
          if (this.tables.mark(at, this)) isMarked = true;
        }
        addr = this.tables.firstMapped(stop, end);
      }
    }
    this.flush();
    return isMarked;
  }

  /** Clears the mark of a page that its file has again. */
  isBackInFile(addr: number): boolean {
    const at = Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
    const page = this.tables.pageAt(at), prot = this.#mappings.protectionAt(addr);
    if (page < 0 || prot < 0 || this.#machine.windows.bytesOfFile(page) <= 0) return false;
    this.tables.protect(at, PAGE_SIZE, prot, this);
    return true;
  }

  /** Host address of a byte that the guest could read, or -1. */
  #hostAddress(addr: number): number {
    const offset = addr % PAGE_SIZE, page = this.tables.pageAt(addr - offset);
    return page < 0 ? -1 : this.#machine.memory.hostAddress(page) + offset;
  }

  /** A byte of the guest's code, or -1. */
  codeByte(addr: number): number {
    const host = addr < USER_END ? this.#hostAddress(addr) : -1;
    return host < 0 ? -1 : load8(host);
  }

  /** An aligned u64 of the guest's memory, or -1. */
  readWord(addr: number): number {
    const host = addr < USER_END && addr % 8 === 0 ? this.#hostAddress(addr) : -1;
    return host < 0 ? -1 : load64(host);
  }
}
