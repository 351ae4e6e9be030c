/**
 * Random sequences of memory calls by several processes, compared with a simple model of the
 * memory's contents. mm/property_test.ts runs it on the fake platform, mm/platform_test.ts on real
 * ones.
 */

import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { load8 } from "../../ffi/mem/native_memory.ts";
import type { Platform } from "../../platform/platform.ts";
import { FrameFileBacking, HostFileBacking, type Lab } from "./memory_lab.ts";
import type { Backing } from "../mm/backing.ts";
import { freezePages } from "../mm/freeze.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { PAGE_FILE, PAGE_SHARED } from "../mm/pages.ts";

const BASE = 0x10000000000, PAGES = 400;
const PROTS = [
  PROT_NONE,
  PROT_READ,
  PROT_READ | PROT_WRITE,
  PROT_READ | PROT_WRITE,
  PROT_READ | PROT_EXEC,
  PROT_WRITE,
];

class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed;
  }
  below(n: number): number {
    this.state = Math.imul(this.state, 1664525) + 1013904223 >>> 0;
    return Math.floor(this.state / 2 ** 32 * n);
  }
}

/** A byte that several pages of several processes may share. */
class Cell {
  value: number;
  /** All its values so far: a private mapping may show an older one (mmap(2): unspecified). */
  readonly past: Set<number> = new Set();
  constructor(value: number) {
    this.value = value;
    this.past.add(value);
  }
  set(value: number): void {
    this.value = value;
    this.past.add(value);
  }
}

/** One byte of each page stands for the page. */
class ModelPage {
  cell: Cell;
  prot: number;
  readonly isShared: boolean;
  /** The source of the page's contents after MADV_DONTNEED; null: zeros. */
  readonly source: Cell | null;
  constructor(cell: Cell, prot: number, isShared: boolean, source: Cell | null) {
    this.cell = cell;
    this.prot = prot;
    this.isShared = isShared;
    this.source = source;
  }
  accepts(value: number): boolean {
    const isFilePage = !this.isShared && this.cell === this.source;
    return isFilePage ? this.cell.past.has(value) : this.cell.value === value;
  }
  /** The page of a child after fork(2). */
  forked(): ModelPage {
    const isOwn = !this.isShared && this.cell !== this.source;
    const cell = isOwn ? new Cell(this.cell.value) : this.cell;
    return new ModelPage(cell, this.prot, this.isShared, this.source);
  }
}

type Model = Map<number, ModelPage>;
export type Owners = Map<number, MemoryManager[]>;

/** A guest thread that accesses memory: returns the value, 0, or minus the signal. */
export interface Guest {
  read(addr: number): number;
  write(addr: number, value: number): number;
}

export class Process {
  readonly mm: MemoryManager;
  readonly guest: Guest;
  readonly model: Model;
  constructor(mm: MemoryManager, guest: Guest, model: Model) {
    this.mm = mm;
    this.guest = guest;
    this.model = model;
  }
}

/** What a snapshot inside the process does with memory: it holds the frames as they are. */
class HeldFrames {
  private readonly lab: Lab<Platform>;
  /** Offset and first tested byte of each page; a page may be held several times. */
  private readonly pages: number[] = [];

  constructor(lab: Lab<Platform>) {
    this.lab = lab;
  }

  hold(offset: number, count: number): void {
    this.lab.ctx.frames.pool.hold(offset / PAGE_SIZE, count);
    for (let at = offset; at < offset + count * PAGE_SIZE; at += PAGE_SIZE) {
      this.pages.push(at, this.byteAt(at));
    }
  }

  /** Checks that no page was written. */
  check(): void {
    const { pages } = this;
    for (let i = 0; i < pages.length; i += 2) {
      assertEquals(this.byteAt(pages[i]!), pages[i + 1], "a frame of a snapshot was written");
    }
  }

  release(): void {
    const { pages, lab: { ctx: { frames: { pool } } } } = this;
    for (let i = 0; i < pages.length; i += 2) pool.drop(pages[i]! / PAGE_SIZE, 1);
  }

  private byteAt(offset: number): number {
    return load8(this.lab.arena.base + offset + 17);
  }
}

