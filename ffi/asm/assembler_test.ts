import { assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { type Case, gnuTest, gprs, REGS64, text, XMMS } from "./gnu_as_testing.ts";
import { mem, memSeg, rip } from "./operands.ts";
import { eax, ecx, type Gpr, r10d, r12, r9, r9d, rax, rbp, rdi, xmm0 } from "./registers.ts";

const MEMS = [mem(rbp), mem(r12, 16), mem(r9, 0x400, rdi, 8), memSeg("gs", mem(null, 64))];

const PLAIN = [
  ..."syscall sysretq iretq swapgs int3 ud2 hlt pause endbr64 cpuid rdtsc rdtscp".split(" "),
  ..."xgetbv rdpkru wrpkru lfence mfence sfence fninit ret nop".split(" "),
] as ("syscall" | "sysretq" | "iretq" | "swapgs" | "ud2" | "nop")[]; // all have one type

gnuTest("instructions without operands", function* (): Iterable<Case> {
  for (const name of PLAIN) yield [name, (a) => a[name]()];
  yield ["rep movsb", (a) => a.repMovsb()];
  yield ["rep movsq", (a) => a.repMovsq()];
  yield ["rep stosb", (a) => a.repStosb()];
  yield ["rep stosq", (a) => a.repStosq()];
});

gnuTest("segment bases", function* () {
  for (const name of ["rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"] as const) {
    for (const r of REGS64) yield [`${name} ${r.name}`, (a) => a[name](r)];
  }
});

gnuTest("limits of segments", function* () {
  yield ["lsl eax, ecx", (a) => a.lsl(eax, ecx)];
  yield ["lsl r9d, r10d", (a) => a.lsl(r9d, r10d)];
});

gnuTest("saved processor state", function* () {
  yield ["here:", (a) => a.label("here")];
  for (const m of [...MEMS, rip("here", 64)]) {
    yield [`fxsave64 ${text(m)}`, (a) => a.fxsave(m)];
    yield [`fxrstor64 ${text(m)}`, (a) => a.fxrstor(m)];
    yield [`xsave64 ${text(m)}`, (a) => a.xsave(m)];
    yield [`xrstor64 ${text(m)}`, (a) => a.xrstor(m)];
    yield [`xsavec64 ${text(m)}`, (a) => a.xsavec64(m)];
    for (const name of ["ldmxcsr", "stmxcsr", "fldcw", "fnstcw"] as const) {
      yield [`${name} ${text(m)}`, (a) => a[name](m)];
    }
  }
});

gnuTest("vector moves", function* () {
  for (const name of ["movups", "movaps", "movdqu", "movdqa"] as const) {
    for (const d of XMMS) {
      for (const s of XMMS) yield [`${name} ${d.name}, ${s.name}`, (a) => a[name](d, s)];
      for (const m of MEMS) {
        yield [`${name} ${d.name}, ${text(m)}`, (a) => a[name](d, m)];
        yield [`${name} ${text(m)}, ${d.name}`, (a) => a[name](m, d)];
      }
    }
  }
});

gnuTest("movq, movd, pxor and conversions", function* () {
  for (const x of XMMS) {
    for (const r of REGS64) {
      yield [`movq ${x.name}, ${r.name}`, (a) => a.movq(x, r)];
      yield [`movq ${r.name}, ${x.name}`, (a) => a.movq(r, x)];
      yield [`cvttsd2si ${r.name}, ${x.name}`, (a) => a.cvttsd2si(r, x)];
      yield [`cvtsi2sd ${x.name}, ${r.name}`, (a) => a.cvtsi2sd(x, r)];
    }
    for (const r of gprs(4) as Gpr<4>[]) {
      yield [`movd ${x.name}, ${r.name}`, (a) => a.movd(x, r)];
      yield [`movd ${r.name}, ${x.name}`, (a) => a.movd(r, x)];
      yield [`cvttsd2si ${r.name}, ${x.name}`, (a) => a.cvttsd2si(r, x)];
      yield [`cvtsi2sd ${x.name}, ${r.name}`, (a) => a.cvtsi2sd(x, r)];
    }
    for (const y of XMMS) {
      yield [`movq ${x.name}, ${y.name}`, (a) => a.movq(x, y)];
      yield [`pxor ${x.name}, ${y.name}`, (a) => a.pxor(x, y)];
    }
    for (const m of MEMS) {
      yield [`movq ${x.name}, ${text(m, 8)}`, (a) => a.movq(x, m)];
      yield [`movq ${text(m, 8)}, ${x.name}`, (a) => a.movq(m, x)];
      yield [`movd ${x.name}, ${text(m, 4)}`, (a) => a.movd(x, m)];
      yield [`movd ${text(m, 4)}, ${x.name}`, (a) => a.movd(m, x)];
      yield [`pxor ${x.name}, ${text(m, 16)}`, (a) => a.pxor(x, m)];
      yield [`cvttsd2si rax, ${text(m, 8)}`, (a) => a.cvttsd2si(rax, m)];
    }
  }
});

gnuTest("nops of every length", function* () {
  const sizes = [
    "nop",
    "xchg ax, ax",
    "nop dword ptr [rax]",
    "{disp8} nop dword ptr [rax]",
    "{disp8} nop dword ptr [rax+rax*1]",
    "{disp8} nop word ptr [rax+rax*1]",
    "{disp32} nop dword ptr [rax]",
    "{disp32} nop dword ptr [rax+rax*1]",
    "{disp32} nop word ptr [rax+rax*1]",
  ];
  for (const [i, line] of sizes.entries()) yield [line, (a) => a.nop(i + 1)];
  yield [`${sizes[8]}; ${sizes[8]}; ${sizes[1]}`, (a) => a.nop(20)];
});

Deno.test("vector moves need a register", () => {
  const a = new Assembler();
  assertThrows(() => a.movups(mem(rax), mem(rax)), TypeError);
  assertThrows(() => a.movq(rax, rax), TypeError, "SSE register");
  assertThrows(() => a.movd(xmm0, xmm0), TypeError, "SSE register");
});
