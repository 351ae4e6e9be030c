import { assertEquals } from "@std/assert";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { al, cl, eax, r13, r9, rax, rbp, rcx, rsp, xmm1, xmm9 } from "../../ffi/asm/registers.ts";
import { decode } from "./instruction.ts";

const at = mem(rbp, 0x100, rcx, 4);

/** The kinds of the assembler's instructions. */
const ASSEMBLED: readonly [string, (a: Assembler) => Assembler][] = [
  [".", (a) => a.mov(rax, 1)],
  [".", (a) => a.movabs(r9, 0x1122334455667788n)],
  [".", (a) => a.xor(eax, eax)],
  [".", (a) => a.syscall()],
  [".", (a) => a.cpuid()],
  ["n", (a) => a.lea(rax, at)],
  ["r", (a) => a.mov(rax, mem(rsp))],
  ["r", (a) => a.mov(al, mem(r13))],
  ["r", (a) => a.add(rax, mem(null, 0x1000))],
  ["r", (a) => a.cmp(at, 1000, 4)],
  ["r", (a) => a.cmp(at, 1000, 2)],
  ["r", (a) => a.test(at, 7, 8)],
  ["r", (a) => a.bt(at, 3, 4)],
  ["r", (a) => a.movups(xmm9, at)],
  ["r", (a) => a.movq(xmm1, at)],
  ["r", (a) => a.imul(rax, at, 77)],
  ["r", (a) => a.jmp(at)],
  ["r", (a) => a.xrstor(at)],
  ["r", (a) => a.fldcw(at)],
  ["w", (a) => a.mov(at, rax)],
  ["w", (a) => a.mov(at, 5, 1)],
  ["w", (a) => a.mov(at, 5, 2)],
  ["w", (a) => a.mov(at, 5, 8)],
  ["w", (a) => a.add(at, 5, 4)],
  ["w", (a) => a.xchg(at, rax)],
  ["w", (a) => a.lock().cmpxchg(at, rcx)],
  ["w", (a) => a.lock().xadd(at, rcx)],
  ["w", (a) => a.shl(at, cl, 4)],
  ["w", (a) => a.sete(at)],
  ["w", (a) => a.neg(at, 8)],
  ["w", (a) => a.btr(at, 3, 4)],
  ["w", (a) => a.movups(at, xmm9)],
  ["w", (a) => a.movq(at, xmm9)],
  ["w", (a) => a.xsave(at)],
  ["w", (a) => a.xsavec64(at)],
  ["w", (a) => a.fnstcw(at)],
  [">", (a) => a.push(at)],
  [">", (a) => a.call(at)],
  ["<", (a) => a.pop(at)],
  ["p", (a) => a.push(rax)],
  ["p", (a) => a.push(1000)],
  ["p", (a) => a.pushfq()],
  ["p", (a) => a.label("x").call("x")],
  ["q", (a) => a.pop(r9)],
  ["q", (a) => a.ret()],
  ["s", (a) => a.repStosq()],
  ["v", (a) => a.repMovsb()],
];

/** Instructions from the manual that the assembler does not have. */
const BYTES: readonly [string, string][] = [
  ["r", "c5 fc 10 00"], // vmovups ymm0, [rax]
  ["w", "c5 fc 11 00"], // vmovups [rax], ymm0
  ["w", "62 f1 7c 48 11 40 01"], // vmovups [rax+64], zmm0
  ["w", "62 f2 7d 48 a0 04 08"], // vpscatterdd
  ["w", "62 f2 7e 48 31 00"], // vpmovdb [rax], zmm0
  ["r", "62 f2 7d 48 31 00"], // vpmovzxbd zmm0, [rax]
  ["w", "c4 e2 7d 2e 00"], // vmaskmovps [rax], ymm0, ymm0
  ["w", "c4 e3 7d 39 00 01"], // vextracti128 [rax], ymm0, 1
  ["r", "c4 e3 7d 38 00 01"], // vinserti128 ymm0, ymm0, [rax], 1
  ["w", "0f 38 f1 00"], // movbe [rax], eax
  ["r", "f2 0f 38 f1 00"], // crc32 eax, [rax]
  ["r", "66 0f 38 f6 00"], // adcx eax, [rax]
  ["w", "66 0f 3a 16 00 01"], // pextrd [rax], xmm0, 1
  ["w", "dd 18"], // fstp qword [rax]
  ["r", "dd 00"], // fld qword [rax]
  ["s", "66 0f f7 c1"], // maskmovdqu xmm0, xmm1
  ["r", "a0 00 00 00 20 00 00 00 00"], // mov al, [0x20000000]
  ["w", "48 a3 00 00 00 20 00 00 00 00"],
  ["p", "c8 00 01 00"], // enter 256, 0
  ["n", "0f 1f 84 00 00 00 00 00"],
  [".", "66 b8 01 00"], // mov ax, 1
  [".", "66 0f 84 00 00 00 00"],
  ["l", "f3 a6"],
];

Deno.test("decode: length and kind of the assembler's instructions", () => {
  for (const [kind, emit] of ASSEMBLED) {
    const bytes = emit(new Assembler()).assemble();
    assertEquals(decode(bytes), { length: bytes.length, kind }, hex(bytes));
    // Bytes behind the instruction change nothing.
    assertEquals(decode(new Uint8Array([...bytes, 0xff, 0xff])).length, bytes.length, hex(bytes));
  }
});

Deno.test("decode: vector, x87 and rare instructions", () => {
  for (const [kind, text] of BYTES) {
    const bytes = new Uint8Array(text.split(" ").map((b) => parseInt(b, 16)));
    assertEquals(decode(bytes), { length: bytes.length, kind }, text);
  }
});

Deno.test("decode: any bytes give a length", () => {
  let state = 1;
  const bytes = new Uint8Array(15);
  for (let i = 0; i < 20000; i++) {
    for (let k = 0; k < bytes.length; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[k] = state >>> 24;
    }
    const { length, kind } = decode(bytes.subarray(0, 1 + i % 15));
    assertEquals(length >= 1 && length < 40 && ".nrwpq><lsv".includes(kind), true, hex(bytes));
  }
  assertEquals(decode(new Uint8Array(15).fill(0x66)).length >= 15, true);
});

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
}