/** Runs `steps` random calls; a failure names seed and step. */
export function explore(world: World, seed: number, steps: number): void {
  let step = 0;
  try {
    for (; step < steps; step++) {
      world.step();
      if (step % 100 === 99) world.check();
    }
    world.close();
  } catch (error) {
    throw new Error(`seed ${seed}, step ${step}`, { cause: error });
  }
}

export abstract class World {
  readonly lab: Lab<Platform>;
  readonly random: Random;
  readonly processes: Process[] = [];
  /** The contents of each page of a backing. */
  readonly cellsOf: Map<Backing, Cell[]> = new Map();
  readonly files: { backing: Backing; cells: Cell[] }[] = [];
  private readonly snapshots: HeldFrames[] = [];

  constructor(lab: Lab<Platform>, seed: number) {
    this.lab = lab;
    this.random = new Random(seed);
    for (const isHost of [true, false]) {
      const pages = 100, bytes = new Uint8Array(pages * PAGE_SIZE), cells: Cell[] = [];
      for (let i = 0; i < pages; i++) {
        bytes[i * PAGE_SIZE + 17] = i + 1;
        cells.push(new Cell(i + 1));
      }
      const backing = isHost
        ? new HostFileBacking(this.lab, bytes)
        : new FrameFileBacking(this.lab, bytes);
      this.files.push({ backing, cells });
      this.cellsOf.set(backing, cells);
    }
    const mm = lab.newManager();
    this.processes.push(new Process(mm, this.guestOf(mm, null), new Map()));
  }

  /** Makes the thread of a new process; `parent` is null for the first one. */
  abstract guestOf(mm: MemoryManager, parent: Guest | null): Guest;

  range(): [number, number] {
    const page = this.random.below(PAGES);
    const max = this.random.below(4) === 0 ? PAGES : 24;
    return [page, Math.min(PAGES - page, 1 + this.random.below(max))];
  }
  prot(): number {
    return PROTS[this.random.below(PROTS.length)]!;
  }

  map(p: Process): void {
    const [page, n] = this.range(), prot = this.prot(), addr = BASE + page * PAGE_SIZE;
    const fixed = M.MAP_FIXED | (this.random.below(5) === 0 ? M.MAP_NORESERVE : 0);
    const kind = this.random.below(6);
    if (kind < 2) {
      const flags = fixed | M.MAP_PRIVATE | M.MAP_ANONYMOUS;
      assertEquals(p.mm.mmap(addr, n * PAGE_SIZE, prot, flags, null, 0), addr);
      for (let i = 0; i < n; i++) {
        p.model.set(page + i, new ModelPage(new Cell(0), prot, false, null));
      }
      return;
    }
    if (kind === 2) {
      const flags = fixed | M.MAP_SHARED | M.MAP_ANONYMOUS;
      assertEquals(p.mm.mmap(addr, n * PAGE_SIZE, prot, flags, null, 0), addr);
      const cells: Cell[] = [];
      for (let i = 0; i < n; i++) {
        cells.push(new Cell(0));
        p.model.set(page + i, new ModelPage(cells[i]!, prot, true, null));
      }
      this.cellsOf.set(p.mm.vmas.find(addr)!.backing!, cells);
      return;
    }
    const { backing, cells } = this.files[this.random.below(2)]!;
    const isShared = this.random.below(2) === 0, at = this.random.below(cells.length);
    const count = Math.min(n, cells.length - at);
    const flags = fixed | (isShared ? M.MAP_SHARED : M.MAP_PRIVATE);
    assertEquals(p.mm.mmap(addr, count * PAGE_SIZE, prot, flags, backing, at * PAGE_SIZE), addr);
    for (let i = 0; i < count; i++) {
      const cell = cells[at + i]!;
      p.model.set(page + i, new ModelPage(cell, prot, isShared, cell));
    }
  }

  unmap(p: Process): void {
    const [page, n] = this.range();
    assertEquals(p.mm.munmap(BASE + page * PAGE_SIZE, n * PAGE_SIZE), 0);
    for (let i = 0; i < n; i++) p.model.delete(page + i);
  }

