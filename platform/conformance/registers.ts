/** Registers: what the kernel reads at a stop, what it writes, and what the guest then finds. */

import { assertEquals } from "@std/assert";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem, memSeg } from "../../ffi/asm/operands.ts";
import {
  eax,
  r10,
  r11,
  r12,
  r13,
  r14,
  r15,
  r8,
  r9,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  type Reg64,
  rsi,
} from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { CODE, DATA, fail, type Lab, reg, setReg, STACK, STACK_BYTES } from "./lab.ts";

/** Every general register but rsp, and its offset in Context.regs. */
const GENERAL: readonly (readonly [Reg64, number])[] = [
  [rax, p.RAX],
  [rbx, p.RBX],
  [rcx, p.RCX],
  [rdx, p.RDX],
  [rsi, p.RSI],
  [rdi, p.RDI],
  [rbp, p.RBP],
  [r8, p.R8],
  [r9, p.R9],
  [r10, p.R10],
  [r11, p.R11],
  [r12, p.R12],
  [r13, p.R13],
  [r14, p.R14],
  [r15, p.R15],
];
/** Carry, parity, adjust, zero, sign, direction and overflow, with interrupts on. */
const ALL_FLAGS = 0xed7;
const FLAGS_SLOT = DATA + 0x100, RSP_SLOT = DATA + 0x108;

/** A value of 64 bits that differs for each register and salt. */
function pattern(i: number, salt = 1): bigint {
  return BigInt.asUintN(64, 0x9e3779b97f4a7c15n * BigInt(i * 31 + salt * 977 + 7));
}

/** Writes all registers to DATA, 8 bytes each in the order of GENERAL, then flags and rsp. */
function storeAll(a: Assembler): Assembler {
  GENERAL.forEach(([r], i) => a.mov(mem(null, DATA + 8 * i), r));
  return a.mov(mem(null, RSP_SLOT), r15).pushfq().pop(mem(null, FLAGS_SLOT));
}

export function testRegisters(define: Define): void {
  define("a call shows its number, six arguments and place", callArguments);
  define("a result changes rax, rcx and r11 and nothing else", resultKeepsRegisters);
  define("resumeAll loads every register", loadAll);
  define("a thread begins with the registers it was given", firstRegisters);
  define("results of any size arrive whole", results);
  define("numbers outside of any table are calls too", oddNumbers);
  define("fs and gs have the bases they were given", segmentBases);
  define("int 0x80 is not a system call", foreignCall);
}

function callArguments(lab: Lab): void {
  const code = new Assembler();
  const order = [rdi, rsi, rdx, r10, r8, r9];
  order.forEach((r, i) => code.movabs(r, pattern(i)));
  code.mov(eax, 4242).syscall().label("behind").ud2();
  const c = lab.run(code);
  lab.expectCall(c, 4242);
  const expected = order.flatMap((_, i) => [
    Number(pattern(i) & 0xffffffffn),
    Number(pattern(i) >> 32n),
  ]);
  assertEquals([...c.args.words], expected);
  assertEquals(c.rip, CODE + code.offsetOf("behind"));
  assertEquals(c.rsp, STACK + STACK_BYTES - 64);
}

function resultKeepsRegisters(lab: Lab): void {
  const code = new Assembler();
  code.push(ALL_FLAGS).popfq();
  GENERAL.forEach(([r], i) => code.movabs(r, pattern(i)));
  code.mov(eax, 777).syscall().label("behind");
  storeAll(code).ud2();
  const space = lab.space();
  lab.load(space, code);
  const data = lab.map(space, DATA);
  lab.map(space, STACK, STACK_BYTES / 4096);
  const c = lab.thread(space);
  c.resumeAll(true);

  lab.expectCall(c, 777);
  c.fetchRegs();
  GENERAL.forEach(([r, at], i) => {
    if (r === rax || r === rcx || r === r11) return;
    assertEquals(reg(c, at), pattern(i), `${r.name} at the call`);
  });
  assertEquals(reg(c, p.RAX), 777n);
  assertEquals(reg(c, p.RIP), BigInt(CODE + code.offsetOf("behind")));
  assertEquals(reg(c, p.RSP), BigInt(STACK + STACK_BYTES - 64));
  assertEquals(Number(reg(c, p.EFLAGS)) & ALL_FLAGS, ALL_FLAGS);

  c.resumeRet(0x1234_5678_9abc);
  lab.expect(c, p.TRAP_EXCEPTION);
  const dv = lab.arena.dv;
  GENERAL.forEach(([r], i) => {
    const found = dv.getBigUint64(data + 8 * i, true);
    if (r === rcx || r === r11) return;
    assertEquals(found, r === rax ? 0x1234_5678_9abcn : pattern(i), `${r.name} behind the call`);
  });
  const flags = dv.getUint32(data + FLAGS_SLOT - DATA, true);
  assertEquals(flags & ALL_FLAGS, ALL_FLAGS, "flags behind the call");
  c.fetchRegs();
  assertEquals(reg(c, p.RSP), BigInt(STACK + STACK_BYTES - 64));
}

