/**
 * Tests of mmap(2), munmap(2), mprotect(2), brk(2) and of faults, with simulated guests on a fake
 * platform.
 */

import { assert, assertEquals } from "@std/assert";
import { EACCES, EEXIST, EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { FrameFileBacking, HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { mapBackedRange } from "./populate.ts";

const MIB = 1 << 20;
const RW = PROT_READ | PROT_WRITE, ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const SEGV = -11, BUS = -7;

function maps(mm: MemoryManager, base: number): string[] {
  return mm.vmas.list.map((v) =>
    `${(v.start - base) / PAGE_SIZE}-${(v.end - base) / PAGE_SIZE} ${v.prot}`
  );
}

Deno.test("private anonymous memory is mapped at once and takes no faults", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0, 100_000, RW, ANON, null, 0);
  assert(a > 0);
  assertEquals(guest.read(a), 0);
  assertEquals(guest.write(a + 99_999, 7), 0);
  assertEquals(mm.load8(a + 99_999), 7);
  mm.store32(a + 4094, 0x01020304);
  assertEquals(guest.read(a + 4095), 3);
  assertEquals(guest.read(a + 4097), 1);
  assertEquals(guest.faults, 0);
  assertEquals(mm.munmap(a, 100_000), 0);
  assertEquals(guest.read(a), SEGV);
  assertEquals(mm.fault.code, 1);
  assertEquals(mm.load8(a), -1);
  assertEquals(mm.vmas.length, 0);
  assertEquals(lab.spaceOf(mm).table.size, 0);
  mm.destroy();
  lab.close();
});

Deno.test("a terabyte of PROT_NONE costs nothing, and parts of it can be granted", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const used = lab.ctx.frames.usedBytes;
  const a = mm.mmap(0, 2 ** 40, PROT_NONE, ANON | M.MAP_NORESERVE, null, 0);
  assert(a > 0);
  assertEquals(lab.ctx.frames.usedBytes, used);
  assertEquals(guest.read(a + 5 * 2 ** 30), SEGV);
  assertEquals(mm.fault.code, 2);
  assertEquals(mm.mprotect(a + 2 ** 30, 64 * MIB, RW), 0);
  assertEquals(guest.write(a + 2 ** 30, 5), 0);
  assertEquals(guest.write(a + 2 ** 30 + 3 * MIB, 6), 0);
  assertEquals(guest.faults, 3);
  assertEquals(lab.ctx.frames.usedBytes, used + 4 * MIB);
  assertEquals(mm.vmas.length, 3);
  assertEquals(mm.mprotect(a + 2 ** 30, 64 * MIB, PROT_NONE), 0);
  assertEquals(mm.vmas.length, 1);
  assertEquals(guest.read(a + 2 ** 30), SEGV);
  assertEquals(mm.munmap(a, 2 ** 40), 0);
  assertEquals(lab.ctx.frames.usedBytes, used);
  lab.close();
});

for (const [name, kind] of [["private", M.MAP_PRIVATE], ["shared", M.MAP_SHARED]] as const) {
  Deno.test(`large ${name} memory used from front to back takes ever fewer faults`, () => {
    const lab = new MemoryLab(512 * MIB), mm = lab.newManager(), guest = new GuestSimulator(mm);
    const used = lab.ctx.frames.usedBytes, { frames } = lab.ctx;
    const a = mm.mmap(0x10000000000, 160 * MIB, RW, kind | M.MAP_ANONYMOUS, null, 0);
    const reserved: number[] = [];
    for (let at = 0; at < 160 * MIB; at += MIB) {
      const { faults } = guest;
      assertEquals(guest.write(a + at, at / MIB), 0);
      if (guest.faults > faults) reserved.push((frames.usedBytes - used) / MIB);
    }
    assertEquals(reserved, [2, 4, 8, 16, 32, 64, 96, 128, 160]);
    for (let at = 0; at < 160 * MIB; at += MIB) assertEquals(guest.read(a + at), at / MIB);
    assertEquals(mm.munmap(a, 160 * MIB), 0);
    lab.close();
  });

  Deno.test(`large ${name} memory used here and there is given by chunks`, () => {
    const lab = new MemoryLab(512 * MIB), mm = lab.newManager(), guest = new GuestSimulator(mm);
    const used = lab.ctx.frames.usedBytes, { frames } = lab.ctx;
    const a = mm.mmap(0x10000000000, 160 * MIB, RW, kind | M.MAP_ANONYMOUS, null, 0);
    for (let at = 150 * MIB; at >= 0; at -= 10 * MIB) assertEquals(guest.write(a + at, 1), 0);
    assertEquals(frames.usedBytes - used, 32 * MIB);
    // Chunks that have frames keep them when the memory in front of them is filled.
    for (let at = 0; at < 20 * MIB; at += MIB) {
      assertEquals(guest.read(a + at), at % (10 * MIB) === 0 ? 1 : 0);
    }
    lab.close();
  });
}

