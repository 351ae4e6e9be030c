import { assertEquals } from "@std/assert";
import * as P from "./ebpf_program.ts";
import { runEbpf } from "./ebpf_run.ts";
import { verify } from "./ebpf_verify.ts";

function program(
  ...instructions: [op: number, dst: number, src: number, off: number, imm: number][]
) {
  const code = new Uint8Array(instructions.length * P.INSTRUCTION_BYTES);
  const view = new DataView(code.buffer);
  instructions.forEach(([op, dst, src, off, imm], i) => {
    view.setUint8(8 * i, op);
    view.setUint8(8 * i + 1, src << 4 | dst);
    view.setInt16(8 * i + 2, off, true);
    view.setInt32(8 * i + 4, imm, true);
  });
  return new P.EbpfProgram(code);
}

const CONTEXT = new DataView(new Uint32Array([0x60002, 1, 3]).buffer);
const K64 = (operation: number) => operation << 4 | P.ALU64;
const K32 = (operation: number) => operation << 4 | P.ALU;
const EXIT = P.EXIT << 4 | P.JMP;

/**
 * Value of r0 behind `operation`, as an unsigned 64-bit number, shifted right by `shift` where
 * given.
 */
function result(op: number, left: number, right: number): bigint {
  const steps = program([K64(P.MOV), 0, 0, 0, left], [op, 0, 0, 0, right], [EXIT, 0, 0, 0, 0]);
  const high = program(
    [K64(P.MOV), 0, 0, 0, left],
    [op, 0, 0, 0, right],
    [K64(P.RSH), 0, 0, 0, 32],
    [EXIT, 0, 0, 0, 0],
  );
  return BigInt(runEbpf(high, CONTEXT)) << 32n | BigInt(runEbpf(steps, CONTEXT)) & 0xffffffffn;
}

Deno.test("operations of 64 and of 32 bits", () => {
  const all = 0xffffffffffffffffn;
  assertEquals(result(K64(P.ADD), -1, 1), 0n);
  assertEquals(result(K64(P.SUB), 0, 2) & 0xffffffff00000000n, 0xffffffff00000000n);
  assertEquals(result(K32(P.ADD), -1, 1), 0n);
  assertEquals(result(K64(P.RSH), -1, 60), 15n);
  assertEquals(result(K32(P.ARSH), 64, 4), 4n);
  assertEquals(result(K64(P.DIV), 100, 7), 14n);
  assertEquals(result(K64(P.MOD), 100, 7), 2n);
  assertEquals(result(K32(P.LSH), 1, 31), 0x80000000n);
  assertEquals(result(K64(P.LSH), 1, 40), 1n << 40n);
  assertEquals(result(K32(P.XOR), 5, 3), 6n);
  assertEquals(result(K64(P.OR), 8, 1), 9n);
  assertEquals(result(K64(P.MOV), 0, -1) >> 32n, all >> 32n);
});

Deno.test("jumps compare with and without a sign, in 32 and in 64 bits", () => {
  const jump = (family: number, operation: number, left: number, right: number) =>
    runEbpf(
      program(
        [K64(P.MOV), 0, 0, 0, 1],
        [K64(P.MOV), 2, 0, 0, left],
        [operation << 4 | family, 2, 0, 1, right],
        [K64(P.MOV), 0, 0, 0, 0],
        [EXIT, 0, 0, 0, 0],
      ),
      CONTEXT,
    );
  assertEquals(jump(P.JMP, P.JGT, -1, 5), 1);
  assertEquals(jump(P.JMP, P.JSGT, -1, 5), 0);
  assertEquals(jump(P.JMP, P.JSLT, -1, 5), 1);
  assertEquals(jump(P.JMP32, P.JGE, -1, 5), 1);
  assertEquals(jump(P.JMP, P.JSET, 6, 4), 1);
  assertEquals(jump(P.JMP, P.JSET, 6, 1), 0);
  assertEquals(jump(P.JMP, P.JLE, 5, 5), 1);
  assertEquals(jump(P.JMP, P.JLT, 5, 5), 0);
  assertEquals(jump(P.JMP, P.JNE, 5, 5), 0);
  assertEquals(jump(P.JMP32, P.JSLE, -2, -1), 1);
  assertEquals(jump(P.JMP32, P.JSGE, -2, -1), 0);
});

Deno.test("random programs end or are refused", () => {
  let seed = 7, good = 0;
  const next = (n: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  const ops = [
    K64(P.MOV),
    K32(P.MOV),
    K64(P.AND),
    K32(P.ADD),
    0xbf,
    0x61,
    0x69,
    0x55,
    0x1d,
    0x05,
    EXIT,
  ];
  for (let i = 0; i < 20_000; i++) {
    const steps: [number, number, number, number, number][] = [[K64(P.MOV), 0, 0, 0, next(2)]];
    for (let n = next(6); n > 0; n--) {
      const op = next(8) === 0 ? next(256) : ops[next(ops.length)]!;
      steps.push([op, next(12), next(3), next(5) - 1, next(2)]);
    }
    steps.push([K64(P.MOV), 0, 0, 0, next(2)], [EXIT, 0, 0, 0, 0]);
    const made = program(...steps);
    if (verify(made, (offset, bytes) => offset >= 0 && offset + bytes <= 12) !== null) continue;
    good++;
    assertEquals(runEbpf(made, CONTEXT) <= 1, true);
  }
  assertEquals(good > 100, true, `${good} good ones`);
});
