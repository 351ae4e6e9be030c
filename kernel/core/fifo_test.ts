/** Test of fifo.ts. */

import { assert, assertEquals } from "@std/assert";
import { Fifo } from "./fifo.ts";

class OpenFifo extends Fifo<number> {
  get places(): number {
    return this.items.length;
  }
}

Deno.test("a queue returns its elements in order, and drops its references", () => {
  const queue = new OpenFifo();
  assertEquals([queue.shift(), queue.first, queue.length], [undefined, undefined, 0]);
  let next = 0, expected = 0;
  for (let round = 0; round < 5000; round++) {
    for (let i = 0; i < 3; i++) queue.push(next++);
    // It is never empty.
    for (let i = 0; i < (round % 2 === 0 ? 2 : 4) && queue.length > 1; i++) {
      assertEquals(queue.first, expected);
      assertEquals(queue.shift(), expected++);
    }
    assertEquals(queue.length, next - expected);
  }
  assert(queue.places <= 2 * queue.length + 1024, `${queue.places} places`);
  assertEquals(queue.drain(), Array.from({ length: next - expected }, (_, i) => expected + i));
  assertEquals([queue.length, queue.shift()], [0, undefined]);
});
