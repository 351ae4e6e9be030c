import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { MAX_SITE_BLOCKS } from "./control_memory.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { caller, CODE, Lab, movEax, RX } from "../conformance/lab.ts";
import type { Context } from "../platform.ts";
import { createSystrapPlatform } from "./systrap.ts";

function withLab(body: (lab: Lab) => void): void {
  const arena = Arena.create(64 * 1024 * 1024, 0);
  const platform = createSystrapPlatform(arena, { poolSize: 1 });
  try {
    body(new Lab(arena, platform));
  } finally {
    platform.destroy();
    arena.close();
  }
}

Deno.test("a space has 1,200 threads at once, and they end with it", () =>
  withLab((lab) => {
    const space = lab.space();
    lab.load(space, caller(1));
    const contexts = new Set<Context>();
    for (let i = 0; i < 1200; i++) {
      const c = lab.thread(space);
      c.resumeAll(true);
      contexts.add(c);
    }
    for (let round = 0; round < 3; round++) {
      const seen = new Set<Context>();
      while (seen.size < contexts.size) {
        const c = lab.next();
        assertEquals(c.nr, 1);
        seen.add(c);
      }
      for (const c of seen) {
        c.park();
        c.resumeRet(0);
      }
    }
    space.destroy();
    lab.until(() => space.ackedSeq === space.seq, "the stub is gone");
  }));

Deno.test("the same call site has one thunk, others have their own", () =>
  withLab((lab) => {
    const { platform } = lab, thunks = lab.thunks!;
    const first = thunks.get(movEax(39), 0x401007);
    assertEquals(thunks.get(movEax(39), 0x401007), first);
    assertEquals(thunks.find(movEax(39), 0x401007), first);
    assert(thunks.get(movEax(40), 0x401007) !== first);
    assert(thunks.get(movEax(39), 0x7f0000001007) !== first);
    assertEquals([thunks.count, thunks.tableCount], [3, 1]);
    assertEquals((first >>> 16) & 0xff, 0x06, "an invalid opcode");
    const inside = platform.reserved.some(([start, end]) => first >= start && first < end);
    assert(inside, "the table is in a reserved range");
    for (const addr of [0, 6, -1, NaN, platform.maxUserAddress]) {
      assertEquals(thunks.get(movEax(39), addr), 0);
    }
  }));

Deno.test("the number of thunks is bounded", () =>
  withLab((lab) => {
    const thunks = lab.thunks!;
    let made = 0;
    while (thunks.get(movEax(1), 0x10000 + 16 * made) !== 0) made++;
    assertEquals([made, thunks.tableCount, thunks.isTableFull], [32768, 8, true]);
    assert(thunks.get(movEax(1), 0x10000) !== 0, "known ones stay");
    assert(lab.platform.newThunks()!.get(movEax(1), 0x10000) !== 0, "other sets have room");
  }));

Deno.test("memory of thunks is used again when neither an owner nor a space has them", () =>
  withLab((lab) => {
    const { platform } = lab, space = lab.space(), sets = [];
    const first = platform.newThunks()!;
    const entry = first.get(movEax(1), 0x10000);
    space.useThunks(first);
    first.release();
    for (;;) {
      const set = platform.newThunks()!;
      if (set.get(movEax(1), 0x10000) !== entry) break;
      sets.push(set);
    }
    assertEquals(sets.length, MAX_SITE_BLOCKS - 1);
    const hasRoom = () => {
      const set = platform.newThunks()!, is = set.get(movEax(2), 0x20000) !== 0;
      set.release();
      return is;
    };
    assert(!hasRoom());
    sets.pop()!.release();
    assert(hasRoom());
    sets.push(platform.newThunks()!);
    assert(sets.at(-1)!.get(movEax(1), 0x10000) !== 0);
    assert(!hasRoom());
    space.destroy();
    lab.until(() => space.ackedSeq === space.seq, "the stub is gone");
    assert(hasRoom());
  }));

Deno.test("ranges of the stub cannot be mapped", () =>
  withLab((lab) => {
    const space = lab.space();
    const { seq } = space;
    const refused = (addr: number, len: number) => {
      for (
        const change of [
          () => space.mapArena(addr, len, 0, RX),
          () => space.mapFile(addr, len, 16, 0, RX),
          () => space.unmap(addr, len),
          () => space.protect(addr, len, RX),
        ]
      ) {
        let isRefused = false;
        try {
          change();
        } catch {
          isRefused = true;
        }
        assert(isRefused, `0x${addr.toString(16)} + ${len}`);
      }
    };
    const { maxUserAddress: end, reserved } = lab.platform;
    refused(end, PAGE_SIZE);
    refused(end - PAGE_SIZE, 2 * PAGE_SIZE);
    refused(end + 0x4000000, PAGE_SIZE);
    refused(-PAGE_SIZE, PAGE_SIZE);
    refused(0, 2 ** 48);
    refused(CODE + 1, PAGE_SIZE);
    refused(CODE, 100);
    refused(CODE, 0);
    refused(NaN, PAGE_SIZE);
    refused(CODE, Infinity);
    for (const [start, stop] of reserved) {
      refused(start, PAGE_SIZE);
      refused(stop - PAGE_SIZE, PAGE_SIZE);
      refused(start - PAGE_SIZE, 2 * PAGE_SIZE);
    }
    assertEquals(space.seq, seq);
  }));
