import { assertEquals } from "@std/assert";
import { FrameRanges, rangesOutside, rangesWithout, runAmong } from "./frame_ranges.ts";

/** Ranges of the frames that have an "x". */
function rangesOf(text: string): FrameRanges {
  const ranges = new FrameRanges();
  for (const [first, letter] of [...text].entries()) if (letter === "x") ranges.add(first, 1);
  return ranges;
}

for (
  const [ranges = "", left] of [
    ["xxxxxxxx", "xx    xx"],
    ["xx    xx", "xx    xx"],
    ["xx x  xx", "xx    xx"],
    [" xxxx xxx", " x    xx"],
    ["   xxxxx", "      xx"],
    ["xxxxx", "xx"],
    ["  xxxx", ""],
    ["", ""],
  ]
) {
  Deno.test(`frames "${ranges}" without those from 2 to 6 are "${left}"`, () => {
    const found = rangesWithout(rangesOf(ranges).union(), { first: 2, count: 4 });
    const text = new Array<string>(8).fill(" ");
    for (const { first, count } of found) text.fill("x", first, first + count);
    assertEquals(text.join("").trimEnd(), left);
  });
}

Deno.test("ranges outside of others lack their frames", () => {
  const range = (first: number, count: number) => ({ first, count });
  const all = [range(0, 10), range(20, 5), range(30, 2)];
  assertEquals(rangesOutside(all, []), all);
  const others = [range(0, 2), range(4, 1), range(8, 2), range(20, 5), range(31, 1)];
  assertEquals(rangesOutside(all, others), [range(2, 2), range(5, 3), range(30, 1)]);
});

Deno.test("a run of frames ends where a range begins or ends", () => {
  const ranges = [{ first: 10, count: 5 }, { first: 20, count: 1 }];
  const runs = [0, 9, 10, 12, 14, 15, 20, 21].map((first) => runAmong(ranges, first, 100));
  assertEquals(runs, [10, 1, 5, 3, 1, 5, 1, 100]);
  assertEquals(runAmong(ranges, 10, 2), 2);
  assertEquals(runAmong([], 10, 2), 2);
});