Deno.test("growing into a populated chunk needs no more faults", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0x10000000000, 8 * MIB, PROT_NONE, ANON, null, 0);
  mm.mprotect(a, 132 * 1024, RW);
  assertEquals(guest.write(a, 1), 0);
  const faults = guest.faults;
  mm.mprotect(a + 132 * 1024, 4096 * 4, RW);
  assertEquals(guest.write(a + 132 * 1024 + 5, 1), 0);
  assertEquals(guest.faults, faults);
  assertEquals(maps(mm, a), [`0-37 3`, `37-2048 0`]);
  lab.close();
});

Deno.test("areas split and merge as Linux shows them", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const a = mm.mmap(0, 10 * PAGE_SIZE, RW, ANON, null, 0);
  assertEquals(mm.mprotect(a + 2 * PAGE_SIZE, 3 * PAGE_SIZE, PROT_READ), 0);
  assertEquals(maps(mm, a), ["0-2 3", "2-5 1", "5-10 3"]);
  assertEquals(mm.mprotect(a + 3 * PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
  assertEquals(maps(mm, a), ["0-2 3", "2-3 1", "3-4 0", "4-5 1", "5-10 3"]);
  assertEquals(mm.mprotect(a, 10 * PAGE_SIZE, RW), 0);
  assertEquals(maps(mm, a), ["0-10 3"]);
  assertEquals(mm.munmap(a + 4 * PAGE_SIZE, PAGE_SIZE), 0);
  assertEquals(maps(mm, a), ["0-4 3", "5-10 3"]);
  assertEquals(mm.mprotect(a, 10 * PAGE_SIZE, PROT_READ), -ENOMEM);
  assertEquals(maps(mm, a), ["0-4 1", "5-10 3"]);
  assertEquals(
    mm.mmap(a + 4 * PAGE_SIZE, PAGE_SIZE, PROT_READ, ANON | M.MAP_FIXED, null, 0),
    a + 4 * PAGE_SIZE,
  );
  assertEquals(maps(mm, a), ["0-5 1", "5-10 3"]);
  assertEquals(mm.counters.total, 10);
  assertEquals(mm.counters.data, 5);
  // Memory that was written stays counted as committed, and does not merge with memory that never
  // was writable.
  assertEquals(mm.store8(a + 6 * PAGE_SIZE, 1), 0);
  assertEquals(mm.mprotect(a + 5 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
  assertEquals(maps(mm, a), ["0-5 1", "5-6 1", "6-10 3"]);
  lab.close();
});

Deno.test("bad arguments of mmap give the errors of Linux", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const top = lab.platform.maxUserAddress;
  const fixed = ANON | M.MAP_FIXED;
  assertEquals(mm.mmap(0, 0, RW, ANON, null, 0), -EINVAL);
  assertEquals(mm.mmap(0, 2 ** 60, RW, ANON, null, 0), -ENOMEM);
  assertEquals(mm.mmap(0, PAGE_SIZE, RW, M.MAP_ANONYMOUS, null, 0), -EINVAL);
  assertEquals(
    mm.mmap(0, PAGE_SIZE, RW, M.MAP_ANONYMOUS | M.MAP_SHARED_VALIDATE, null, 0),
    -EINVAL,
  );
  assertEquals(mm.mmap(0x20001, PAGE_SIZE, RW, fixed, null, 0), -EINVAL);
  assertEquals(mm.mmap(0, PAGE_SIZE, RW, fixed, null, 0), -EPERM);
  assertEquals(mm.mmap(top - PAGE_SIZE, 2 * PAGE_SIZE, RW, fixed, null, 0), -ENOMEM);
  assertEquals(mm.mmap(2 ** 63, PAGE_SIZE, RW, fixed, null, 0), -ENOMEM);
  assertEquals(mm.mmap(0x60060000, PAGE_SIZE, RW, fixed, null, 0), -ENOMEM);
  assertEquals(mm.mmap(0, 100 * 2 ** 30, RW, ANON, null, 0), -ENOMEM);
  const a = mm.mmap(0, PAGE_SIZE, RW, ANON, null, 0);
  assertEquals(mm.mmap(a, PAGE_SIZE, RW, ANON | M.MAP_FIXED_NOREPLACE, null, 0), -EEXIST);
  assertEquals(mm.mmap(a, PAGE_SIZE, RW, ANON, null, 0), a - PAGE_SIZE);
  assertEquals(mm.munmap(a + 1, PAGE_SIZE), -EINVAL);
  assertEquals(mm.munmap(a, 0), -EINVAL);
  assertEquals(mm.munmap(2 ** 63, PAGE_SIZE), -EINVAL);
  mm.limits.as = 3 * PAGE_SIZE;
  assertEquals(mm.mmap(0, 2 * PAGE_SIZE, RW, ANON, null, 0), -ENOMEM);
  assert(mm.mmap(0, PAGE_SIZE, RW, ANON, null, 0) > 0);
  lab.close();
});

Deno.test("MAP_32BIT lies low and the platform's range is left alone", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const a = mm.mmap(0, 500 * MIB, PROT_NONE, ANON | M.MAP_32BIT, null, 0);
  assert(a >= 0x60080000 && a + 500 * MIB <= 0x80000000);
  const b = mm.mmap(0, 300 * MIB, PROT_NONE, ANON | M.MAP_32BIT, null, 0);
  assertEquals(b + 300 * MIB, 0x60060000);
  const c = mm.mmap(0x60050000, 0x20000, RW, ANON, null, 0);
  assert(c > 2 ** 32);
  lab.close();
});

Deno.test("a private file mapping is copied on write and the file is not changed", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const content = new Uint8Array(600_000);
  for (let i = 0; i < content.length; i++) content[i] = i * 7 & 0xff;
  for (const file of [new HostFileBacking(lab, content), new FrameFileBacking(lab, content)]) {
    const size = 147 * PAGE_SIZE;
    const a = mm.mmap(0, size, RW, M.MAP_PRIVATE, file, 0);
    assertEquals(guest.read(a + 5000), content[5000]);
    assertEquals(guest.write(a + 300_000, 1), 0);
    assertEquals(guest.read(a + 300_001), content[300_001]);
    assertEquals(mm.load8(a + 300_000), 1);
    assertEquals(mm.store8(a + 500_000, 9), 0);
    assertEquals(guest.read(a + 500_000), 9);
    assertEquals(guest.read(a + 599_999), content[599_999]);
    assertEquals(guest.read(a + 600_001), 0);
    const b = mm.mmap(0, 200_000, PROT_READ, M.MAP_PRIVATE, file, 299_008);
    assertEquals(guest.read(b + 992), content[300_000]);
    assertEquals(guest.write(b, 1), SEGV);
    // Small writable mappings are copied at once.
    const c = mm.mmap(0, 65536, RW, M.MAP_PRIVATE, file, PAGE_SIZE);
    const faults = guest.faults;
    assertEquals(guest.write(c + 3, 200), 0);
    assertEquals(guest.read(c + 4), content[PAGE_SIZE + 4]);
    assertEquals(guest.faults, faults);
    // Behind the end of the file there is nothing.
    const d = mm.mmap(0, 200 * PAGE_SIZE, RW, M.MAP_PRIVATE, file, 0);
    assertEquals(guest.read(d + 150 * PAGE_SIZE), BUS);
    assertEquals(mm.fault.code, 2);
    assertEquals(mm.load8(d + 150 * PAGE_SIZE), -1);
    assertEquals(mm.store8(d + 150 * PAGE_SIZE, 1), -14);
    assertEquals(mm.madvise(a, size, M.MADV_DONTNEED), 0);
    assertEquals(guest.read(a + 300_000), content[300_000]);
    for (const at of [a, d]) mm.munmap(at, 200 * PAGE_SIZE);
    mm.munmap(b, 200_000);
    mm.munmap(c, 65536);
    assertEquals(file.holds, 0);
    assertEquals(file.mappings.size, 0);
  }
  lab.close();
});

