import { assertEquals } from "@std/assert";
import { EINVAL } from "../../ffi/abi/errno.ts";
import { parseCpus } from "./cpuset.ts";
import { bytesOrMax, countOrMax, integer } from "./numbers.ts";

Deno.test("sizes are whole pages, with the suffixes of memparse", () => {
  const cases: readonly [string, number][] = [
    ["max", Infinity],
    ["0", 0],
    ["4096", 4096],
    ["5000", 4096],
    ["64M", 64 << 20],
    ["1k", 0],
    ["0x2000", 8192],
    ["9223372036854775807", Infinity],
    ["-1", -EINVAL],
    ["1MB", -EINVAL],
    ["", -EINVAL],
  ];
  for (const [text, bytes] of cases) assertEquals(bytesOrMax(text), bytes, text);
});

Deno.test("counts are not negative", () => {
  assertEquals([countOrMax("max"), countOrMax("7"), countOrMax("-1")], [Infinity, 7, -EINVAL]);
  assertEquals([countOrMax("7x"), integer("-3"), integer(" 3")], [-EINVAL, -3, null]);
});

Deno.test("lists of processors", () => {
  const list = (text: string) => parseCpus(text, 40);
  assertEquals(list("0-2,33"), new Uint32Array([7, 2]));
  assertEquals([list(""), list("40"), list("2-1"), list("a")], [
    null,
    undefined,
    undefined,
    undefined,
  ]);
});
