/** Tests of fork(2) of memory, copy on write, mremap(2), the stack and madvise(2). */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { ACCESS_WRITE } from "../../platform/platform.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import { MemoryManager } from "./memory_manager.ts";
import { setUpStack } from "./stack.ts";

const MIB = 1 << 20;
const RW = PROT_READ | PROT_WRITE, ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const SEGV = -11;

function forked(mm: MemoryManager): MemoryManager {
  const child = mm.fork(TEST_ACCOUNT);
  assert(child instanceof MemoryManager);
  return child;
}

Deno.test("after a fork both sides see the old data and only their own writes", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0, 4 * MIB, RW, ANON, null, 0);
  for (let at = 0; at < 4 * MIB; at += 65536) guest.write(a + at, at / 65536);
  const child = forked(mm), other = new GuestSimulator(child);
  assertEquals(other.read(a + 65536 * 3), 3);
  assertEquals(guest.write(a + 65536 * 3, 100), 0);
  assertEquals(other.read(a + 65536 * 3), 3);
  assertEquals(other.write(a + 65536 * 4, 101), 0);
  assertEquals(guest.read(a + 65536 * 4), 4);
  assertEquals(mm.store8(a + 65536 * 5, 102), 0);
  assertEquals(other.read(a + 65536 * 5), 5);
  assertEquals(child.store8(a + 65536 * 6, 103), 0);
  assertEquals(guest.read(a + 65536 * 6), 6);
  assertEquals(mm.load8(a + 65536 * 6), 6);
  child.destroy();
  // The only user again: frames become writable without a copy.
  const used = lab.ctx.frames.usedBytes;
  assertEquals(guest.write(a + 65536 * 20, 1), 0);
  assert(lab.ctx.frames.usedBytes <= used);
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});

Deno.test("a copy of untouched memory costs no memory", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0x10000000000, 2 * MIB, RW, ANON, null, 0), { arena } = lab.ctx;
  guest.write(a, 1);
  guest.write(a + 98 * PAGE_SIZE, 4);
  const child = forked(mm), other = new GuestSimulator(child), before = arena.residentBytes();
  assertEquals(other.write(a + 100 * PAGE_SIZE, 2), 0);
  assertEquals(other.write(a + 200 * PAGE_SIZE, 3), 0);
  assertEquals(other.read(a), 1);
  assertEquals(other.read(a + 98 * PAGE_SIZE), 4);
  assert(
    arena.residentBytes() - before <= 3 * PAGE_SIZE,
    `${arena.residentBytes() - before} bytes`,
  );
  lab.close();
});

Deno.test("a sequential writer moves 64 KiB, then more at a time, and extents merge again", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0x10000000000, 2 * MIB, RW, ANON, null, 0);
  const child = forked(mm);
  for (let at = 0; at < 2 * MIB; at += PAGE_SIZE) assertEquals(guest.write(a + at, 1), 0);
  assertEquals(guest.faults, 6, "16, 32, 64, 128, 256 pages and the rest");
  assertEquals(mm.pages.length, 1);
  assertEquals(child.pages.length, 1);
  lab.close();
});

Deno.test("a writer that enters another area moves no more than a shadow has room for", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const shadowEnd = 0x10000000000, from = shadowEnd - 5 * MIB / 4, between = shadowEnd - MIB / 4;
  const to = shadowEnd + MIB;
  mm.mmap(from, between - from, RW, ANON | M.MAP_FIXED, null, 0);
  mm.mmap(between, to - between, RW | PROT_EXEC, ANON | M.MAP_FIXED, null, 0);
  for (let at = from; at < to; at += MIB / 4) assertEquals(guest.write(at, 7), 0);
  const child = forked(mm), other = new GuestSimulator(child);
  for (let at = from; at < to; at += PAGE_SIZE) assertEquals(other.write(at, 1), 0);
  for (let at = from; at < to; at += MIB / 4) {
    assertEquals([guest.read(at), other.read(at)], [7, 1]);
  }
  child.destroy();
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});

Deno.test("areas with MADV_DONTFORK and MADV_WIPEONFORK are not inherited as they are", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0, 6 * PAGE_SIZE, RW, ANON, null, 0);
  for (let i = 0; i < 6; i++) guest.write(a + i * PAGE_SIZE, i + 1);
  mm.madvise(a, 2 * PAGE_SIZE, M.MADV_DONTFORK);
  mm.madvise(a + 4 * PAGE_SIZE, 2 * PAGE_SIZE, M.MADV_WIPEONFORK);
  const child = forked(mm), other = new GuestSimulator(child);
  assertEquals(other.read(a), SEGV);
  assertEquals(other.read(a + 2 * PAGE_SIZE), 3);
  assertEquals(other.read(a + 4 * PAGE_SIZE), 0);
  assertEquals(guest.read(a + 4 * PAGE_SIZE), 5);
  assertEquals(guest.write(a, 9), 0);
  assertEquals(child.counters.total, 4);
  lab.close();
});

