import { assert, assertEquals, assertThrows } from "@std/assert";
import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { type Changes, MAPPED, PageTables, PRESENT, WRITABLE } from "./page_tables.ts";
import { TableMemory } from "./table_memory.ts";

const RING0 = 5 * PAGE_SIZE + 0x67;
const ENTRIES = 512, LEVELS = 4;
const ADDRESS_MASK = 0xf_ffff_ffff_f000n, NO_EXECUTE = 1n << 63n;

/** Walks the tables as the processor does, bit by bit as the manual says. Null: a fault. */
function walk(
  memory: TableMemory,
  root: number,
  addr: number,
): { page: bigint; prot: number } | null {
  let frame = BigInt(root), prot = PROT_READ | PROT_WRITE | PROT_EXEC;
  for (let level = LEVELS - 1; level >= 0; level--) {
    const index = Number(BigInt(addr) >> BigInt(12 + 9 * level) & BigInt(ENTRIES - 1));
    const words = memory.words(Number(frame)), at = memory.wordOf(Number(frame)) + 2 * index;
    const entry = BigInt(words[at]!) | BigInt(words[at + 1]!) << 32n;
    if ((entry & 1n) === 0n || (entry & 4n) === 0n) return null;
    if ((entry & 2n) === 0n) prot &= ~PROT_WRITE;
    if ((entry & NO_EXECUTE) !== 0n) prot &= ~PROT_EXEC;
    frame = (entry & ADDRESS_MASK) >> 12n;
  }
  return { page: frame << 12n, prot };
}

/** The raw entry for one page. */
function lastEntry(memory: TableMemory, root: number, addr: number): bigint {
  let entry = BigInt(root) << 12n;
  for (let level = LEVELS - 1; level >= 0; level--) {
    const frame = Number((entry & ADDRESS_MASK) >> 12n);
    const index = Number(BigInt(addr) >> BigInt(12 + 9 * level) & BigInt(ENTRIES - 1));
    const words = memory.words(frame), at = memory.wordOf(frame) + 2 * index;
    entry = BigInt(words[at]!) | BigInt(words[at + 1]!) << 32n;
  }
  return entry;
}

function rootOf(tables: PageTables): number {
  return tables.rootFor(0, RING0);
}

class Heard implements Changes {
  readonly lostPages: number[] = [];
  readonly droppedPages: number[] = [];

  lost(page: number): void {
    this.lostPages.push(page);
  }
  dropped(page: number): void {
    this.droppedPages.push(page);
  }
}

function withMemory(body: (memory: TableMemory) => void): void {
  const memory = new TableMemory();
  try {
    body(memory);
  } finally {
    memory.close();
  }
}

Deno.test("pages are found by a processor where they were mapped, up to the last address", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), heard = new Heard();
    const high = 2 ** 45 + 2 ** 33; // of a page: above 32 bits
    for (const addr of [0, 0x400000, 0x5555_5555_4000, 0x7fff_ffff_e000]) {
      assertEquals(walk(memory, rootOf(tables), addr), null);
      assert(
        tables.map(addr, PAGE_SIZE, high + addr % 2 ** 32, PROT_READ | PROT_EXEC, true, heard),
      );
      const found = walk(memory, rootOf(tables), addr);
      assertEquals(found, { page: BigInt(high + addr % 2 ** 32), prot: PROT_READ | PROT_EXEC });
    }
    assertEquals([heard.lostPages, heard.droppedPages], [[], []]);
  });
});

Deno.test("losses of rights are reported, gains are not", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), at = 0x200000 - PAGE_SIZE;
    const changes = (what: (heard: Heard) => void): [number[], number[]] => {
      const heard = new Heard();
      what(heard);
      return [heard.lostPages, heard.droppedPages];
    };
    tables.map(at, 2 * PAGE_SIZE, 0x1000, PROT_READ, true, new Heard());
    const protect = (prot: number) =>
      changes((heard) => tables.protect(at, 2 * PAGE_SIZE, prot, heard));
    assertEquals(protect(PROT_READ | PROT_WRITE), [[], []]);
    assertEquals(protect(PROT_READ | PROT_EXEC), [[0x1000, 0x2000], []]); // no writes
    assertEquals(protect(PROT_READ), [[0x1000, 0x2000], []]); // no execution
    assertEquals(protect(0), [[0x1000, 0x2000], []]);
    assertEquals(walk(memory, rootOf(tables), at), null);
    assertEquals(tables.flagsAt(at) & (PRESENT | MAPPED), MAPPED);
    assertEquals(protect(PROT_READ | PROT_WRITE), [[], []]); // the entry has its frame again
    assertEquals(walk(memory, rootOf(tables), at)?.page, 0x1000n);
    const map = (page: number) =>
      changes((heard) => tables.map(at, PAGE_SIZE, page, PROT_READ | PROT_WRITE, true, heard));
    assertEquals(map(0x1000), [[], []]);
    assertEquals(map(0x9000), [[0x1000], [0x1000]]);
    assertEquals(changes((heard) => tables.unmap(0, 0x400000, heard)), [[0x9000, 0x2000], [
      0x9000,
      0x2000,
    ]]);
  });
});

