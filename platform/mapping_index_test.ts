import { assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../ffi/abi/mman.ts";
import { ARENA, MappingIndex } from "./mapping_index.ts";

const PAGES = 40;

/** The model in its simplest form: one entry for each page. */
class Model {
  readonly pages: ({ prot: number; file: number; delta: number } | null)[] = Array(PAGES).fill(
    null,
  );

  /** Mappings that the host would keep: neighbours are one where the second continues the first. */
  count(): number {
    let count = 0;
    this.pages.forEach((page, i) => {
      const before = i === 0 ? null : this.pages[i - 1]!;
      if (page === null) return;
      const isJoined = before !== null && before.prot === page.prot && before.file === page.file &&
        before.delta === page.delta;
      if (!isJoined) count++;
    });
    return count;
  }
}

Deno.test("MappingIndex agrees with a model of single pages", () => {
  let state = 7;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
  for (let round = 0; round < 60; round++) {
    // Chunks have any size, and at times all of them are shared with a clone.
    let index = round < 20 ? new MappingIndex() : new MappingIndex(2 + round % 5);
    const model = new Model();
    for (let step = 0; step < 100; step++) {
      const first = below(PAGES), last = first + 1 + below(Math.min(8, PAGES - first));
      const clone = index.clone();
      if (below(4) === 0) index = clone;
      const kind = below(4), prot = below(3), file = below(2) - 1, offset = below(3) * PAGE_SIZE;
      const [start, end] = [first * PAGE_SIZE, last * PAGE_SIZE];
      if (kind === 0) index.unmap(start, end);
      else if (kind === 1) checkChanged(model, index.protect(start, end, prot), first, last, prot);
      else index.map(start, end, file, offset + start, prot);
      for (let i = first; i < last; i++) {
        const page = model.pages[i]!;
        if (kind === 0) model.pages[i] = null;
        else if (kind === 1) model.pages[i] = page === null ? null : { ...page, prot };
        else model.pages[i] = { prot, file, delta: offset };
      }
      const found = model.pages.map((_, i) => index.protectionAt(i * PAGE_SIZE + 5));
      assertEquals(found, model.pages.map((page) => page?.prot ?? -1), `round ${round}.${step}`);
      assertEquals(index.count, model.count(), `round ${round}.${step}`);
    }
  }
});

/** Exactly the mapped pages that had another protection. */
function checkChanged(model: Model, changed: number[], first: number, last: number, prot: number) {
  const pages = new Set<number>();
  for (let i = 0; i < changed.length; i += 2) {
    for (let at = changed[i]!; at < changed[i + 1]!; at += PAGE_SIZE) pages.add(at / PAGE_SIZE);
  }
  for (let i = 0; i < PAGES; i++) {
    const page = model.pages[i]!;
    const expected = i >= first && i < last && page !== null && page.prot !== prot;
    assertEquals(pages.has(i), expected, `page ${i}`);
  }
}

Deno.test("MappingIndex: a clone changes independently", () => {
  const index = new MappingIndex();
  index.map(0, 10 * PAGE_SIZE, ARENA, 0, 3);
  const clone = index.clone();
  clone.protect(0, PAGE_SIZE, 1);
  clone.unmap(5 * PAGE_SIZE, 6 * PAGE_SIZE);
  assertEquals([index.protectionAt(0), index.protectionAt(5 * PAGE_SIZE), index.count], [3, 3, 1]);
  assertEquals([clone.protectionAt(0), clone.protectionAt(5 * PAGE_SIZE), clone.count], [1, -1, 3]);
});
