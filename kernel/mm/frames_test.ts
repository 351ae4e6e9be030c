/** Tests of frames.ts, free_pages.ts and frame_quarantine.ts. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Arena } from "../../ffi/mem/arena.ts";
import { fill, load32, store32 } from "../../ffi/mem/native_memory.ts";
import { FreePages } from "./free_pages.ts";
import { CHUNK_SIZE, FrameAllocator } from "./frames.ts";

const MIB = 1 << 20;

class FakeSpace {
  seq = 0;
  ackedSeq = 0;
  flushes = 0;
  flush(): void {
    this.flushes++;
  }
}

function isZero(arena: Arena, off: number, pages: number): boolean {
  for (let at = off; at < off + pages * PAGE_SIZE; at += 512) {
    if (load32(arena.base + at) !== 0) return false;
  }
  return true;
}

Deno.test("an extent is zeroed, also the second time", () => {
  const arena = Arena.create(8 * MIB, 0), frames = new FrameAllocator(arena);
  for (const pages of [1, 3, 16, 17, 200, 512]) {
    for (let round = 0; round < 3; round++) {
      const off = frames.alloc(pages);
      assert(off >= 0);
      assert(isZero(arena, off, pages), `${pages} pages, round ${round}`);
      fill(arena.base + off, 0xff, pages * PAGE_SIZE);
      frames.release(off, pages);
      frames.reclaim(64 * MIB);
    }
  }
  assertEquals(frames.usedBytes, 0);
  arena.close();
});

Deno.test("chunks are aligned and allocAt continues an extent", () => {
  const arena = Arena.create(16 * MIB, 0), frames = new FrameAllocator(arena);
  const small = frames.alloc(5), chunk = frames.allocChunk(), big = frames.alloc(600);
  assertEquals(chunk % CHUNK_SIZE, 0);
  assertEquals(big % CHUNK_SIZE, 0);
  assertEquals(frames.allocAt(small + 5 * PAGE_SIZE, 4), small + 5 * PAGE_SIZE);
  assertEquals(frames.allocAt(chunk, 1), -1);
  assertEquals(frames.allocAt(big + 600 * PAGE_SIZE, 424), big + 600 * PAGE_SIZE);
  assertEquals(frames.allocAt(arena.size, 1), -1);
  arena.close();
});

Deno.test("references keep a frame, and releasing it twice is a bug", () => {
  const arena = Arena.create(4 * MIB, 0), frames = new FrameAllocator(arena);
  const off = frames.alloc(4);
  frames.retain(off + PAGE_SIZE, 2);
  store32(arena.base + off + PAGE_SIZE, 7);
  frames.release(off, 4);
  assertEquals([0, 1, 2, 3].map((i) => frames.refs(off + i * PAGE_SIZE)), [0, 1, 1, 0]);
  assertEquals(load32(arena.base + off + PAGE_SIZE), 7);
  assertEquals(frames.usedBytes, 2 * PAGE_SIZE);
  frames.release(off + PAGE_SIZE, 2);
  assertThrows(() => frames.release(off, 1));
  arena.close();
});

Deno.test("a released frame waits until its space has acknowledged", () => {
  const arena = Arena.create(2 * MIB, 0), frames = new FrameAllocator(arena);
  const space = new FakeSpace(), off = frames.alloc(512);
  space.seq = 5;
  frames.release(off, 512, space);
  frames.reclaim(64 * MIB);
  assertEquals(frames.alloc(1), -1);
  assertEquals(frames.refs(off), 1);
  assert(space.flushes > 0);
  space.ackedSeq = 4;
  assertEquals(frames.alloc(1), -1);
  space.ackedSeq = 5;
  assert(frames.alloc(1) >= 0);
  frames.release(off, 1);
  arena.close();
});

Deno.test("a released frame is not charged any more, though it waits", () => {
  const arena = Arena.create(4 * MIB, 0),
    frames = new FrameAllocator(arena),
    charged = new Set<number>();
  frames.charger = {
    charge: (page, pages) => {
      for (let p = page; p < page + pages; p++) charged.add(p);
    },
    uncharge: (page, pages) => {
      for (let p = page; p < page + pages; p++) charged.delete(p);
    },
  };
  const space = new FakeSpace();
  space.seq = 1;
  const off = frames.alloc(3), page = off / PAGE_SIZE;
  frames.retain(off + PAGE_SIZE, 1);
  frames.release(off, 3, space);
  assertEquals([...charged], [page + 1]);
  frames.release(off + PAGE_SIZE, 1);
  space.ackedSeq = 1;
  frames.reclaim(64 * MIB);
  assertEquals([...charged], []);
  assertEquals(frames.usedBytes, 0);
  arena.close();
});

Deno.test("an allocation that finds nothing waits a bounded time for frames in quarantine", () => {
  const arena = Arena.create(4 * MIB, 0), space = new FakeSpace();
  let looks = 0;
  const frames = new FrameAllocator(arena, {
    waitForFrames(isFirst) {
      looks = isFirst ? 1 : looks + 1;
      if (looks === 5) space.ackedSeq = 1;
      return looks < 10;
    },
  });
  const off = frames.alloc(1024);
  assertEquals([off >= 0, frames.alloc(100), looks], [true, -1, 0], "nothing is on its way");
  space.seq = 1;
  frames.release(off, 1024, space);
  const late = frames.alloc(100);
  assertEquals([late >= 0, looks], [true, 5]);
  space.seq = 2;
  frames.release(late, 100, space);
  assertEquals([frames.alloc(1024), looks], [-1, 10]);
  arena.close();
});

Deno.test("reclaim works in slices", () => {
  const arena = Arena.create(32 * MIB, 0), frames = new FrameAllocator(arena);
  const off = frames.alloc(4096);
  fill(arena.base + off, 1, 16 * MIB);
  frames.release(off, 4096);
  assertEquals(frames.pendingBytes, 16 * MIB);
  assertEquals(frames.reclaim(4 * MIB), true);
  assertEquals(frames.pendingBytes, 12 * MIB);
  while (frames.reclaim(4 * MIB));
  assertEquals(frames.pendingBytes, 0);
  const again = frames.alloc(8192);
  assert(again >= 0 && isZero(arena, again, 8192));
  arena.close();
});

Deno.test("reclaim frees a bounded number of runs in one turn", () => {
  const arena = Arena.create(32 * MIB, 0), pages = 4096, punches: number[] = [];
  const store = {
    base: arena.base,
    size: arena.size,
    punch(off: number, len: number): number {
      punches.push(len);
      return arena.punch(off, len);
    },
    nextData: (off: number) => arena.nextData(off),
    copyWithin: (to: number, from: number, len: number) => arena.copyWithin(to, from, len),
  };
  const frames = new FrameAllocator(store), off = frames.alloc(pages);
  for (let i = 0; i < pages; i += 2) frames.release(off + i * PAGE_SIZE, 1);
  for (let i = 1; i < pages; i += 2) frames.release(off + i * PAGE_SIZE, 1);
  let most = 0;
  for (let isMore = true; isMore;) {
    punches.length = 0;
    isMore = frames.reclaim(4 * MIB, 100);
    most = Math.max(most, punches.length);
  }
  assertEquals(most, 100);
  arena.close();
});

Deno.test("references of an extent are those of each page, in all tables", () => {
  const arena = Arena.create(600 * MIB, 0), frames = new FrameAllocator(arena);
  const pages = 100_000, off = frames.alloc(pages);
  for (const at of [0, 1, 7, 65_535, 65_536, pages - 1]) {
    assertEquals(frames.refs(off + at * PAGE_SIZE), 1);
    assertEquals(frames.pool.isRecycled(off / PAGE_SIZE + at), false);
  }
  assertEquals(frames.refs(off + pages * PAGE_SIZE), 0);
  frames.release(off, pages);
  assertEquals([frames.usedBytes, frames.refs(off + 65_536 * PAGE_SIZE)], [0, 0]);
  const some = frames.alloc(13) / PAGE_SIZE;
  fill(arena.base + some * PAGE_SIZE, 1, 13 * PAGE_SIZE);
  frames.release(some * PAGE_SIZE, 13);
  const again = frames.alloc(13) / PAGE_SIZE, last = frames.alloc(1) / PAGE_SIZE;
  assertEquals(again, some);
  for (let i = 0; i < 13; i++) assertEquals(frames.pool.isRecycled(again + i), true);
  assertEquals(frames.pool.isRecycled(last), false);
  arena.close();
});

Deno.test("the free map survives random use without overlap or loss", () => {
  const free = new FreePages(16 * 512);
  const owner = new Uint32Array(16 * 512);
  const held: [number, number][] = [];
  let seed = 12345;
  const random = (n: number): number => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return (seed >>> 8) % n;
  };
  for (let step = 1; step < 20000; step++) {
    if (random(2) === 0 && held.length > 0) {
      const i = random(held.length), [page, pages] = held[i]!;
      const cut = random(pages) + 1;
      owner.fill(0, page + pages - cut, page + pages);
      free.give(page + pages - cut, cut);
      if (cut === pages) held.splice(i, 1);
      else held[i] = [page, pages - cut];
      continue;
    }
    const pages = [1, 1, 1, 2, 7, 16, 30, 100, 300, 512, 700][random(11)]!;
    const page = free.take(pages);
    if (page < 0) continue;
    for (let p = page; p < page + pages; p++) {
      assertEquals(owner[p], 0);
      owner[p] = step;
    }
    held.push([page, pages]);
  }
  const used = held.reduce((sum, [, pages]) => sum + pages, 0);
  assertEquals(free.freePages, 16 * 512 - used);
  for (const [page, pages] of held) free.give(page, pages);
  assertEquals(free.take(16 * 512), 0);
});

Deno.test("each kernel that holds a page is charged for it, whatever others drop first", () => {
  const arena = Arena.create(8 * MIB, 0), first = new FrameAllocator(arena), { pool } = first;
  const second = new FrameAllocator(arena, null, pool);
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]]) {
    const off = first.alloc(20), page = off / PAGE_SIZE;
    store32(arena.base + off, 7);
    second.share(off, 20);
    second.share(off, 10);
    pool.hold(page, 20); // a snapshot
    assertEquals([first.refs(off), second.refs(off), pool.othersOf(page)], [3, 4, 2]);
    assertEquals([first, second, { usedBytes: pool.heldBytes }].map((x) => x.usedBytes), [
      20 * PAGE_SIZE,
      20 * PAGE_SIZE,
      20 * PAGE_SIZE,
    ]);
    const drops = [
      () => first.release(off, 20),
      () => {
        second.release(off, 10);
        second.release(off, 20);
      },
      () => pool.drop(page, 20),
    ];
    for (const [i, one] of order.entries()) {
      assertEquals([load32(arena.base + off), pool.isHeldTwice(page)], [7, i < 2]);
      drops[one]!();
    }
    assertEquals([first.usedBytes, second.usedBytes, pool.heldBytes], [0, 0, 0]);
    assertEquals(pool.isShared, false);
    pool.trim();
    assertEquals(pool.pendingBytes, 0);
  }
  arena.close();
});

Deno.test("frames of a kernel that has ended are dropped, those of others stay", () => {
  const arena = Arena.create(8 * MIB, 0), first = new FrameAllocator(arena), { pool } = first;
  const second = new FrameAllocator(arena, null, pool), space = new FakeSpace();
  const off = first.alloc(600), kept = first.alloc(3);
  space.seq = 1;
  second.share(kept, 3);
  second.share(kept, 3);
  first.release(off, 100, space);
  space.ackedSeq = 1;
  pool.settle();
  let slices = 1;
  while (first.dropRest(100)) slices++;
  assertEquals([slices, first.usedBytes, second.usedBytes], [6, 0, 3 * PAGE_SIZE]);
  assertEquals([second.refs(kept), pool.heldBytes, pool.isShared], [2, 3 * PAGE_SIZE, false]);
  while (second.dropRest(100));
  assertEquals([second.usedBytes, pool.heldBytes], [0, 0]);
  arena.close();
});