  protect(p: Process): void {
    const [page, n] = this.range(), prot = this.prot();
    p.mm.mprotect(BASE + page * PAGE_SIZE, n * PAGE_SIZE, prot);
    for (let i = 0; i < n; i++) {
      if (p.mm.vmas.find(BASE + (page + i) * PAGE_SIZE) === null) break;
      const entry = p.model.get(page + i);
      if (entry !== undefined) entry.prot = prot;
    }
  }

  discard(p: Process): void {
    const [page, n] = this.range();
    p.mm.madvise(BASE + page * PAGE_SIZE, n * PAGE_SIZE, M.MADV_DONTNEED);
    for (let i = 0; i < n; i++) {
      const entry = p.model.get(page + i);
      if (entry !== undefined && !entry.isShared) entry.cell = entry.source ?? new Cell(0);
    }
  }

  remap(p: Process): void {
    const [page, n] = this.range(), [target, size] = this.range();
    if (page < target + size && target < page + n) return;
    const flags = M.MREMAP_MAYMOVE | M.MREMAP_FIXED;
    const to = BASE + target * PAGE_SIZE;
    const r = p.mm.mremap(BASE + page * PAGE_SIZE, n * PAGE_SIZE, size * PAGE_SIZE, flags, to);
    if (r < 0) {
      // The target and the part that is cut off may have been unmapped before it failed.
      this.resync(p);
      return;
    }
    const moved: (ModelPage | undefined)[] = [];
    for (let i = 0; i < n; i++) moved.push(p.model.get(page + i));
    for (let i = 0; i < n; i++) p.model.delete(page + i);
    for (let i = 0; i < size; i++) p.model.delete(target + i);
    for (let i = 0; i < size; i++) {
      const entry = i < n ? moved[i] : this.grown(p, target + i);
      if (entry !== undefined) p.model.set(target + i, entry);
    }
  }

  /**
   * A page that mremap(2) added: of the same file, or new. Undefined: behind the end of the file.
   */
  private grown(p: Process, page: number): ModelPage | undefined {
    const addr = BASE + page * PAGE_SIZE, vma = p.mm.vmas.find(addr)!;
    if (vma.backing === null) return new ModelPage(new Cell(0), vma.prot, false, null);
    const offset = (addr - vma.start + vma.offset) / PAGE_SIZE;
    const cell = this.cellsOf.get(vma.backing)![offset];
    return cell === undefined ? undefined : new ModelPage(cell, vma.prot, vma.isShared, cell);
  }

  /** Removes model pages that are not mapped any more. */
  private resync(p: Process): void {
    for (const page of p.model.keys()) {
      if (p.mm.vmas.find(BASE + page * PAGE_SIZE) === null) p.model.delete(page);
    }
  }

  touch(p: Process): void {
    const page = this.random.below(PAGES), addr = BASE + page * PAGE_SIZE + 17;
    const entry = p.model.get(page), isWrite = this.random.below(2) === 0;
    const bySentry = this.random.below(2) === 0, value = this.random.below(256);
    if (isWrite) {
      const r = bySentry ? p.mm.store8(addr, value) : p.guest.write(addr, value);
      if (entry === undefined || (entry.prot & PROT_WRITE) === 0) {
        assert(r < 0, "a write that should fail");
        return;
      }
      assertEquals(r, 0);
      if (!entry.isShared && entry.cell === entry.source) entry.cell = new Cell(value);
      entry.cell.set(value);
      return;
    }
    const r = bySentry ? p.mm.load8(addr) : p.guest.read(addr);
    if (entry === undefined || entry.prot === PROT_NONE) assert(r < 0, "a read that should fail");
    else if (!entry.accepts(r)) assertEquals(r, entry.cell.value, `page ${page}`);
  }

  fork(p: Process): void {
    if (this.processes.length >= 5) return;
    const child = p.mm.fork(TEST_ACCOUNT);
    assert(typeof child !== "number");
    const model: Model = new Map();
    for (const [page, entry] of p.model) model.set(page, entry.forked());
    this.processes.push(new Process(child, this.guestOf(child, p.guest), model));
  }

