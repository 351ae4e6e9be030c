import { assertEquals } from "@std/assert";
import { Backlog } from "./backlog.ts";

Deno.test("parts are taken in order, in pieces, and once when taking drains again", () => {
  const backlog = new Backlog(), taken: number[] = [];
  for (const part of [[1, 2, 3], [], [4, 5]]) backlog.add(new Uint8Array(part));
  const take = (max: number) => (bytes: Uint8Array<ArrayBuffer>): number => {
    assertEquals(backlog.drain(() => 1), 0);
    const part = bytes.subarray(0, max);
    taken.push(...part);
    return part.length;
  };
  assertEquals([backlog.drain(take(2)), taken], [2, [1, 2]]);
  assertEquals([backlog.drain(take(9)), taken, backlog.isEmpty], [3, [1, 2, 3, 4, 5], true]);
  assertEquals([backlog.drain(take(9)), backlog.clear()], [0, 0]);
});

Deno.test("many small pieces are few parts, also those that come while one is on offer", () => {
  const backlog = new Backlog(), taken: number[] = [], pieces = 40_000;
  for (let i = 0; i < pieces; i++) backlog.add(new Uint8Array([i & 0xff]));
  let parts = 0;
  const total = backlog.drain((bytes) => {
    if (parts++ === 0) backlog.add(new Uint8Array([7, 8]));
    taken.push(...bytes);
    return bytes.length;
  });
  assertEquals([total, taken.length, backlog.isEmpty], [pieces + 2, pieces + 2, true]);
  assertEquals([taken[300], taken.at(-3), taken.at(-1)], [300 & 0xff, (pieces - 1) & 0xff, 8]);
  assertEquals(parts < 10, true);
  // The only part grows while it is on offer.
  backlog.add(new Uint8Array(3));
  let left = 4;
  assertEquals([
    backlog.drain((bytes) => {
      if (left-- > 0) backlog.add(new Uint8Array(1));
      return bytes.length;
    }),
    backlog.clear(),
  ], [7, 0]);
});
