/**
 * Graphs of objects and their images: the copy of a random graph is like it, and a changed image is
 * refused or gives a graph that can be encoded. Classes and graphs: kernel/snapshot/graph.
 */

import { assertEquals } from "@std/assert";
import { difference } from "../../kernel/snapshot/graph/compare_testing.ts";
import * as graph from "../../kernel/snapshot/graph/graph_testing.ts";
import { runCases } from "../harness/fuzz_run.ts";

const OBJECTS_MAX = 300, CHANGES = 50;

Deno.test("copies of graphs are like them, and their images are the same", async () => {
  await runCases("graph", { ci: 300, full: 20_000, parts: 2 }, (random) => {
    const root = graph.randomGraph(random, 1 + random.below(OBJECTS_MAX));
    const { bytes } = graph.encoded(root), copy = graph.decoded(bytes);
    assertEquals(difference(root, copy, { isEnd: graph.isMade }), null);
    assertEquals(graph.encoded(copy).bytes, bytes);
  });
});

Deno.test("changed images are refused, or give graphs", async () => {
  await runCases("graph images", { ci: 200, full: 20_000, parts: 2 }, (random) => {
    const { bytes } = graph.encoded(graph.randomGraph(random, 1 + random.below(30)));
    for (let left = CHANGES; left > 0; left--) {
      const image = graph.mutated(bytes, random);
      if (graph.problemOf(image) === null) graph.encoded(graph.decoded(image));
    }
  });
});
