/**
 * A platform without guest processes, for unit tests: an address space records its mappings in a
 * table, page by page, and checks that changes are legal. `GuestSimulator` accesses memory through
 * that table as a processor would.
 */

import { mmap, munmap } from "../../ffi/sys/files.ts";
import {
  MAP_SHARED,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_READ as HOST_READ,
  PROT_WRITE,
  PROT_WRITE as HOST_WRITE,
} from "../../ffi/abi/mman.ts";
import { AddressSpace, type Context, type Platform, type Thunks } from "../../platform/platform.ts";
import { load8, store8 } from "../../ffi/mem/native_memory.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";

/** The host's mapping of one page. */
interface HostPage {
  /** The registered file, or -1 for the arena. */
  readonly file: number;
  /** The arena or file offset of the page. */
  readonly offset: number;
  readonly prot: number;
}

export class FakeSpace extends AddressSpace {
  readonly table: Map<number, HostPage> = new Map();
  readonly platform: FakePlatform;
  seq: number = 0;
  ackedSeq: number = 0;
  broken: boolean = false;
  isDestroyed: boolean = false;
  /** No guest code can have run: no queued change was made yet. */
  isFresh: boolean = true;
  /** The changes that were queued, for tests that count them. */
  readonly log: string[] = [];
  private readonly queue: (() => void)[] = [];
  private isApplying: boolean = false;

  constructor(platform: FakePlatform) {
    super();
    this.platform = platform;
    platform.spaces.add(this);
  }

  mapArena(addr: number, len: number, offset: number, prot: number): void {
    this.change("arena", addr, len);
    if (offset % PAGE_SIZE !== 0 || offset < 0 || offset + len > this.platform.arena.size) {
      throw new Error(`mapArena of ${offset}+${len}`);
    }
    this.fill(addr, len, -1, offset, prot);
  }

  mapFile(addr: number, len: number, file: number, offset: number, prot: number): void {
    this.change("file", addr, len);
    if (!this.platform.files.has(file)) throw new Error(`mapFile of unknown file ${file}`);
    if (offset % PAGE_SIZE !== 0 || offset < 0) throw new Error(`mapFile at offset ${offset}`);
    this.fill(addr, len, file, offset, prot);
  }

  private fill(addr: number, len: number, file: number, offset: number, prot: number): void {
    if (this.defers(() => this.fill(addr, len, file, offset, prot))) return;
    for (let i = 0; i < len / PAGE_SIZE; i++) {
      this.table.set(addr / PAGE_SIZE + i, { file, offset: offset + i * PAGE_SIZE, prot });
    }
  }

  useThunks(_thunks: Thunks): void {}
  unmap(addr: number, len: number): void {
    this.change("unmap", addr, len);
    this.clear(addr, len);
  }

  private clear(addr: number, len: number): void {
    if (this.defers(() => this.clear(addr, len))) return;
    if (len / PAGE_SIZE > this.table.size) {
      for (const page of this.table.keys()) {
        if (page >= addr / PAGE_SIZE && page < (addr + len) / PAGE_SIZE) this.table.delete(page);
      }
      return;
    }
    for (let page = addr / PAGE_SIZE; page < (addr + len) / PAGE_SIZE; page++) {
      this.table.delete(page);
    }
  }

  /** Throws when a part is not mapped, where the host would fail. */
  protect(addr: number, len: number, prot: number): void {
    this.change("protect", addr, len);
    this.restrict(addr, len, prot);
  }

  private restrict(addr: number, len: number, prot: number): void {
    if (this.defers(() => this.restrict(addr, len, prot))) return;
    for (let page = addr / PAGE_SIZE; page < (addr + len) / PAGE_SIZE; page++) {
      const entry = this.table.get(page);
      if (entry === undefined) throw new Error(`protect of unmapped page ${page}`);
      this.table.set(page, { file: entry.file, offset: entry.offset, prot });
    }
  }

  private change(what: string, addr: number, len: number): void {
    if (this.isDestroyed) throw new Error(`${what} after destroy`);
    if (addr % PAGE_SIZE !== 0 || len % PAGE_SIZE !== 0 || len <= 0 || addr < 0) {
      throw new Error(`${what} at ${addr}+${len}`);
    }
    for (const [from, to] of this.platform.reserved) {
      if (addr < to && from < addr + len) throw new Error(`${what} over the platform's pages`);
    }
    if (addr + len > this.platform.maxUserAddress) throw new Error(`${what} above user memory`);
    this.log.push(`${what} ${addr.toString(16)}+${len.toString(16)}`);
    this.seq++;
    if (this.platform.acksAtOnce) this.ackedSeq = this.seq;
  }

  /** Queues a change until `flush`, when the platform is lazy. */
  private defers(change: () => void): boolean {
    if (!this.platform.isLazy || this.isApplying) return false;
    this.queue.push(change);
    return true;
  }

  flush(): void {
    if (this.isDestroyed) return;
    this.isFresh = false;
    this.isApplying = true;
    for (const change of this.queue) change();
    this.queue.length = 0;
    this.isApplying = false;
    if (this.platform.acksOnFlush) this.ackedSeq = this.seq;
  }

  fork(): FakeSpace | null {
    if (this.platform.spaces.size >= this.platform.maxSpaces) return null;
    if (this.platform.isLazy) this.flush();
    const child = new FakeSpace(this.platform);
    for (const [page, entry] of this.table) child.table.set(page, entry);
    return child;
  }

  newContext(): Context | null {
    return this.platform.contextMaker?.(this) ?? null;
  }

  destroy(): void {
    this.isDestroyed = true;
    this.seq++;
    if (this.platform.acksAtOnce) this.die();
  }