Deno.test("shared anonymous memory stays shared across fork and dies with its last user", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const used = lab.ctx.frames.usedBytes;
  const a = mm.mmap(0, 5 * PAGE_SIZE, RW, M.MAP_SHARED | M.MAP_ANONYMOUS, null, 0);
  const big = mm.mmap(0, 200 * MIB, RW, M.MAP_SHARED | M.MAP_ANONYMOUS, null, 0);
  const child = forked(mm), other = new GuestSimulator(child);
  guest.write(a + PAGE_SIZE, 5);
  assertEquals(other.read(a + PAGE_SIZE), 5);
  other.write(big + 100 * MIB, 6);
  assertEquals(mm.load8(big + 100 * MIB), 6);
  mm.futexKey(a + 8, false);
  child.futexKey(a + 8, false);
  assert(MemoryManager.sameWord(mm.key, child.key));
  child.futexKey(a + 8, true);
  assert(!MemoryManager.sameWord(mm.key, child.key));
  assertEquals(mm.futexKey(a + 1, true), -EINVAL);
  assertEquals(mm.futexKey(4096, false), -EFAULT);
  mm.destroy();
  assertEquals(other.read(a + PAGE_SIZE), 5);
  child.destroy();
  assertEquals(lab.ctx.frames.usedBytes, used);
  lab.close();
});

Deno.test("a fork whose protection is under way makes writers wait", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const a = mm.mmap(0, PAGE_SIZE, RW, ANON, null, 0);
  mm.store8(a, 5);
  mm.share();
  lab.platform.acksAtOnce = false;
  const child = forked(mm);
  assertEquals(mm.handleFault(a, ACCESS_WRITE), 0);
  assertEquals(mm.pages.flags(0), 1); // nothing was copied yet
  lab.platform.acksOnFlush = true;
  assertEquals(mm.store8(a, 6), 0);
  assertEquals(child.load8(a), 5);
  lab.close();
});

Deno.test("mremap moves, grows, shrinks and duplicates", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0, 4 * PAGE_SIZE, RW, ANON, null, 0);
  for (let i = 0; i < 4; i++) guest.write(a + i * PAGE_SIZE, i + 1);
  assertEquals(mm.mremap(a, 4 * PAGE_SIZE, 2 * PAGE_SIZE, 0, 0), a);
  assertEquals(guest.read(a + 2 * PAGE_SIZE), SEGV);
  assertEquals(mm.mremap(a, 2 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0), a);
  assertEquals(guest.read(a + 2 * PAGE_SIZE), 0);
  const wall = mm.mmap(a + 4 * PAGE_SIZE, PAGE_SIZE, PROT_NONE, ANON | M.MAP_FIXED, null, 0);
  assertEquals(wall, a + 4 * PAGE_SIZE);
  assertEquals(mm.mremap(a, 4 * PAGE_SIZE, 8 * PAGE_SIZE, 0, 0), -ENOMEM);
  const b = mm.mremap(a, 4 * PAGE_SIZE, 8 * PAGE_SIZE, M.MREMAP_MAYMOVE, 0);
  assert(b > 0 && b !== a);
  assertEquals(guest.read(b + PAGE_SIZE), 2);
  assertEquals(guest.write(b + 7 * PAGE_SIZE, 9), 0);
  assertEquals(guest.read(a), SEGV);
  const c = 0x10000000000;
  assertEquals(mm.mremap(b, 8 * PAGE_SIZE, PAGE_SIZE, M.MREMAP_MAYMOVE | M.MREMAP_FIXED, c), c);
  assertEquals(guest.read(c), 1);
  assertEquals(guest.read(b + PAGE_SIZE), SEGV);
  const keep = M.MREMAP_MAYMOVE | M.MREMAP_DONTUNMAP;
  const d = mm.mremap(c, PAGE_SIZE, PAGE_SIZE, keep, 0);
  assertEquals(guest.read(d), 1);
  assertEquals(guest.read(c), 0);
  assertEquals(mm.mremap(c, PAGE_SIZE, PAGE_SIZE, 8, 0), -EINVAL);
  assertEquals(mm.mremap(c, PAGE_SIZE, 2 * PAGE_SIZE, keep, 0), -EINVAL);
  assertEquals(mm.mremap(c, 0, PAGE_SIZE, M.MREMAP_MAYMOVE, 0), -EINVAL);
  assertEquals(mm.mremap(c, 2 * PAGE_SIZE, 3 * PAGE_SIZE, 0, 0), -EFAULT);
  assertEquals(mm.mremap(c + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, 0, 0), -EFAULT);
  const s = mm.mmap(0, PAGE_SIZE, RW, M.MAP_SHARED | M.MAP_ANONYMOUS, null, 0);
  const t = mm.mremap(s, 0, PAGE_SIZE, M.MREMAP_MAYMOVE, 0);
  assertEquals(guest.write(s, 77), 0);
  assertEquals(guest.read(t), 77);
  const file = new HostFileBacking(lab, new Uint8Array(65536).fill(8));
  const f = mm.mmap(0, 2 * PAGE_SIZE, PROT_READ, M.MAP_PRIVATE, file, PAGE_SIZE);
  mm.mmap(f + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE, ANON | M.MAP_FIXED, null, 0);
  const g = mm.mremap(f, 2 * PAGE_SIZE, 10 * PAGE_SIZE, M.MREMAP_MAYMOVE, 0);
  assertEquals(guest.read(g + 9 * PAGE_SIZE), 8);
  mm.destroy();
  assertEquals(file.holds, 0);
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});

