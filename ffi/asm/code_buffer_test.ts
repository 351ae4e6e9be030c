import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { rip } from "./operands.ts";
import { rax } from "./registers.ts";

function hex(a: Assembler, origin = 0): string {
  return a.assemble(origin).toHex();
}

Deno.test("data is little endian, in signed or unsigned spelling", () => {
  assertEquals(hex(new Assembler().db(0, 255, -1, -128)), "00ffff80");
  assertEquals(hex(new Assembler().dd(1, -2, 0xfffffffe)), "01000000feffffff" + "feffffff");
  assertEquals(hex(new Assembler().dq(1, -2)), "0100000000000000" + "feffffffffffffff");
  assertEquals(
    hex(new Assembler().dq(2n ** 64n - 2n, 2 ** 40)),
    "feffffffffffffff0000000000010000",
  );
  assertEquals(hex(new Assembler().asciz("aé")), "61c3a900");
  assertEquals(hex(new Assembler().bytes(Uint8Array.of(1, 2)).zero(3)), "0102000000");
});

Deno.test("data that does not fit is refused", () => {
  const a = new Assembler();
  for (const bad of [256, -129, 1.5, NaN]) assertThrows(() => a.db(bad), RangeError, `${bad}`);
  for (const bad of [2 ** 32, -(2 ** 31) - 1, 0.5]) assertThrows(() => a.dd(bad), RangeError);
  assertThrows(() => a.dq(2 ** 53), RangeError, "bigint");
  assertThrows(() => a.dq(0.5), RangeError, "0.5");
  assertThrows(() => a.dq(2n ** 64n), RangeError);
  for (const bad of [-1, 0.5, NaN]) {
    assertThrows(() => a.zero(bad), RangeError);
    assertThrows(() => a.nop(bad), RangeError);
  }
  for (const bad of [0, -4, 1.5]) assertThrows(() => a.align(bad), RangeError, `${bad}`);
  assertEquals(a.length, 0);
});

Deno.test("addresses of labels count from the origin", () => {
  const a = new Assembler().dq({ label: "end" }).movabs(rax, { label: "end" }).label("end");
  assertEquals(a.offsetOf("end"), 18);
  assertEquals(hex(a), "1200000000000000" + "48b8" + "1200000000000000");
  assertEquals(hex(a, 0x60060000), "1200066000000000" + "48b8" + "1200066000000000");
  assertEquals(hex(a, 0x7fff00000000), "12000000ff7f0000" + "48b8" + "12000000ff7f0000");
  for (const bad of [-1, 0.5, 2 ** 53]) assertThrows(() => a.assemble(bad), RangeError, "origin");
});

Deno.test("distances between labels need no origin", () => {
  const a = new Assembler();
  a.label("table").dd({ label: "b", from: "table" }, { label: "table", from: "b" }).label("b");
  assertEquals(hex(a), "08000000f8ffffff");
  assertEquals(hex(a, 0x1000), hex(a));
  assertThrows(
    () => new Assembler().dd({ label: "x", from: "y" }).label("x").assemble(),
    Error,
    "y",
  );
});

Deno.test("position-independent code does not depend on the origin", () => {
  const a = new Assembler().label("x").jmp("y").lea(rax, rip("x", 3)).call("x").label("y");
  assertEquals(hex(a, 0x400000), hex(a, 0));
});

Deno.test("alignment fills with nops or with a byte", () => {
  assertEquals(hex(new Assembler().db(1).align(4)), "010f1f00");
  assertEquals(hex(new Assembler().db(1).align(8, 0xcc)), "01cccccccccccccc");
  assertEquals(hex(new Assembler().dd(1).align(4)), "01000000");
  assertEquals(new Assembler().db(1).align(4096).length, 4096);
});

Deno.test("fresh labels differ from each other", () => {
  const a = new Assembler();
  const [x, y] = [a.fresh("retry"), a.fresh("retry")];
  assertNotEquals(x, y);
  assertEquals(a.label(x).label(y).offsetOf(y), 0);
});

Deno.test("a fresh label evades a bound one of the same spelling", () => {
  const name = new Assembler().fresh("x");
  const a = new Assembler().label(name);
  assertNotEquals(a.fresh("x"), name);
});

Deno.test("assembling does not change the program: more may follow", () => {
  const a = new Assembler().jmp("end");
  assertThrows(() => a.assemble(), Error, '"end" is not bound');
  assertThrows(() => a.offsetOf("end"), Error, '"end" is not bound');
  a.label("end");
  const first = a.assemble();
  first.fill(0);
  assertEquals(hex(a.ret()), "e900000000c3");
});

Deno.test("buffers grow over their first size", () => {
  const a = new Assembler();
  for (let i = 0; i < 100_000; i++) a.db(i & 0xff);
  a.bytes(new Uint8Array(1 << 20)).label("end").db(7);
  const out = a.assemble();
  assertEquals(out.length, a.offsetOf("end") + 1);
  assertEquals([out[255], out[65_537], out.at(-1)], [255, 1, 7]);
});