/** Checks all registers at a stop that changes none of them. */
function assertPatterns(c: p.Context, salt: number): void {
  c.fetchRegs();
  GENERAL.forEach(([r, at], i) => assertEquals(reg(c, at), pattern(i, salt), r.name));
}

function setPatterns(c: p.Context, salt: number): void {
  GENERAL.forEach(([_, at], i) => setReg(c, at, pattern(i, salt)));
}

function loadAll(lab: Lab): void {
  const code = new Assembler().mov(eax, 1).syscall().ud2().align(64).label("target").ud2();
  const c = lab.run(code);
  lab.expectCall(c, 1);
  c.fetchRegs();
  for (let round = 1; round <= 3; round++) { // from a call, then from exceptions
    setPatterns(c, round);
    setReg(c, p.RIP, CODE + code.offsetOf("target"));
    setReg(c, p.RSP, 0x7777_0000_1230 + round);
    setReg(c, p.EFLAGS, ALL_FLAGS);
    c.resumeAll(false);
    lab.expect(c, p.TRAP_EXCEPTION);
    assertEquals(c.rip, CODE + code.offsetOf("target"));
    assertEquals(c.rsp, 0x7777_0000_1230 + round);
    assertPatterns(c, round);
    assertEquals(Number(reg(c, p.EFLAGS)) & ALL_FLAGS, ALL_FLAGS);
    assertEquals(reg(c, p.RSP), BigInt(0x7777_0000_1230 + round));
  }
}

function firstRegisters(lab: Lab): void {
  const space = lab.space();
  lab.load(space, new Assembler().ud2());
  const c = lab.thread(space);
  setPatterns(c, 9);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_EXCEPTION);
  assertPatterns(c, 9);
}

function results(lab: Lab): void {
  const code = new Assembler().label("again").mov(rdi, rax).mov(eax, 5).syscall().jmp("again");
  const c = lab.run(code);
  lab.expectCall(c, 5);
  for (const result of [0, 1, -1, -38, -4095, 2 ** 31, 2 ** 32 - 1, 0x7fff_ffff_f000, -(2 ** 40)]) {
    c.resumeRet(result);
    lab.expectCall(c, 5);
    assertEquals(c.args.i64(0), result);
  }
}

function oddNumbers(lab: Lab): void {
  const code = new Assembler().label("again").mov(rax, rbx).syscall().jmp("again");
  const space = lab.space();
  lab.load(space, code);
  const c = lab.thread(space);
  c.resumeAll(true);
  lab.expectCall(c, 0);
  for (const nr of [512, 0x4000_0027, 0x7fff_ffff, -2, -1]) {
    c.fetchRegs();
    setReg(c, p.RBX, nr >>> 0);
    setReg(c, p.RIP, CODE);
    c.resumeAll(false);
    lab.expect(c, p.TRAP_SYSCALL);
    assertEquals(c.nr | 0, nr);
  }
}

function segmentBases(lab: Lab): void {
  const code = new Assembler().label("again")
    .mov(rdi, memSeg("fs", mem(null, 0))).mov(rsi, memSeg("gs", mem(null, 8)))
    .mov(eax, 6).syscall().jmp("again");
  const space = lab.space();
  lab.load(space, code);
  const data = lab.map(space, DATA, 2);
  const dv = lab.arena.dv;
  for (let i = 0; i < 2; i++) {
    dv.setBigUint64(data + 4096 * i, pattern(i), true);
    dv.setBigUint64(data + 4096 * i + 8, pattern(i, 2), true);
  }
  const c = lab.thread(space);
  setReg(c, p.FS_BASE, DATA);
  setReg(c, p.GS_BASE, DATA);
  for (let i = 0; i < 2; i++) {
    c.resumeAll(i === 0);
    lab.expectCall(c, 6);
    assertEquals(c.args.words[0], Number(pattern(i) & 0xffffffffn), "through fs");
    assertEquals(c.args.words[2], Number(pattern(i, 2) & 0xffffffffn), "through gs");
    if (!c.isFull) {
      c.requestFull();
      lab.expect(c, p.TRAP_FULL);
    }
    c.fetchRegs();
    assertEquals(reg(c, p.FS_BASE), BigInt(DATA + 4096 * i));
    setReg(c, p.FS_BASE, DATA + 4096);
    setReg(c, p.GS_BASE, DATA + 4096);
    setReg(c, p.RIP, CODE);
  }
}

function foreignCall(lab: Lab): void {
  const c = lab.run(new Assembler().mov(eax, 1).db(0xcd, 0x80).ud2());
  const stopped = lab.next();
  if (stopped.trap === p.TRAP_SYSCALL) fail("a 32-bit call was taken for a 64-bit one");
  assertEquals(stopped, c);
  if (stopped.trap === p.TRAP_DEATH) return;
  assertEquals([c.trap, c.signo], [p.TRAP_EXCEPTION, 11]);
}