  exit(p: Process): void {
    if (this.processes.length === 1) return;
    p.mm.destroy();
    this.processes.splice(this.processes.indexOf(p), 1);
  }

  private changeSnapshots(): void {
    const { snapshots } = this, count = snapshots.length;
    if (count < 3 && this.random.below(2) === 0) this.takeSnapshot();
    else if (count > 0) this.dropSnapshot(this.random.below(count));
  }

  /** Holds all frames, as a snapshot does while no guest thread runs. */
  private takeSnapshot(): void {
    const held = new HeldFrames(this.lab), backings = new Set<Backing>();
    for (const { backing } of this.files) backings.add(backing);
    for (const { mm } of this.processes) {
      freezePages(mm);
      mm.space.flush();
      for (let i = 0; i < mm.pages.length; i++) {
        if (mm.pages.frame(i) >= 0) held.hold(mm.pages.frame(i) * PAGE_SIZE, mm.pages.count(i));
      }
      for (const { backing } of mm.vmas.list) if (backing !== null) backings.add(backing);
    }
    for (const backing of backings) {
      for (let at = 0; backing.canOwn && at < backing.size(); at += PAGE_SIZE) {
        const frame = backing.frame(at, false);
        if (frame >= 0) held.hold(frame, 1);
      }
    }
    this.snapshots.push(held);
  }

  private dropSnapshot(index: number): void {
    const { snapshots } = this;
    for (const held of snapshots.splice(index, 1)) {
      held.check();
      held.release();
    }
    if (snapshots.length === 0) assertEquals(this.lab.ctx.frames.pool.isShared, false);
  }

  step(): void {
    const p = this.processes[this.random.below(this.processes.length)]!;
    const what = this.random.below(110);
    if (what < 12) this.map(p);
    else if (what < 17) this.unmap(p);
    else if (what < 24) this.protect(p);
    else if (what < 28) this.discard(p);
    else if (what < 32) this.remap(p);
    else if (what < 35) this.fork(p);
    else if (what < 37) this.exit(p);
    else if (what < 97) this.touch(p);
    else if (what < 98) this.changeSnapshots();
    else if (what < 104) p.mm.space.flush();
    else this.lab.ctx.frames.reclaim(1 << 20);
  }

  /** Checks that memory has the contents of the model. */
  check(): void {
    for (const p of this.processes) {
      for (const [page, entry] of p.model) {
        if (entry.prot === PROT_NONE) continue;
        const got = p.mm.load8(BASE + page * PAGE_SIZE + 17);
        if (!entry.accepts(got)) assertEquals(got, entry.cell.value, `page ${page}`);
      }
    }
    for (const held of this.snapshots) held.check();
    this.checkFrames();
  }

  /** Checks that no process can reach a frame of another one. */
  checkFrames(): void {}

  /** Adds the owner of each frame that is not a page of a file, once for each page. */
  countPrivate(mm: MemoryManager, owners: Owners): void {
    for (let i = 0; i < mm.pages.length; i++) {
      const isFile = (mm.pages.flags(i) & (PAGE_SHARED | PAGE_FILE)) !== 0;
      if (isFile || mm.pages.frame(i) < 0) continue;
      for (let k = 0; k < mm.pages.count(i); k++) {
        const frame = (mm.pages.frame(i) + k) * PAGE_SIZE;
        const users = owners.get(frame) ?? [];
        users.push(mm);
        owners.set(frame, users);
      }
    }
  }

  /** Waits until all host processes are gone. */
  settle(): void {}

  close(): void {
    while (this.snapshots.length > 0) this.dropSnapshot(0);
    for (const p of this.processes) p.mm.destroy();
    this.settle();
    this.lab.ctx.frames.reclaim(Infinity);
    for (const { backing } of this.files) {
      assertEquals(backing.mappings.size, 0);
      if (backing instanceof FrameFileBacking) backing.free();
      if (backing instanceof HostFileBacking) backing.close();
    }
    assertEquals(this.lab.ctx.frames.usedBytes, PAGE_SIZE, "frames are lost");
    this.lab.close();
  }
}
