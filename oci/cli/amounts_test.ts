import { assertEquals, assertThrows } from "@std/assert";
import { cpusOf, pidsOf, sizeOf, wholeMiB } from "./amounts.ts";

Deno.test("sizes have units, and at least the least", () => {
  assertEquals(sizeOf("disk", null, 4096), null);
  assertEquals(["64M", "2g", "4096", "8KiB"].map((text) => sizeOf("disk", text, 4096)), [
    64 * 2 ** 20,
    2 * 2 ** 30,
    4096,
    8192,
  ]);
  for (const text of ["", "x", "-1", "4095", "1T", "1.5G"]) {
    const message = `--disk ${text} is no size of at least 4K, like 64M or 2G`;
    assertThrows(() => sizeOf("disk", text, 4096), Error, message);
  }
  assertEquals([wholeMiB((64 << 20) + 1), wholeMiB(1025), wholeMiB(0)], ["64M", "1025", "0"]);
});

Deno.test("processors are fractions, processes are whole", () => {
  assertEquals(["0.5", "2", ".25", "1.125"].map(cpusOf), [0.5, 2, 0.25, 1.125]);
  for (const text of ["", "0", "0.001", "-1", "1e3", "x"]) {
    assertThrows(() => cpusOf(text), Error, `--cpus ${text} is no number of processors`);
  }
  assertEquals([pidsOf("64"), pidsOf("max"), cpusOf(null)], [64, null, null]);
  for (const text of ["", "0", "1.5", "x"]) {
    assertThrows(() => pidsOf(text), Error, `--pids ${text} is neither a number of processes`);
  }
});
