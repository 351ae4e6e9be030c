import { assertEquals, assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { type Case, gnuTest, gprs, REGS64, REGS8, SIZES, text } from "./gnu_as_testing.ts";
import { type Mem, mem, memSeg, rip } from "./operands.ts";
import {
  al,
  eax,
  ecx,
  r15,
  r8,
  r8b,
  r8d,
  r9w,
  rax,
  rbp,
  rbx,
  rcx,
  rsp,
  sil,
  xmm9,
} from "./registers.ts";

const DISPS = [0, 1, -1, 127, 128, -128, -129, 0x12345678, -0x80000000];

function load(m: Mem): Case[] {
  return [
    [`mov rax, ${text(m)}`, (a) => a.mov(rax, m)],
    [`mov ${text(m)}, r8d`, (a) => a.mov(m, r8d)],
  ];
}

gnuTest("every base register with every kind of displacement", function* () {
  for (const base of REGS64) for (const disp of DISPS) yield* load(mem(base, disp));
});

gnuTest("every base with every index, scale and kind of displacement", function* () {
  for (const base of REGS64) {
    for (const index of REGS64) {
      if (index === rsp) continue;
      for (const disp of [0, 8, 0x1000]) {
        for (const scale of [1, 2, 4, 8] as const) yield* load(mem(base, disp, index, scale));
      }
    }
  }
});

gnuTest("an index without base, and absolute addresses", function* () {
  for (const index of REGS64) {
    if (index === rsp) continue;
    for (const scale of [2, 4, 8] as const) yield* load(mem(null, 64, index, scale));
  }
  for (const disp of [0, 1, 0x60060000, 0x7fffffff, -4096]) yield* load(mem(null, disp));
});

gnuTest("segment overrides", function* () {
  for (const seg of ["fs", "gs"] as const) {
    for (const m of [mem(null, 0x28), mem(r15), mem(rbp, 0, r8, 2)]) {
      yield* load(memSeg(seg, m));
      yield [`add word ptr ${text(memSeg(seg, m))}, 5`, (a) => a.add(memSeg(seg, m), 5, 2)];
      yield [
        `lock cmpxchg ${text(memSeg(seg, m))}, r9w`,
        (a) => a.lock().cmpxchg(memSeg(seg, m), r9w),
      ];
      yield [`movdqu xmm9, ${text(memSeg(seg, m))}`, (a) => a.movdqu(xmm9, memSeg(seg, m))];
    }
  }
});

gnuTest("rip-relative operands count from behind the immediate", function* () {
  yield ["before:", (a) => a.label("before")];
  for (const m of [rip("before"), rip("before", 16), rip("after"), rip("after", -9)]) {
    yield* load(m);
    yield [`lea rcx, ${text(m)}`, (a) => a.lea(rcx, m)];
    for (const size of SIZES) {
      for (const imm of [5, 100, 1000].filter((n) => size > 1 || n < 128)) {
        yield [`cmp ${text(m, size)}, ${imm}`, (a) => a.cmp(m, imm, size)];
        yield [`mov ${text(m, size)}, ${imm}`, (a) => a.mov(m, imm, size)];
        yield [`test ${text(m, size)}, ${imm}`, (a) => a.test(m, imm, size)];
      }
      yield [`shl ${text(m, size)}, 3`, (a) => a.shl(m, 3, size)];
      yield [`shl ${text(m, size)}, 1`, (a) => a.shl(m, 1, size)];
    }
    yield [`imul eax, ${text(m)}, 1000`, (a) => a.imul(eax, m, 1000)];
    yield [`imul rax, ${text(m)}, 10`, (a) => a.imul(rax, m, 10)];
    yield [`bts dword ptr ${text(m)}, 10`, (a) => a.bts(m, 10, 4)];
    yield [`jmp ${text(m, 8)}`, (a) => a.jmp(m)];
    yield [`call ${text(m, 8)}`, (a) => a.call(m)];
    yield [`push ${text(m, 8)}`, (a) => a.push(m)];
  }
  yield ["after:", (a) => a.label("after")];
});

gnuTest("byte registers need REX from spl on", function* () {
  for (const a8 of REGS8) {
    for (const b8 of REGS8) yield [`mov ${a8.name}, ${b8.name}`, (a) => a.mov(a8, b8)];
    yield [`mov ${a8.name}, 7`, (a) => a.mov(a8, 7)];
    yield [`mov ${a8.name}, [rbx]`, (a) => a.mov(a8, mem(rbx))];
    yield [`mov [r8+rbx], ${a8.name}`, (a) => a.mov(mem(r8, 0, rbx), a8)];
    yield [`movzx eax, ${a8.name}`, (a) => a.movzx(eax, a8)];
    yield [`sete ${a8.name}`, (a) => a.sete(a8)];
  }
});

gnuTest("lock stands before REX and behind the operand size", function* () {
  for (const size of SIZES) {
    for (const r of gprs(size)) {
      yield [`lock xadd [rbx], ${r.name}`, (a) => a.lock().xadd(mem(rbx), r)];
      yield [`lock cmpxchg [r15], ${r.name}`, (a) => a.lock().cmpxchg(mem(r15), r)];
    }
    yield [`lock or ${text(mem(rsp, 8), size)}, 1`, (a) => a.lock().or(mem(rsp, 8), 1, size)];
    yield [`lock dec ${text(mem(r8), size)}`, (a) => a.lock().dec(mem(r8), size)];
  }
  yield ["lock cmpxchg16b [rbp]", (a) => a.lock().cmpxchg16b(mem(rbp))];
});

Deno.test("lock is refused where the processor would refuse it", () => {
  const refused: ((a: Assembler) => void)[] = [
    (a) => a.lock().add(rax, rcx),
    (a) => a.lock().lock(),
    (a) => a.lock().syscall(),
    (a) => a.lock().push(rax),
    (a) => a.lock().assemble(),
  ];
  for (const emit of refused) assertThrows(() => emit(new Assembler()), Error, "lock()");
});

Deno.test("memory operands that no instruction can encode are refused", () => {
  assertThrows(() => mem(rax, 0, rsp), RangeError, "rsp");
  assertThrows(() => mem(rax, 2 ** 31), RangeError, "2147483648");
  assertThrows(() => mem(null, 0x80000000), RangeError, "2147483648");
  assertThrows(() => mem(rax, -(2 ** 31) - 1), RangeError);
  assertThrows(() => mem(rax, 0.5), RangeError, "0.5");
  assertThrows(() => mem(rax, NaN), RangeError);
  assertThrows(() => rip("x", 2 ** 31), RangeError);
});

Deno.test("operand sizes must be known and agree", () => {
  const a = new Assembler();
  assertThrows(() => a.add(mem(rax), 1), TypeError, "size unknown");
  assertThrows(() => a.inc(mem(rax)), TypeError, "size unknown");
  assertThrows(() => a.movzx(eax, mem(rax)), TypeError, "size unknown");
  assertThrows(() => a.add(rax, ecx), TypeError, "ecx");
  assertThrows(() => a.mov(mem(rax), ecx, 8), TypeError, "ecx");
  assertThrows(() => a.mov(mem(rax), mem(rcx), 8), TypeError, "both operands");
  assertThrows(() => a.xchg(mem(rax), mem(rcx)), TypeError);
  assertThrows(() => a.movzx(al, sil), TypeError, "al");
  assertThrows(() => a.tzcnt(al, r8b), TypeError, "bytes");
  assertThrows(() => a.shl(rax, al), TypeError, "al");
  assertEquals(a.length, 0);
});
