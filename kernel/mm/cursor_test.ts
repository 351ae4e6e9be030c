/**
 * Tests of cursor.ts, of scalar access to user memory (copy_user.ts), windows, mincore(2) and
 * msync(2).
 */

import { assert, assertEquals } from "@std/assert";
import { EFAULT, EINVAL, ENAMETOOLONG, ENOMEM } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_NONE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { load64 } from "../../ffi/mem/native_memory.ts";
import { FrameFileBacking, HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import { KernelCursor, UserCursor } from "./cursor.ts";
import { mincore, msync, msyncEnd, SyncRun, TURN_LOOKS } from "./residency.ts";
import type { MemoryManager } from "./memory_manager.ts";

const RW = PROT_READ | PROT_WRITE, ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;

function iovec(mm: MemoryManager, at: number, parts: [number, number][]): void {
  parts.forEach(([addr, len], i) => {
    mm.store64(at + 16 * i, addr);
    mm.store64(at + 16 * i + 8, len);
  });
}

Deno.test("scalars cross pages, and faults differ from values", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const a = mm.mmap(0, 2 * PAGE_SIZE, RW, ANON, null, 0), edge = a + PAGE_SIZE - 3;
  assertEquals(mm.store64(edge, 0x1122334455667), 0);
  assertEquals(mm.load64(edge), 0x1122334455667);
  assertEquals(mm.load32(edge + 1), 0x23344556);
  assertEquals(mm.store64(a, -1), 0);
  assertEquals(mm.load32(a), 0xffffffff);
  assertEquals(mm.load64(a), 2 ** 64);
  assertEquals(mm.store16(a + PAGE_SIZE - 1, 0xabcd), 0);
  assertEquals(mm.load16(a + PAGE_SIZE - 1), 0xabcd);
  assertEquals(mm.cas32(a, 0xffffffff, 7), 0xffffffff);
  assertEquals(mm.cas32(a, 1, 2), 7);
  assertEquals(mm.load32(a), 7);
  mm.mprotect(a + PAGE_SIZE, PAGE_SIZE, PROT_READ);
  assertEquals(mm.store64(edge, 0), -EFAULT);
  assertEquals(mm.store32(a + PAGE_SIZE, 0), -EFAULT);
  assertEquals(mm.cas32(a + PAGE_SIZE, 0, 1), -1);
  assertEquals(mm.load32(a + 2 * PAGE_SIZE - 2), -1);
  for (const bad of [0, 1, 2 ** 47, 2 ** 63, 2 ** 64 - 8, -8, -4096]) {
    assertEquals(mm.load8(bad), -1);
    assertEquals(mm.load64(bad), -1);
    assertEquals(mm.store32(bad, 1), -EFAULT);
    assertEquals(mm.copyIn(new Uint8Array(200), 0, bad, 200), -EFAULT);
    assertEquals(mm.cstring(bad, 100), -EFAULT);
    assertEquals(mm.clear(bad, 100), -EFAULT);
  }
  lab.close();
});

Deno.test("strings end at NUL, at the limit, or at a fault", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const a = mm.mmap(0, 2 * PAGE_SIZE, RW, ANON, null, 0),
    text = new TextEncoder().encode("h\xe9llo");
  mm.copyOut(a + PAGE_SIZE - 3, text, 0, text.length);
  assertEquals(mm.cstring(a + PAGE_SIZE - 3, 100), "h\xc3\xa9llo");
  assertEquals(mm.cstring(a + PAGE_SIZE - 3, 6), -ENAMETOOLONG);
  assertEquals(mm.cstring(a + PAGE_SIZE - 3, 7), "h\xc3\xa9llo");
  const full = new Uint8Array(PAGE_SIZE).fill(65);
  mm.copyOut(a + PAGE_SIZE, full, 0, PAGE_SIZE);
  assertEquals(mm.cstring(a + PAGE_SIZE + 10, 10000), -EFAULT);
  assertEquals(mm.cstring(a + PAGE_SIZE + 10, 100), -ENAMETOOLONG);
  lab.close();
});

