/** Tests of fork_slices.ts: a fork in several turns, with writes of another thread between them. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import { ForkWork, isQuickFork } from "./fork_slices.ts";
import type { MemoryManager } from "./memory_manager.ts";

const BASE = 0x100000000, AREAS = 1200;
const RW = PROT_READ | PROT_WRITE, ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const FIXED = ANON | M.MAP_FIXED | M.MAP_NORESERVE;

/** Makes areas of one page each with alternating protections; each page holds its number. */
function withAreas(test: (lab: MemoryLab, mm: MemoryManager) => void): void {
  const lab = new MemoryLab(), mm = lab.newManager();
  mm.mmap(BASE, AREAS * PAGE_SIZE, RW, FIXED, null, 0);
  for (let k = 0; k < AREAS; k++) mm.store32(BASE + k * PAGE_SIZE, k);
  for (let k = 0; k < AREAS; k += 2) mm.mprotect(BASE + k * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  test(lab, mm);
  lab.close();
}

/** Runs the fork to its end and calls `between` between the turns; returns the number of turns. */
function run(work: ForkWork, between: (turn: number) => void): number {
  let turns = 1;
  for (; !work.run(); turns++) between(turns);
  return turns;
}

Deno.test("a large memory is forked in turns, and each side then sees its own writes only", () =>
  withAreas((lab, mm) => {
    assert(!isQuickFork(mm));
    const work = new ForkWork(TEST_ACCOUNT, mm), guest = new GuestSimulator(mm);
    // Another thread writes to a page that is shared already, and to one that is not yet.
    const turns = run(work, (turn) => {
      assertEquals(guest.write(BASE + 3 * PAGE_SIZE + turn, 100 + turn), 0);
      assertEquals(guest.write(BASE + (AREAS - 1) * PAGE_SIZE + turn, 100 + turn), 0);
    });
    assert(turns > 4);
    const child = work.child!, other = new GuestSimulator(child);
    assertEquals(child.vmas.length, mm.vmas.length);
    for (let k = 0; k < AREAS; k += 7) {
      assertEquals(other.read(BASE + k * PAGE_SIZE), k & 255);
      assertEquals(child.load32(BASE + k * PAGE_SIZE) & 255, k & 255);
    }
    // The page as it was in the turn in which it was shared, in the host's table and in the
    // kernel's.
    assertEquals([other.read(BASE + 3 * PAGE_SIZE + 1), child.load8(BASE + 3 * PAGE_SIZE + 1)], [
      0,
      0,
    ]);
    assertEquals(guest.read(BASE + 3 * PAGE_SIZE + 1), 101);
    const last = BASE + (AREAS - 1) * PAGE_SIZE + 1;
    assertEquals([other.read(last), child.load8(last), guest.read(last)], [101, 101, 101]);
    assertEquals(other.write(BASE + 5 * PAGE_SIZE, 77), 0);
    assertEquals(guest.write(BASE + 7 * PAGE_SIZE, 78), 0);
    assertEquals([guest.read(BASE + 5 * PAGE_SIZE), other.read(BASE + 7 * PAGE_SIZE)], [5, 7]);
    child.destroy();
    mm.destroy();
    assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  }));

Deno.test("areas with MADV_DONTFORK are missing in a child, and files stay mapped", () =>
  withAreas((lab, mm) => {
    const file = new HostFileBacking(lab, new Uint8Array(4 * PAGE_SIZE).fill(9));
    const at = mm.mmap(0, 4 * PAGE_SIZE, RW, M.MAP_PRIVATE, file, 0);
    mm.store8(at + PAGE_SIZE, 10);
    mm.madvise(BASE + PAGE_SIZE, PAGE_SIZE, M.MADV_DONTFORK);
    mm.madvise(BASE + 3 * PAGE_SIZE, PAGE_SIZE, M.MADV_WIPEONFORK);
    const work = new ForkWork(TEST_ACCOUNT, mm);
    run(work, () => {});
    const child = work.child!, other = new GuestSimulator(child);
    assertEquals(other.read(BASE + PAGE_SIZE), -11);
    assertEquals([other.read(BASE + 3 * PAGE_SIZE), other.read(BASE + 5 * PAGE_SIZE)], [0, 5]);
    assertEquals([other.read(at), other.read(at + PAGE_SIZE)], [9, 10]);
    assertEquals(child.counters.total, mm.counters.total - 1);
  }));

Deno.test("a fork that ends before its last turn gives everything back", () =>
  withAreas((lab, mm) => {
    for (const stop of [1, 3, 6]) {
      const work = new ForkWork(TEST_ACCOUNT, mm);
      for (let turn = 0; turn < stop; turn++) work.run();
      work.discard();
    }
    assertEquals(mm.pages.changed, null);
    for (let k = 0; k < AREAS; k++) assertEquals(mm.load32(BASE + k * PAGE_SIZE), k);
    mm.destroy();
    assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  }));
