import { assertEquals } from "@std/assert";
import { Random } from "../../tests/harness/seeded.ts";
import { PageCounts, TABLE_MASK } from "./page_counts.ts";

Deno.test("PageCounts counts as an array does, across its tables", () => {
  const random = new Random(3), size = 300, base = TABLE_MASK - 150;
  const counts = new PageCounts(base + size), model = new Array<number>(size).fill(0);
  for (let round = 0; round < 2000; round++) {
    const from = random.below(size), end = from + random.below(size - from) + 1;
    const run = counts.runEnd(base + from, base + end) - base;
    const expected = model.slice(from, end).findIndex((count) =>
      (count > 0) !== (model[from]! > 0)
    );
    assertEquals(run, expected < 0 ? end : from + expected);
    const count = random.below(2);
    if (random.below(2) === 0) {
      counts.fill(count, base + from, base + end);
      model.fill(count, from, end);
    } else {
      counts.add(1, base + from, base + end);
      for (let i = from; i < end; i++) model[i]!++;
    }
  }
  assertEquals(model.map((_, i) => counts.get(base + i)), model);
});