Deno.test("a cursor over several buffers moves bytes in order", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), io = new UserCursor(mm);
  const a = mm.mmap(0, 16 * PAGE_SIZE, RW, ANON, null, 0), iov = a + 10 * PAGE_SIZE;
  iovec(mm, iov, [[a + 100, 5], [0, 0], [a + PAGE_SIZE - 2, 4], [a + 5 * PAGE_SIZE, 3]]);
  assertEquals(io.setIov(iov, 4), 0);
  assertEquals(io.remaining, 12);
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i + 1);
  assertEquals(io.putBytes(bytes, 0, 7), 7);
  assertEquals(io.putBytes(bytes, 7, 20), 5);
  assertEquals([io.remaining, io.done], [0, 12]);
  assertEquals(mm.load8(a + 104), 5);
  assertEquals(mm.load32(a + PAGE_SIZE - 2), 0x09080706);
  assertEquals(mm.load8(a + 5 * PAGE_SIZE + 2), 12);
  assertEquals(io.setIov(iov, 4), 0);
  const back = new Uint8Array(12);
  assertEquals(io.takeBytes(back, 0, 100), 12);
  assertEquals([...back], [...bytes.subarray(0, 12)]);
  assertEquals(io.setIov(iov, 4), 0);
  const list = lab.ctx.bounce;
  assertEquals(io.hostSegments(true, list, 10, 1000), 3);
  assertEquals([load64(list + 8), load64(list + 24), load64(list + 40)], [5, 4, 3]);
  assertEquals(io.hostSegments(true, list, 1, 1000), 1);
  assertEquals(io.hostSegments(false, list, 10, 6), 2);
  io.advance(6);
  assertEquals(io.hostSegments(false, list, 10, 100), 2);
  assertEquals(load64(list + 8), 3);
  assertEquals(io.putZeros(3), 3);
  assertEquals(mm.load32(a + PAGE_SIZE - 2), 6);
  lab.close();
});

Deno.test("bad vectors are refused, and a fault returns the bytes before it", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), io = new UserCursor(mm);
  const a = mm.mmap(0, 4 * PAGE_SIZE, RW, ANON, null, 0);
  mm.mprotect(a + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE);
  assertEquals(io.setIov(a, 1025), -EINVAL);
  assertEquals(io.setIov(a, -1), -EINVAL);
  assertEquals(io.setIov(a + 2 * PAGE_SIZE, 1), -EFAULT);
  iovec(mm, a, [[a, 2 ** 63]]);
  assertEquals(io.setIov(a, 1), -EINVAL);
  iovec(mm, a, [[2 ** 47, 10]]);
  assertEquals(io.setIov(a, 1), -EFAULT);
  iovec(mm, a, [[a, 2 ** 33], [a, 2 ** 33]]);
  assertEquals(io.setIov(a, 2), 0);
  assertEquals(io.remaining, 0x7ffff000);
  assertEquals(io.set(a + PAGE_SIZE, 2 * PAGE_SIZE), 0);
  const bytes = new Uint8Array(2 * PAGE_SIZE).fill(9);
  assertEquals(io.putBytes(bytes, 0, bytes.length), PAGE_SIZE);
  assertEquals(io.putBytes(bytes, 0, bytes.length), -EFAULT);
  assertEquals(io.takeBytes(bytes, 0, 1), -EFAULT);
  assertEquals(io.set(2 ** 48, 1), -EFAULT);
  assertEquals(io.set(0, 100), 0);
  assertEquals(io.putZeros(1), -EFAULT);
  assertEquals(io.set(a, 0), 0);
  assertEquals(io.putZeros(1), 0);
  lab.close();
});

Deno.test("a kernel cursor stays in its range", () => {
  const lab = new MemoryLab(), io = new KernelCursor(), at = lab.ctx.bounce;
  io.set(at, 10);
  assertEquals(io.putBytes(new Uint8Array([1, 2, 3]), 0, 3), 3);
  assertEquals(io.putZeros(100), 7);
  assertEquals(io.putZeros(1), 0);
  const out = new Uint8Array(4);
  assertEquals(io.set(at, 10).takeBytes(out, 1, 3), 3);
  assertEquals([...out], [0, 1, 2, 3]);
  assertEquals(io.set(8, 100).putZeros(10), -EFAULT);
  lab.close();
});

