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
