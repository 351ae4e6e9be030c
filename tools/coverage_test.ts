/** Tests of the coverage report: what it reads of lcov, sums and lists. */

import { assertEquals } from "@std/assert";
import { byFolder, parseLcov, report } from "./coverage.ts";

const LCOV = `SF:/root/kernel/a/low.ts
FNF:0
FNH:0
DA:1,0
LH:1
LF:10
end_of_record
SF:/root/kernel/a/high.ts
LF:30
LH:27
end_of_record
SF:/root/kernel/types.ts
LF:0
LH:0
end_of_record
`;

Deno.test("lines are read of each file, in either order of their sums", () => {
  assertEquals(parseLcov(LCOV, "/root"), [
    { path: "kernel/a/low.ts", total: 10, run: 1 },
    { path: "kernel/a/high.ts", total: 30, run: 27 },
    { path: "kernel/types.ts", total: 0, run: 0 },
  ]);
});

Deno.test("a folder is the sum of its own files", () => {
  assertEquals(byFolder(parseLcov(LCOV, "/root")), [
    { path: "kernel", total: 0, run: 0 },
    { path: "kernel/a", total: 40, run: 28 },
  ]);
});

Deno.test("files below half are listed; a file without code is not", () => {
  const listed = report(parseLcov(LCOV, "/root")).split("below 50%:\n")[1];
  assertEquals(listed, " 10%         1/10  kernel/a/low.ts");
});