Deno.test("many windows on a file of many megabytes", () => {
  const lab = new MemoryLab(128 << 20, 2), mm = lab.newManager();
  const bytes = new Uint8Array(12 << 20);
  for (let i = 0; i < 12; i++) bytes[i << 20] = i + 1;
  for (const file of [new HostFileBacking(lab, bytes), new FrameFileBacking(lab, bytes)]) {
    const a = mm.mmap(0, 12 << 20, RW, M.MAP_SHARED, file, 0);
    const p = mm.mmap(0, 12 << 20, PROT_READ, M.MAP_PRIVATE, file, 0);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 12; i++) {
        assertEquals(mm.load8(a + (i << 20)), i + 1 + round);
        assertEquals(mm.load8(p + (i << 20)), i + 1 + round);
        assertEquals(mm.store8(a + (i << 20), i + 2 + round), 0);
      }
    }
    const all = new Uint8Array(12 << 20);
    assertEquals(mm.copyIn(all, 0, a, all.length), 0);
    assertEquals(all[11 << 20], 15);
    const io = new UserCursor(mm);
    io.set(a, 12 << 20);
    assert(io.hostSegments(false, lab.ctx.bounce, 64, 1 << 30) >= 1);
    file.truncate(PAGE_SIZE);
    assertEquals(mm.load8(a + (5 << 20)), -1);
    assertEquals(mm.load8(a), 4);
    mm.munmap(a, 12 << 20);
    mm.munmap(p, 12 << 20);
    if (file instanceof HostFileBacking) file.close();
  }
  mm.destroy();
  lab.close();
});

Deno.test("a turn of mincore visits a bounded number of areas", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), count = 3 * TURN_LOOKS;
  const size = count * PAGE_SIZE;
  const a = mm.mmap(0, size, RW, ANON, null, 0);
  for (let i = 0; i < count; i += 2) mm.mprotect(a + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  const vec = mm.mmap(0, size, RW, ANON, null, 0), turns: number[] = [];
  let done = 0;
  do turns.push(done = mincore(mm, a, size, vec, done)); while (done > 0);
  assertEquals(turns.pop(), 0);
  assert(turns.length >= 2 && turns.every((to, i) => to - (turns[i - 1] ?? 0) <= TURN_LOOKS));
  lab.close();
});

Deno.test("mincore finds touched pages, and msync checks its arguments", () => {
  const lab = new MemoryLab(), mm = lab.newManager();
  const a = mm.mmap(0, 8 * PAGE_SIZE, RW, ANON, null, 0), vec = a + 7 * PAGE_SIZE;
  mm.store8(a + 2 * PAGE_SIZE, 1);
  mm.store8(vec, 0);
  assertEquals(mincore(mm, a, 8 * PAGE_SIZE, vec, 0), 0);
  const got = new Uint8Array(8);
  mm.copyIn(got, 0, vec, 8);
  assertEquals([...got], [0, 0, 1, 0, 0, 0, 0, 1]);
  assertEquals(mincore(mm, a + 1, PAGE_SIZE, vec, 0), -EINVAL);
  assertEquals(mincore(mm, a, 9 * PAGE_SIZE, vec, 0), -ENOMEM);
  assertEquals(mincore(mm, a, PAGE_SIZE, 8, 0), -EFAULT);
  assertEquals(mincore(mm, 2 ** 63, PAGE_SIZE, vec, 0), -ENOMEM);
  assertEquals(sync(mm, a, 8 * PAGE_SIZE, M.MS_SYNC), 0);
  assertEquals(sync(mm, a, 8 * PAGE_SIZE, M.MS_SYNC | M.MS_ASYNC), -EINVAL);
  assertEquals(sync(mm, a, 9 * PAGE_SIZE, M.MS_ASYNC), -ENOMEM);
  assertEquals(sync(mm, a, PAGE_SIZE, 64), -EINVAL);
  lab.close();
});

/** msync(2) in one turn. */
function sync(mm: MemoryManager, addr: number, len: number, flags: number): number {
  const end = msyncEnd(mm, addr, len, flags), run = new SyncRun();
  return end < 0 ? end : msync(mm, addr, end, flags, run);
}

Deno.test("a call checks a bounded number of areas for secret memory", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), io = new UserCursor(mm), areas = 8;
  const a = mm.mmap(0, areas * PAGE_SIZE, RW, ANON, null, 0),
    iov = mm.mmap(0, 4 * PAGE_SIZE, RW, ANON, null, 0);
  for (let i = 0; i < areas; i += 2) mm.mprotect(a + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  iovec(mm, iov, Array.from({ length: 1024 }, () => [a, areas * PAGE_SIZE]));
  assertEquals(io.setIov(iov, 512), 0);
  assertEquals([io.stopAtSecrets(), io.remaining], [0, 512 * areas * PAGE_SIZE]);
  assertEquals(io.setIov(iov, 1024), 0);
  assertEquals([io.stopAtSecrets(), io.remaining], [0, 4096 * PAGE_SIZE]);
  lab.close();
});
