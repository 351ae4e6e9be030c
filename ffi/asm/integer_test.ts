import { assertEquals, assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { type Case, gnuTest, GPRS, gprs, REGS64, REGS8, SIZES, text } from "./gnu_as_testing.ts";
import { mem } from "./operands.ts";
import { al, ax, cl, eax, type Gpr, r12, r9, rax, rbx, rcx, rdi, type Size } from "./registers.ts";

const MEMS = [mem(rbx, 8), mem(r12), mem(r9, -300, rdi, 4), mem(null, 0x1000)];

/** Immediates at the edges of their encodings; beyond the operand's size they are left out. */
function immediates(size: Size): number[] {
  const edges = [0, 1, -1, 127, 128, -128, -129, 255, 256, 0x7fff, 0x8000, -0x8000, 0xffff]
    .concat(0x10000, 0x7fffffff, -0x80000000, 0x80000000, 0xffffff80, 0xffffffff);
  const top = size === 8 ? 2 ** 31 : 2 ** (size * 8);
  return edges.filter((n) => n >= -(2 ** (Math.min(size, 4) * 8 - 1)) && n < top);
}

function* pairs(): Iterable<[Gpr, Gpr]> {
  for (const size of SIZES) {
    for (const a of gprs(size)) for (const b of gprs(size)) yield [a, b];
  }
}

const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test"] as const;

gnuTest("arithmetic on registers, memory and immediates", function* (): Iterable<Case> {
  for (const name of [...ARITHMETIC, "mov"] as const) {
    for (const [d, s] of pairs()) yield [`${name} ${d.name}, ${s.name}`, (a) => a[name](d, s)];
    for (const size of SIZES) {
      for (const m of MEMS) {
        for (const r of gprs(size)) {
          yield [`${name} ${text(m)}, ${r.name}`, (a) => a[name](m, r)];
          yield [`${name} ${r.name}, ${text(m)}`, (a) => a[name](r, m)];
        }
        for (const n of immediates(size)) {
          yield [`${name} ${text(m, size)}, ${n}`, (a) => a[name](m, n, size)];
        }
      }
      for (const r of gprs(size)) {
        for (const n of immediates(size)) yield [`${name} ${r.name}, ${n}`, (a) => a[name](r, n)];
      }
    }
  }
});

gnuTest("mov and movabs of full 64-bit numbers", function* () {
  for (const r of REGS64) {
    for (const n of [2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER]) {
      yield [`mov ${r.name}, ${n}`, (a) => a.mov(r, n)];
    }
    for (const n of [0n, 1n, -1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)]) {
      yield [`movabs ${r.name}, ${n}`, (a) => a.movabs(r, n)];
    }
    yield [`movabs ${r.name}, 5`, (a) => a.movabs(r, 5)];
  }
});

gnuTest("instructions of one operand", function* () {
  for (const name of ["inc", "dec", "not", "neg", "mul", "div", "idiv"] as const) {
    for (const r of GPRS) yield [`${name} ${r.name}`, (a) => a[name](r)];
    for (const size of SIZES) {
      for (const m of MEMS) yield [`${name} ${text(m, size)}`, (a) => a[name](m, size)];
    }
  }
});

gnuTest("shifts and rotates", function* () {
  for (const name of ["rol", "ror", "shl", "shr", "sar"] as const) {
    for (const size of SIZES) {
      for (const by of [1, 2, 31, 63]) {
        for (const r of gprs(size)) yield [`${name} ${r.name}, ${by}`, (a) => a[name](r, by)];
        yield [`${name} ${text(mem(rbx), size)}, ${by}`, (a) => a[name](mem(rbx), by, size)];
      }
      for (const r of gprs(size)) yield [`${name} ${r.name}, cl`, (a) => a[name](r, cl)];
      yield [`${name} ${text(mem(r12), size)}, cl`, (a) => a[name](mem(r12), cl, size)];
    }
  }
});

gnuTest("multiplication with two and three operands", function* () {
  for (const size of [2, 4, 8] as const) {
    for (const d of GPRS.filter((r) => r.size === size)) {
      const dst = d as Gpr<2> | Gpr<4> | Gpr<8>;
      for (const s of gprs(size)) {
        yield [`imul ${d.name}, ${s.name}`, (a) => a.imul(dst, s)];
        yield [`imul ${d.name}, ${s.name}, 100`, (a) => a.imul(dst, s, 100)];
        yield [`imul ${d.name}, ${s.name}, -1000`, (a) => a.imul(dst, s, -1000)];
      }
      yield [`imul ${d.name}, 12`, (a) => a.imul(dst, 12)];
      yield [`imul ${d.name}, [rbx+8]`, (a) => a.imul(dst, mem(rbx, 8))];
      yield [`imul ${d.name}, [rbx+8], 128`, (a) => a.imul(dst, mem(rbx, 8), 128)];
    }
  }
});

