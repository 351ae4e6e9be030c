/** Tests of the layout language; probe_test.ts checks the layouts. */

import { assertEquals } from "@std/assert";
import { layout, union } from "./layout.ts";
import { NAMES, SYS_file_setattr, SYS_openat, syscallName } from "./syscall_numbers.ts";
import { ENOENT, ERRNO_NAMES } from "./errno.ts";

Deno.test("layout() pads fields and the tail as C does", () => {
  const s = layout("s", { a: "u8", b: "u32", c: "u16", d: "ptr", e: "u8" });
  assertEquals(s.at, { a: 0, b: 4, c: 8, d: 16, e: 24 });
  assertEquals([s.size, s.align], [32, 8]);
});

Deno.test("layout() takes arrays, nested structs, unions, packed and aligned", () => {
  const inner = layout("inner", { x: "u16", y: "u8" });
  const u = union("u", { word: "u64", name: ["u8", 11] });
  assertEquals([u.size, u.align], [16, 8]);
  const s = layout("s", { tag: "u8", in: inner, ins: [inner, 3], u, rest: ["u8", 0] });
  assertEquals(s.at, { tag: 0, in: 2, ins: 6, u: 24, rest: 40 });
  const p = layout("p", { a: "u8", b: "u64" }, { packed: true });
  assertEquals([p.size, p.align, p.at.b], [9, 1, 1]);
  assertEquals(layout("al", { a: "u8" }, { align: 64 }).size, 64);
});

Deno.test("name tables agree with the constants", () => {
  assertEquals(NAMES[SYS_openat], "openat");
  assertEquals(NAMES[SYS_file_setattr], "file_setattr");
  assertEquals(NAMES.length, SYS_file_setattr + 1);
  assertEquals([syscallName(0), syscallName(400), syscallName(9999)], [
    "read",
    "syscall_400",
    "syscall_9999",
  ]);
  assertEquals(ERRNO_NAMES[ENOENT], "ENOENT");
});