Deno.test("shared file mappings show each other's writes", () => {
  const lab = new MemoryLab(), one = lab.newManager(), two = lab.newManager();
  const g1 = new GuestSimulator(one), g2 = new GuestSimulator(two);
  const content = new Uint8Array(100_000).fill(3);
  for (const file of [new HostFileBacking(lab, content), new FrameFileBacking(lab, content)]) {
    const a = one.mmap(0, 100_000, RW, M.MAP_SHARED, file, 0);
    const b = two.mmap(0, 50_000, RW, M.MAP_SHARED, file, 8192);
    assertEquals(g1.write(a + 8192 + 77, 50), 0);
    assertEquals(g2.read(b + 77), 50);
    assertEquals(two.store8(b + 78, 51), 0);
    assertEquals(g1.read(a + 8192 + 78), 51);
    one.futexKey(a + 8192, false);
    two.futexKey(b, false);
    assertEquals([one.key.owner, one.key.offset], [two.key.owner, two.key.offset]);
    file.truncate(8192);
    assertEquals(g2.read(b + 77), BUS);
    assertEquals(g1.read(a), 3);
    assertEquals(one.load8(a + 8192), -1);
    const ro = one.mmap(0, PAGE_SIZE, PROT_READ, M.MAP_SHARED, file, 0, PROT_READ | PROT_EXEC);
    assertEquals(one.mprotect(ro, PAGE_SIZE, RW), -EACCES);
    assertEquals(
      one.mmap(0, PAGE_SIZE, RW, M.MAP_SHARED, file, 0, PROT_READ),
      -EACCES,
    );
  }
  one.destroy();
  two.destroy();
  lab.close();
});

