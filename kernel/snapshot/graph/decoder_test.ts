import { assert } from "@std/assert";
import { isFull } from "../../../tests/harness/machine.ts";
import { Random } from "../../../tests/harness/seeded.ts";
import * as graph from "./graph_testing.ts";
import { encoded } from "./graph_testing.ts";

Deno.test("an image that is cut off anywhere is refused", () => {
  const { bytes } = encoded(graph.randomGraph(new Random(3), 40));
  for (let length = 0; length < bytes.length; length++) {
    assert(!graph.takes(bytes.slice(0, length)), `${length} bytes of ${bytes.length}`);
  }
  assert(!graph.takes(new Uint8Array([...bytes, 0])));
});

Deno.test("no change of an image does more than give another graph", () => {
  const images = isFull ? 10_000 : 100, changes = 100;
  let refused = 0;
  for (let seed = 1; seed <= images; seed++) {
    const random = new Random(seed), { bytes } = encoded(graph.randomGraph(random, 20));
    for (let left = changes; left > 0; left--) {
      if (!graph.takes(graph.mutated(bytes, random))) refused++;
    }
  }
  assert(refused > images * changes / 4, `${refused} are refused`);
});