Deno.test("the entry of a page without permissions points outside of host memory", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), heard = new Heard();
    const at = 0x400000, page = 2 ** 33 + 0x5000;
    const isHostless = () => {
      assertEquals(walk(memory, rootOf(tables), at), null);
      assertEquals(tables.pageAt(at), page);
      return (lastEntry(memory, rootOf(tables), at) & ADDRESS_MASK) > 2n ** 50n;
    };
    tables.map(at, PAGE_SIZE, page, 0, true, heard);
    assert(isHostless());
    tables.protect(at, PAGE_SIZE, PROT_READ, heard);
    assertEquals(walk(memory, rootOf(tables), at)?.page, BigInt(page));
    assert(tables.mark(at, heard) && isHostless());
    assert(tables.clone()?.pageAt(at) === page);
    tables.unmap(at, PAGE_SIZE, heard);
    assertEquals(lastEntry(memory, rootOf(tables), at), 0n);
    assertEquals([heard.lostPages, heard.droppedPages], [[page], [page]]);
  });
});

Deno.test("a page that was never used is not reported as lost", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), at = 0x40_0000_0000;
    tables.map(at, 4 * PAGE_SIZE, 0x1000, PROT_READ, false, new Heard());
    // A vCPU uses the second page.
    let frame = rootOf(tables);
    for (const index of [0, 256, 0]) {
      frame = memory.words(frame)[memory.wordOf(frame) + 2 * index]! >>> 12;
    }
    memory.words(frame)[memory.wordOf(frame) + 2]! |= 0x20;
    const heard = new Heard();
    tables.protect(at, 4 * PAGE_SIZE, PROT_READ | PROT_EXEC, heard); // A marks used pages
    tables.map(at, 2 * PAGE_SIZE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC, false, heard);
    assertEquals(heard.lostPages, []);
    tables.unmap(at, 2 * PAGE_SIZE, heard);
    tables.protect(at, 4 * PAGE_SIZE, PROT_READ, heard);
    tables.map(at, 4 * PAGE_SIZE, 0x8000, PROT_READ, false, heard);
    assertEquals(heard.lostPages, [0x2000]);
    assertEquals(heard.droppedPages, [0x1000, 0x2000, 0x3000, 0x4000]);
  });
});

Deno.test("a copy has the same pages, and changes independently", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), heard = new Heard();
    tables.map(0x7f00_0000_0000, 600 * PAGE_SIZE, 0x100000, PROT_READ | PROT_WRITE, true, heard);
    const copy = tables.clone();
    assert(copy !== null);
    copy.protect(0x7f00_0000_0000, PAGE_SIZE, PROT_READ, heard);
    assertEquals(tables.flagsAt(0x7f00_0000_0000) & WRITABLE, WRITABLE);
    assertEquals(copy.pageAt(0x7f00_0000_0000 + 599 * PAGE_SIZE), 0x100000 + 599 * PAGE_SIZE);
    const ring0 = (root: number) => memory.words(root)[memory.wordOf(root) + 2 * 511];
    assertEquals([ring0(rootOf(tables)), ring0(rootOf(copy))], [RING0, RING0]);
  });
});