Deno.test("the heap grows in one piece and shrinks", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  mm.break.start = mm.break.end = 0x555555600000;
  let end = mm.brk(0);
  assertEquals(end, 0x555555600000);
  for (let i = 0; i < 100; i++) {
    assertEquals(mm.brk(end + 0x5001), end + 0x5001);
    end += 0x5001;
    assertEquals(guest.write(end - 1, i), 0);
  }
  assertEquals(mm.vmas.length, 1);
  assertEquals(mm.nameOf(mm.vmas.at(0)), "[heap]");
  assert(mm.pages.length < 4, `${mm.pages.length} extents`);
  assertEquals(guest.faults, 0);
  assertEquals(mm.brk(0x555555601000), 0x555555601000);
  assertEquals(guest.read(0x555555600fff), 0);
  assertEquals(guest.read(0x555555601000), SEGV);
  assertEquals(mm.brk(0x555555610000), 0x555555610000);
  assertEquals(guest.read(0x555555605000), 0);
  mm.limits.data = 0x20000;
  assertEquals(mm.brk(0x555555640000), 0x555555610000);
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});

Deno.test("frames of a mapping that cannot be had are a kill, not an exception", () => {
  const lab = new MemoryLab(8 * MIB), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0, 64 * MIB, RW, ANON, null, 0);
  assert(a > 0);
  let last = 0;
  for (let at = a; at < a + 64 * MIB && last === 0; at += PAGE_SIZE) last = guest.write(at, 1);
  assertEquals(last, -9);
  assertEquals(mm.munmap(a, 64 * MIB), 0);
  assert(mm.mmap(0, MIB, RW, ANON, null, 0) > 0);
  lab.close();
});

Deno.test("munmap of everything leaves the platform's pages alone", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const file = new HostFileBacking(lab, new Uint8Array(3 * PAGE_SIZE));
  const flags = M.MAP_FIXED | M.MAP_PRIVATE;
  const low = 0x400000, high = 0x70000000;
  mm.mmap(low, 8 * PAGE_SIZE, RW, flags | M.MAP_ANONYMOUS, null, 0);
  mm.mmap(high, 3 * PAGE_SIZE, PROT_READ, flags, file, 0);
  mm.mmap(0x61000000, MIB, PROT_NONE, flags | M.MAP_ANONYMOUS, null, 0);
  const changes = lab.spaceOf(mm).log.length;
  assertEquals(mm.munmap(0x61000000, MIB), 0);
  assertEquals(lab.spaceOf(mm).log.length, changes);
  assertEquals(guest.read(high), 0);
  assertEquals(mm.munmap(0, 2 ** 40), 0);
  assertEquals(mm.vmas.length, 0);
  assertEquals(lab.spaceOf(mm).table.size, 0);
  file.close();
  lab.close();
});

Deno.test("a large shared mapping is looked through by pieces", () => {
  const lab = new MemoryLab(64 << 20), mm = lab.newManager(), size = 256 << 20;
  const at = mm.mmap(0, size, RW, M.MAP_SHARED | M.MAP_ANONYMOUS, null, 0);
  const vma = mm.vmas.find(at)!, backing = vma.backing!, frame = backing.frame.bind(backing);
  assertEquals(mm.store8(at + (100 << 20), 7), 0);
  let looks = 0;
  backing.frame = (offset, write) => {
    looks++;
    return frame(offset, write);
  };
  mapBackedRange(mm, vma, at / PAGE_SIZE, (at + size) / PAGE_SIZE);
  assert(looks < 200, `${looks} looks`);
  assertEquals(mm.load8(at + (100 << 20)), 7);
  lab.close();
});
