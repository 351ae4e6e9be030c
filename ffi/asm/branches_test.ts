import { assertEquals, assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { type Case, gnuTest, gprs, REGS64, REGS8, text } from "./gnu_as_testing.ts";
import { mem, rip } from "./operands.ts";
import { type Gpr, r12, rbx, rsp } from "./registers.ts";

const NAMES = "o no b c ae nc e z ne nz be a s ns p np l ge le g".split(" ") as Condition[];

type Condition =
  | ("o" | "no" | "b" | "c" | "ae" | "nc" | "e" | "z" | "ne" | "nz")
  | ("be" | "a" | "s" | "ns" | "p" | "np" | "l" | "ge" | "le" | "g");

gnuTest("conditional moves and sets", function* (): Iterable<Case> {
  for (const cc of NAMES) {
    for (const size of [2, 4, 8] as const) {
      const regs = gprs(size) as (Gpr<2> | Gpr<4> | Gpr<8>)[];
      for (const d of regs) {
        for (const s of regs) yield [`cmov${cc} ${d.name}, ${s.name}`, (a) => a[`cmov${cc}`](d, s)];
        yield [`cmov${cc} ${d.name}, [r12]`, (a) => a[`cmov${cc}`](d, mem(r12))];
      }
    }
    for (const r of REGS8) yield [`set${cc} ${r.name}`, (a) => a[`set${cc}`](r)];
    yield [`set${cc} byte ptr [rsp+5]`, (a) => a[`set${cc}`](mem(rsp, 5))];
  }
});

gnuTest("jumps back are short where they can be", function* () {
  yield ["start:", (a) => a.label("start")];
  for (const cc of NAMES) yield [`j${cc} start`, (a) => a[`j${cc}`]("start")];
  yield ["jmp start", (a) => a.jmp("start")];
  // the last distance of 8 bits and the first of 32, for both kinds
  yield ["edge: .zero 126", (a) => a.label("edge").zero(126)];
  yield ["jmp edge", (a) => a.jmp("edge")];
  yield ["jmp edge", (a) => a.jmp("edge")];
  yield ["edge2: .zero 126", (a) => a.label("edge2").zero(126)];
  yield ["jne edge2", (a) => a.jne("edge2")];
  yield ["jne edge2", (a) => a.jne("edge2")];
  yield ["call start", (a) => a.call("start")];
});

gnuTest("near and short jumps on request, forward and back", function* () {
  yield ["back:", (a) => a.label("back")];
  for (const to of ["back", "ahead"]) {
    for (const cc of NAMES) {
      yield [`{disp32} j${cc} ${to}`, (a) => a[`j${cc}`](to, "near")];
    }
    yield [`{disp32} jmp ${to}`, (a) => a.jmp(to, "near")];
    yield [`call ${to}`, (a) => a.call(to)];
  }
  yield ["{disp32} jmp ahead", (a) => a.jmp("ahead")];
  yield ["{disp32} je ahead", (a) => a.je("ahead")];
  for (const cc of NAMES) yield [`{disp8} j${cc} ahead`, (a) => a[`j${cc}`]("ahead", "short")];
  yield ["{disp8} jmp ahead", (a) => a.jmp("ahead", "short")];
  yield ["ahead: ret", (a) => a.label("ahead").ret()];
});

gnuTest("indirect jumps and calls", function* () {
  for (const r of REGS64) {
    yield [`jmp ${r.name}`, (a) => a.jmp(r)];
    yield [`call ${r.name}`, (a) => a.call(r)];
    yield [`jmp ${text(mem(r), 8)}`, (a) => a.jmp(mem(r))];
    yield [
      `call ${text(mem(rbx, 8, r === rsp ? rbx : r, 8), 8)}`,
      (a) => a.call(mem(rbx, 8, r === rsp ? rbx : r, 8)),
    ];
  }
  yield ["jmp qword ptr [0x60060000]", (a) => a.jmp(mem(null, 0x60060000))];
});

Deno.test("a jump through an absolute address has the 7 bytes of mov eax, imm32; syscall", () => {
  assertEquals(new Assembler().jmp(mem(null, 0x60060000)).assemble().toHex(), "ff242500000660");
});

Deno.test("a short jump that is too far names its label", () => {
  const ahead = new Assembler().jmp("far ahead", "short").zero(128).label("far ahead");
  assertThrows(() => ahead.assemble(), RangeError, '"far ahead" is 128 bytes away');
  const behind = new Assembler().label("behind").zero(127).jne("behind", "short");
  assertThrows(() => behind.assemble(), RangeError, '"behind" is -129 bytes away');
  assertEquals(new Assembler().jmp("x", "short").zero(127).label("x").assemble()[1], 127);
});

Deno.test("labels that are missing or bound twice are named", () => {
  const use: ((a: Assembler) => Assembler)[] = [
    (a) => a.jmp("nowhere"),
    (a) => a.call("nowhere"),
    (a) => a.js("nowhere", "short"),
    (a) => a.lea(rbx, rip("nowhere")),
    (a) => a.movabs(rbx, { label: "nowhere" }),
  ];
  for (const emit of use) {
    assertThrows(() => emit(new Assembler()).assemble(), Error, '"nowhere" is not bound');
  }
  assertThrows(() => new Assembler().label("x").label("x"), Error, '"x" is bound twice');
});
