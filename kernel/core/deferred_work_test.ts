/** Tests of deferred_work.ts: slices, turns, chains of work items, charges. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  type CallServer,
  DeferredWork,
  SLICE_UNITS,
  type WorkItem,
  WorkList,
} from "./deferred_work.ts";

class Each extends WorkList<number> {
  private readonly run: (n: number) => void;

  constructor(items: readonly number[], units: number, run: (n: number) => void) {
    super(items, units);
    this.run = run;
  }
  protected override each(n: number): void {
    this.run(n);
  }
}

/** The numbers from 0 in the order of a work item. */
function listOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

Deno.test("a small work item is over when it was begun", () => {
  const work = new DeferredWork(), seen: number[] = [];
  work.begin(new Each(listOf(SLICE_UNITS - 1), 1, (n) => seen.push(n)));
  assertEquals([seen.length, work.isEmpty], [SLICE_UNITS - 1, true]);
});

Deno.test("a large work item does one slice at once, and one more with each step", () => {
  const work = new DeferredWork(), seen: number[] = [], all = listOf(SLICE_UNITS);
  work.begin(new Each(all, 4, (n) => seen.push(n)));
  assertEquals(seen.length, SLICE_UNITS / 4);
  work.step();
  assertEquals(seen.length, SLICE_UNITS / 2);
  while (!work.isEmpty) work.step();
  assertEquals(seen, all);
});

Deno.test("a work item that is left for later does nothing before the next step", () => {
  const work = new DeferredWork(), seen: number[] = [];
  work.later(new Each(listOf(2), 1, (n) => seen.push(n)));
  assertEquals([seen.length, work.isEmpty], [0, false]);
  work.step();
  assertEquals([seen.length, work.isEmpty], [2, true]);
});

Deno.test("work items take turns", () => {
  const work = new DeferredWork(), seen: string[] = [];
  for (const name of ["a", "b"]) {
    work.begin(new Each(listOf(3), SLICE_UNITS, () => seen.push(name)));
  }
  while (!work.isEmpty) work.step();
  assertEquals(seen.join(""), "ababab");
});

/** A work item that starts the next one of a chain. */
class Link implements WorkItem {
  private readonly work: DeferredWork;
  private readonly length: number;
  private readonly ends: number[];
  private isDone: boolean = false;

  constructor(work: DeferredWork, length: number, ends: number[]) {
    this.work = work;
    this.length = length;
    this.ends = ends;
  }
  step(units: number): number {
    if (this.isDone) return units;
    this.isDone = true;
    if (this.length > 0) this.work.begin(new Link(this.work, this.length - 1, this.ends));
    this.ends.push(this.length);
    return units - 1;
  }
}

Deno.test("a work item that starts others does not nest, and all share one slice", () => {
  const work = new DeferredWork(), ends: number[] = [];
  work.begin(new Link(work, 10, ends));
  assertEquals([ends, work.isEmpty], [listOf(11).reverse(), true]);
  ends.length = 0;
  work.begin(new Link(work, 20_000, ends));
  assertEquals(ends.length, SLICE_UNITS);
  while (!work.isEmpty) work.step();
  assertEquals(ends.length, 20_001);
});

type Caller = CallServer["current"];

Deno.test("the turns of a work item are charged as the call that began it", () => {
  const payer = {}, server = { current: { billed: { turnAccount: payer } } as Caller | null };
  const work = new DeferredWork(server);
  work.begin(new Each(listOf(2), SLICE_UNITS, () => {}));
  server.current = null;
  assertEquals(work.step() === payer, true);
});

Deno.test("a work item that fails is not run again", () => {
  const work = new DeferredWork(), seen: number[] = [];
  const item = new Each(listOf(4), SLICE_UNITS, (n) => {
    if (n === 1) throw new Error("bug");
  });
  work.begin(item);
  assertThrows(() => work.step(), Error, "bug");
  assertEquals(work.isEmpty, true);
  work.begin(new Each(listOf(2), 1, (n) => seen.push(n)));
  assertEquals(seen, [0, 1]);
});
