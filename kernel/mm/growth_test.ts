/**
 * Tests of areas that grow (heap, stack, mremap) towards the platform's own range, the lowest
 * address that may be mapped and the end of user memory.
 */

import { assert, assertEquals } from "@std/assert";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { MemoryLab } from "../testing/memory_lab.ts";

const SEGV = -11, RW = PROT_READ | PROT_WRITE;
const FIXED = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_FIXED;

/** Makes a process; `from` and `to` bound the platform's own range. */
function start() {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const [from, to] = lab.platform.reserved[0]!;
  return { lab, mm, guest, from, to };
}

Deno.test("the heap ends where the platform's range begins", () => {
  const { lab, mm, guest, from } = start();
  mm.break.start = mm.break.end = from - 8 * PAGE_SIZE;
  assertEquals(mm.brk(from), from);
  assertEquals(guest.write(from - 1, 1), 0);
  for (const end of [from + 1, from + PAGE_SIZE, from + 2 ** 30, from + 2 ** 36]) {
    assertEquals(mm.brk(end), from);
  }
  assertEquals(mm.vmas.length, 1);
  assertEquals(mm.brk(from - PAGE_SIZE), from - PAGE_SIZE);
  mm.destroy();
  lab.close();
});

Deno.test("a stack above the platform's range grows down to it and no further", () => {
  const { lab, mm, guest, to } = start();
  mm.limits.stack = Infinity;
  const at = to + 64 * PAGE_SIZE;
  assertEquals(mm.mmap(at, PAGE_SIZE, RW, FIXED | M.MAP_GROWSDOWN, null, 0), at);
  assertEquals(guest.write(to - 1, 1), SEGV);
  assertEquals(guest.write(to - 2 ** 20, 1), SEGV);
  assertEquals(mm.load8(to - 1), -1);
  assertEquals(guest.write(to, 1), 0);
  assertEquals(mm.vmas.at(0).start, to);
  assertEquals(guest.write(to - 1, 1), SEGV);
  mm.destroy();
  lab.close();
});

Deno.test("a stack does not grow below the lowest address that may be mapped", () => {
  const { lab, mm, guest } = start(), lowest = 0x10000;
  mm.limits.stack = Infinity;
  assertEquals(mm.mmap(0x20000, PAGE_SIZE, RW, FIXED | M.MAP_GROWSDOWN, null, 0), 0x20000);
  for (const addr of [0, 8, lowest - 1]) {
    assertEquals(guest.write(addr, 1), SEGV);
    assertEquals(mm.load8(addr), -1);
  }
  assertEquals(guest.write(lowest, 1), 0);
  mm.destroy();
  lab.close();
});

Deno.test("mremap grows neither into the platform's range nor above user memory", () => {
  const { lab, mm, from, to } = start(), max = mm.layout.maxAddress;
  const { MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP } = M;
  for (const end of [from, max]) {
    const at = end - PAGE_SIZE;
    assertEquals(mm.mmap(at, PAGE_SIZE, RW, FIXED, null, 0), at);
    assertEquals(mm.mremap(at, PAGE_SIZE, 2 * PAGE_SIZE, 0, 0), -ENOMEM);
    const moved = mm.mremap(at, PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
    assert(moved > 0 && moved !== at);
    for (const into of [from, from - PAGE_SIZE, to - PAGE_SIZE]) {
      const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
      assertEquals(mm.mremap(moved, 2 * PAGE_SIZE, 2 * PAGE_SIZE, fixed, into), -ENOMEM);
    }
    const kept = mm.mremap(moved, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, from);
    assert(kept > 0 && (kept + PAGE_SIZE <= from || kept >= to));
  }
  mm.destroy();
  lab.close();
});