  /** Ends the host process. */
  die(): void {
    this.queue.length = 0;
    this.table.clear();
    this.platform.spaces.delete(this);
    this.ackedSeq = this.seq;
  }

  get mappingCount(): number {
    return this.log.length > 0 ? 1 : 0;
  }

  hostPid = 0;
}

/** Thunks in which all sites have the same entry. */
class FakeThunks implements Thunks {
  count: number = 0;
  tableCount: number = 0;
  isTableFull: boolean = true;
  isReleased: boolean = false;
  private readonly platform: FakePlatform;

  constructor(platform: FakePlatform) {
    this.platform = platform;
  }

  find(_before: number, _returnAddr: number): number {
    return 0;
  }
  get(_before: number, _returnAddr: number): number {
    const { thunkAddress } = this.platform;
    if (thunkAddress === 0) return 0;
    this.count++;
    this.tableCount = 1;
    this.isTableFull = false;
    return thunkAddress;
  }
  release(): void {
    this.isReleased = true;
  }
}

export class FakePlatform implements Platform {
  readonly name = "fake";
  readonly isInProcess = false;
  readonly maxUserAddress = 0x7ffe00000000;
  readonly reserved: readonly (readonly [number, number])[] = [[0x60060000, 0x60080000]];
  readonly fpuSize: number = 832;
  readonly runningCount: number = 0;
  readonly sleepCostNs = 50_000;
  readonly doorbellFd = -1;
  readonly endsFd = -1;
  readonly guestCpu = -1;
  readonly guestGapNs = -1;
  readonly arena: Arena;
  readonly spaces: Set<FakeSpace> = new Set();
  /** Makes contexts for tests with tasks; without it there are no threads. */
  contextMaker: ((space: FakeSpace) => Context) | null = null;
  /** The registered files: handle -> host fd. */
  readonly files: Map<number, number> = new Map();
  maxSpaces: number = Infinity;
  acksAtOnce: boolean = true;
  acksOnFlush: boolean = false;
  /** Changes are made at `flush` only, as by a mapper that runs later. */
  isLazy: boolean = false;
  /** The thunk address of all sites; 0: nothing is patched. */
  thunkAddress: number = 0;
  private nextFile: number = 1;

  constructor(arena: Arena) {
    this.arena = arena;
  }

  newAddressSpace(): FakeSpace {
    return new FakeSpace(this);
  }
  newTemplate(): FakeSpace {
    return new FakeSpace(this);
  }
  poll(): Context | null {
    return null;
  }
  prepareSleep(): boolean {
    return true;
  }
  finishSleep(): void {}
  reap(): void {}
  setSpinBudget(_ns: number): void {}
  setLoopCpu(_cpu: number): void {}
  registerFile(hostFd: number): number {
    this.files.set(this.nextFile, hostFd);
    return this.nextFile++;
  }
  unregisterFile(file: number): void {
    this.files.delete(file);
  }
  newThunks(): FakeThunks {
    return new FakeThunks(this);
  }
  isKicking: boolean = false;
  tick(_nowNs: number): void {}
  destroy(): void {}
}

/**
 * Accesses guest memory as a processor would: through the host's table, with faults that the memory
 * manager handles.
 */
export class GuestSimulator {
  readonly mm: MemoryManager;
  private readonly space: FakeSpace;
  /** The faults that the manager had to resolve. */
  faults: number = 0;

  constructor(mm: MemoryManager) {
    if (!(mm.space instanceof FakeSpace)) throw new Error("not a fake space");
    this.mm = mm;
    this.space = mm.space;
  }

  /** The byte at `addr`, or minus the signal of the access. */
  read(addr: number): number {
    return this.access(addr, PROT_READ, -1);
  }
  /** 0, or minus a signal. */
  write(addr: number, value: number): number {
    return this.access(addr, PROT_WRITE, value);
  }
  /** 0 when an instruction could be fetched, or minus a signal. */
  execute(addr: number): number {
    const r = this.access(addr, PROT_EXEC, -1);
    return r < 0 ? r : 0;
  }

  private access(addr: number, kind: number, value: number): number {
    const page = Math.floor(addr / PAGE_SIZE);
    this.space.flush();
    for (let attempt = 0; attempt < 100; attempt++) {
      const entry = this.space.table.get(page);
      let hostSigno = 11;
      if (entry !== undefined && permits(entry.prot, kind)) {
        const r = this.touch(entry, addr - page * PAGE_SIZE, value);
        if (r >= 0) return r;
        hostSigno = 7;
      }
      this.faults++;
      const signo = this.mm.handleFault(addr, kind, hostSigno);
      if (signo !== 0) return -signo;
      this.space.flush();
    }
    throw new Error(`no progress at ${addr.toString(16)}`);
  }

  private touch(entry: HostPage, at: number, value: number): number {
    const { platform } = this.space;
    if (entry.file < 0) {
      const host = platform.arena.base + entry.offset + at;
      return value < 0 ? load8(host) : store8(host, value);
    }
    const prot = HOST_READ | (value < 0 ? 0 : HOST_WRITE);
    const fd = platform.files.get(entry.file)!;
    const host = mmap(0, PAGE_SIZE, prot, MAP_SHARED, fd, entry.offset);
    if (host < 0) return host;
    const r = value < 0 ? load8(host + at) : store8(host + at, value);
    munmap(host, PAGE_SIZE);
    return r;
  }
}

/** As on x86, every page that can be accessed can be read. */
function permits(prot: number, kind: number): boolean {
  return kind === PROT_READ ? prot !== PROT_NONE : (prot & kind) !== 0;
}