Deno.test("tables behave like a map of pages, in any order of changes", () => {
  withMemory((memory) => {
    let state = 7;
    const below = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) % n;
    };
    const tables = new PageTables(memory), heard = new Heard();
    const model = new Map<number, { page: number; prot: number }>();
    const base = 2 ** 39 - 40 * PAGE_SIZE; // crosses into another root entry
    for (let step = 0; step < 3000; step++) {
      const first = below(80), count = 1 + below(12), addr = base + first * PAGE_SIZE;
      const prot = [0, 1, 3, 5, 7][below(5)]!, page = (1 + below(1000)) * PAGE_SIZE;
      const kind = below(3);
      if (kind === 0) tables.map(addr, count * PAGE_SIZE, page, prot, below(2) === 0, heard);
      else if (kind === 1) tables.unmap(addr, count * PAGE_SIZE, heard);
      else tables.protect(addr, count * PAGE_SIZE, prot, heard);
      for (let i = 0; i < count; i++) {
        const old = model.get(first + i);
        if (kind === 0) model.set(first + i, { page: page + i * PAGE_SIZE, prot });
        else if (kind === 1) model.delete(first + i);
        else if (old !== undefined) model.set(first + i, { page: old.page, prot });
      }
    }
    for (let i = 0; i < 100; i++) {
      const expected = model.get(i), addr = base + i * PAGE_SIZE;
      assertEquals(tables.pageAt(addr), expected?.page ?? -1);
      const found = walk(memory, rootOf(tables), addr);
      if (expected === undefined || expected.prot === 0) assertEquals(found, null);
      else assertEquals(found, { page: BigInt(expected.page), prot: expected.prot });
    }
  });
});

Deno.test("frames of tables come back only after the host forgot them", () => {
  withMemory((memory) => {
    let forgotten = 0;
    memory.forget = () => forgotten++;
    const seen = new Set<number>();
    for (let i = 0; i < 3000; i++) {
      const tables = new PageTables(memory);
      tables.map(0x400000, PAGE_SIZE, 0x1000, PROT_READ, true, new Heard());
      if (forgotten === 0) {
        assert(!seen.has(rootOf(tables)), "used again too early");
        seen.add(rootOf(tables));
      }
      assertEquals(walk(memory, rootOf(tables), 0x500000), null);
      tables.retire();
    }
    assert(forgotten > 0 && forgotten < 4, `forgot ${forgotten} times`);
  });
});

Deno.test("without memory there is no table, no copy and no root; present pages stay", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), heard = new Heard(), at = 0x400000;
    tables.map(at, PAGE_SIZE, 0x1000, PROT_READ, true, heard);
    const frames: number[] = [];
    for (let frame = memory.take(); frame >= 0; frame = memory.take()) frames.push(frame);
    const rest = (count: number) => frames.splice(0, count).forEach((f) => memory.giveUnused(f));
    assertEquals(tables.rootFor(0, RING0), -1);
    assertEquals(tables.map(2 ** 40, PAGE_SIZE, 0x2000, PROT_READ, true, heard), false);
    assertThrows(() => new PageTables(memory), RangeError);
    for (const count of [0, 1, 2, 3]) { // of the four tables that a copy needs
      rest(count);
      assertEquals(tables.clone(), null);
      for (let i = 0; i < count; i++) frames.push(memory.take());
      assertEquals(memory.take(), -1, `a copy that failed for ${count} frames kept some`);
    }
    rest(5);
    const copy = tables.clone();
    assert(copy !== null);
    assertEquals(walk(memory, rootOf(copy), at)?.page, 0x1000n);
    assertEquals([tables.pageAt(at), memory.take()], [0x1000, -1]);
  });
});

Deno.test("a space at its limit of tables gets no more; another space does", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory, 5), heard = new Heard();
    const map = (to: PageTables, at: number) =>
      to.map(at, PAGE_SIZE, 0x1000, PROT_READ, true, heard);
    assertEquals([0, 1, 2].map((i) => map(tables, i * 2 ** 21)), [true, true, false]);
    assertEquals(rootOf(tables), -1);
    const copy = tables.clone();
    assert(copy !== null && !map(copy, 2 ** 22));
    assertEquals(map(new PageTables(memory), 0), true);
  });
});

Deno.test("the first page that is mapped is found, over tables that are not there", () => {
  withMemory((memory) => {
    const tables = new PageTables(memory), heard = new Heard(), end = 2 ** 46;
    const first = (from: number, to = end) => tables.firstMapped(from, to);
    assertEquals(first(0), end);
    for (const at of [0x5000, 2 ** 21 + 0x1000, 2 ** 40]) {
      tables.map(at, PAGE_SIZE, 0x1000, at === 2 ** 40 ? 0 : PROT_READ, true, heard);
    }
    assertEquals([0, 0x5000, 0x6000, 2 ** 22].map((from) => first(from)), [
      0x5000,
      0x5000,
      2 ** 21 + 0x1000,
      2 ** 40,
    ]);
    assertEquals([first(0, 0x5000), first(2 ** 22, 2 ** 40)], [0x5000, 2 ** 40]);
  });
});