Deno.test("the stack grows to its limit, and not into its neighbour", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  assertEquals(setUpStack(mm, 136 * 1024, RW), 0);
  const top = mm.layout.stackTop;
  mm.program.stackStart = top - 1000;
  assertEquals(mm.nameOf(mm.vmas.at(0)), "[stack]");
  assertEquals(guest.write(top - 200 * 1024, 1), 0);
  assertEquals(guest.write(top - 4 * MIB, 2), 0);
  assertEquals(mm.store8(top - 5 * MIB, 3), 0);
  assertEquals(guest.write(top - 8 * MIB, 4), 0);
  assertEquals(guest.write(top - 8 * MIB - 1, 4), SEGV);
  mm.munmap(top - 8 * MIB, 2 * MIB);
  const wall = top - 7 * MIB;
  mm.mmap(wall, PAGE_SIZE, RW, ANON | M.MAP_FIXED, null, 0);
  assertEquals(guest.write(top - 6 * MIB - PAGE_SIZE, 1), SEGV);
  // No mapping is placed in the gap below a stack.
  const b = mm.mmap(top - 6 * MIB - 2 * PAGE_SIZE, PAGE_SIZE, RW, ANON, null, 0);
  assert(b < top - 7 * MIB);
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});

Deno.test("madvise gives memory back in place", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const a = mm.mmap(0, MIB, RW, ANON, null, 0);
  guest.write(a + 5 * PAGE_SIZE, 5);
  assertEquals(mm.madvise(a, MIB, M.MADV_DONTNEED), 0);
  assertEquals(guest.read(a + 5 * PAGE_SIZE), 0);
  assertEquals(guest.faults, 0);
  guest.write(a + 5 * PAGE_SIZE, 6);
  const child = forked(mm);
  assertEquals(mm.madvise(a, MIB, M.MADV_DONTNEED), 0);
  assertEquals(guest.read(a + 5 * PAGE_SIZE), 0);
  assertEquals(child.load8(a + 5 * PAGE_SIZE), 6);
  assertEquals(mm.madvise(a, PAGE_SIZE, 7), -EINVAL);
  assertEquals(mm.madvise(a + 1, PAGE_SIZE, M.MADV_DONTNEED), -EINVAL);
  assertEquals(mm.madvise(a - PAGE_SIZE, 2 * PAGE_SIZE, M.MADV_WILLNEED), -ENOMEM);
  mm.limits.memlock = PAGE_SIZE;
  assertEquals(mm.mlock(a, 2 * PAGE_SIZE, 0, true), -ENOMEM);
  assertEquals(mm.mlock(a, PAGE_SIZE, 0, true), 0);
  assertEquals(mm.counters.locked, 1);
  assertEquals(mm.madvise(a, PAGE_SIZE, M.MADV_DONTNEED), -EINVAL);
  assertEquals(mm.mmap(0, PAGE_SIZE, RW, ANON | M.MAP_LOCKED, null, 0), -EAGAIN);
  assertEquals(mm.mlock(a, PAGE_SIZE, 0, false), 0);
  assertEquals(mm.vmas.length, 1);
  lab.close();
});

Deno.test("pages that both sides write at once are copied by fork: neither side faults", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  setUpStack(mm, 512 * 1024, RW);
  const sp = mm.layout.stackTop - 100_000;
  mm.program.stackStart = sp;
  const data = mm.mmap(0, 8 * PAGE_SIZE, RW, ANON, null, 0);
  const heap = mm.mmap(0, MIB, RW, ANON, null, 0);
  for (const at of [sp, data, heap]) guest.write(at, 1);
  const child = mm.fork(TEST_ACCOUNT, sp);
  assert(child instanceof MemoryManager);
  const other = new GuestSimulator(child);
  for (const at of [sp - 64, sp, data]) {
    assertEquals(guest.write(at, 2), 0);
    assertEquals(other.write(at, 3), 0);
    assertEquals([guest.read(at), other.read(at)], [2, 3]);
  }
  assertEquals([guest.faults, other.faults], [0, 0]);
  assertEquals(other.write(heap, 4), 0);
  assertEquals([guest.read(heap), other.faults], [1, 1]);
  // Nothing is copied while another thread could be writing.
  mm.share();
  const third = mm.fork(TEST_ACCOUNT, sp);
  assert(third instanceof MemoryManager);
  assertEquals(guest.write(data, 5), 0);
  assertEquals(guest.faults, 1);
  assertEquals(third.load8(data), 2);
  lab.platform.maxSpaces = 0;
  assertEquals(mm.fork(TEST_ACCOUNT, sp), -ENOMEM);
  for (const each of [third, child]) each.destroy();
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});