gnuTest("bit tests and bit scans", function* () {
  for (const [d, s] of pairs()) {
    if (d.size === 1) continue;
    for (const name of ["bt", "bts", "btr", "btc"] as const) {
      yield [`${name} ${d.name}, ${s.name}`, (a) => a[name](d, s)];
      yield [`${name} ${text(mem(r12, 8))}, ${s.name}`, (a) => a[name](mem(r12, 8), s)];
      yield [`${name} ${d.name}, 15`, (a) => a[name](d, 15)];
      yield [`${name} ${text(mem(rbx), d.size)}, 9`, (a) => a[name](mem(rbx), 9, d.size)];
    }
    for (const name of ["bsf", "bsr", "tzcnt", "lzcnt", "popcnt"] as const) {
      yield [`${name} ${d.name}, ${s.name}`, (a) => a[name](d, s)];
      yield [`${name} ${d.name}, [rbx]`, (a) => a[name](d, mem(rbx))];
    }
  }
});

gnuTest("extension, lea and byte swaps", function* () {
  for (const d of GPRS.filter((r) => r.size > 1)) {
    for (const name of ["movzx", "movsx"] as const) {
      for (const s of REGS8) yield [`${name} ${d.name}, ${s.name}`, (a) => a[name](d, s)];
      yield [`${name} ${d.name}, byte ptr [r12]`, (a) => a[name](d, mem(r12), 1)];
      if (d.size === 2) continue;
      for (const s of gprs(2) as Gpr<2>[]) {
        yield [`${name} ${d.name}, ${s.name}`, (a) => a[name](d, s)];
      }
      yield [`${name} ${d.name}, word ptr [rbx+4]`, (a) => a[name](d, mem(rbx, 4), 2)];
    }
  }
  for (const d of REGS64) {
    for (const s of gprs(4) as Gpr<4>[]) {
      yield [`movsxd ${d.name}, ${s.name}`, (a) => a.movsxd(d, s)];
      yield [`lea ${s.name}, [${d.name}+5]`, (a) => a.lea(s, mem(d, 5))];
      yield [`bswap ${s.name}`, (a) => a.bswap(s)];
    }
    yield [`movsxd ${d.name}, dword ptr [rbx]`, (a) => a.movsxd(d, mem(rbx))];
    for (const m of MEMS) yield [`lea ${d.name}, ${text(m)}`, (a) => a.lea(d, m)];
    yield [`bswap ${d.name}`, (a) => a.bswap(d)];
  }
});

gnuTest("exchanges", function* () {
  for (const [d, s] of pairs()) {
    if (d !== rax || s !== rax) { // GNU as writes the plain nop, we the same with REX.W
      yield [`xchg ${d.name}, ${s.name}`, (a) => a.xchg(d, s)];
    }
    yield [`xadd ${d.name}, ${s.name}`, (a) => a.xadd(d, s)];
    yield [`cmpxchg ${d.name}, ${s.name}`, (a) => a.cmpxchg(d, s)];
  }
  for (const size of SIZES) {
    for (const r of gprs(size)) {
      for (const m of MEMS) {
        yield [`xchg ${text(m)}, ${r.name}`, (a) => a.xchg(m, r)];
        yield [`xchg ${r.name}, ${text(m)}`, (a) => a.xchg(r, m)];
        yield [`xadd ${text(m)}, ${r.name}`, (a) => a.xadd(m, r)];
        yield [`cmpxchg ${text(m)}, ${r.name}`, (a) => a.cmpxchg(m, r)];
      }
    }
  }
});

gnuTest("the stack and flags", function* () {
  for (const r of REGS64) {
    yield [`push ${r.name}`, (a) => a.push(r)];
    yield [`pop ${r.name}`, (a) => a.pop(r)];
  }
  for (const m of MEMS) {
    yield [`push ${text(m, 8)}`, (a) => a.push(m)];
    yield [`pop ${text(m, 8)}`, (a) => a.pop(m)];
  }
  for (const n of immediates(8)) yield [`push ${n}`, (a) => a.push(n)];
  for (const name of ["pushfq", "popfq", "sahf", "leave", "cdq", "cqo", "cld", "std"] as const) {
    yield [name, (a) => a[name]()];
  }
});

Deno.test("immediates out of range are refused by value and size", () => {
  const a = new Assembler();
  assertThrows(() => a.add(al, 256), RangeError, "256 does not fit an operation on 1 bytes");
  assertThrows(() => a.mov(al, -129), RangeError, "-129");
  assertThrows(() => a.mov(ax, 0x10000), RangeError, "65536");
  assertThrows(() => a.mov(eax, 2 ** 32), RangeError, "4294967296");
  assertThrows(() => a.and(rax, 0xffffffff), RangeError, "on 8 bytes");
  assertThrows(() => a.mov(mem(rax), 2 ** 31, 8), RangeError, "on 8 bytes");
  assertThrows(() => a.push(2 ** 31), RangeError);
  assertThrows(() => a.imul(rax, rcx, 2 ** 31), RangeError);
  assertThrows(() => a.shl(rax, 256), RangeError, "256");
  assertThrows(() => a.bt(rax, -1), RangeError, "-1");
  for (const bad of [1.5, NaN, Infinity]) assertThrows(() => a.add(eax, bad), RangeError);
  assertEquals(a.length, 0);
});

Deno.test("numbers beyond 2^53 need a bigint, beyond 2^64 nothing helps", () => {
  assertThrows(() => new Assembler().mov(rax, 2 ** 53), RangeError, "bigint");
  assertThrows(() => new Assembler().movabs(rax, 2n ** 64n), RangeError, "8 bytes");
  assertThrows(() => new Assembler().movabs(rax, -(2n ** 63n) - 1n), RangeError, "8 bytes");
});
