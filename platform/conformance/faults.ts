/** Page faults and exceptions: the trap says what happened and where, and the guest can go on. */

import { assert, assertEquals } from "@std/assert";
import {
  FPE_INTDIV,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SI_KERNEL,
  TRAP_TRACE,
} from "../../ffi/abi/siginfo.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP } from "../../ffi/abi/signal.ts";
import { PAGE_SIZE, PROT_NONE, PROT_READ } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { al, eax, ecx, edx, rax, rbx, rcx, rdi, rsi, xmm0 } from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { isTranslated } from "./host_view.ts";
import { CODE, DATA, describe, fail, type Lab, reg, RW, setReg, STACK } from "./lab.ts";

const FXSAVE_BYTES = 512;
/** An address at which nothing is mapped. */
const NOWHERE = 0x40000000;

export function testFaults(define: Define): void {
  define("a read where nothing is mapped", (lab) => {
    const c = fault(lab, (a) => a.mov(rax, mem(null, NOWHERE + 0x123)));
    assertFault(c, NOWHERE + 0x123, SEGV_MAPERR, p.ACCESS_READ);
  });
  define("a write where nothing is mapped", (lab) => {
    const c = fault(lab, (a) => a.mov(mem(null, NOWHERE + 0x800), rax));
    assertFault(c, NOWHERE + 0x800, SEGV_MAPERR, p.ACCESS_WRITE);
  });
  define("a jump to where nothing is mapped", (lab) => {
    const c = fault(lab, (a) => a.mov(rax, NOWHERE + 0x10).jmp(rax));
    assertFault(c, NOWHERE + 0x10, SEGV_MAPERR, p.ACCESS_EXEC);
    assertEquals(c.rip, NOWHERE + 0x10);
  });
  define("a write to a page that can be read", (lab) => {
    const c = fault(lab, (a) => a.mov(mem(null, DATA + 8), al), PROT_READ);
    assertFault(c, DATA + 8, SEGV_ACCERR, p.ACCESS_WRITE);
  });
  define("a read and a write of a page without permissions", (lab) => {
    assertFault(
      fault(lab, (a) => a.mov(al, mem(null, DATA)), PROT_NONE),
      DATA,
      SEGV_ACCERR,
      p.ACCESS_READ,
    );
    assertFault(
      fault(lab, (a) => a.inc(mem(null, DATA), 4), PROT_NONE),
      DATA,
      SEGV_ACCERR,
      p.ACCESS_WRITE,
    );
  });
  define("a jump to a page that cannot be executed", (lab) => {
    const c = fault(lab, (a) => a.mov(rax, DATA).jmp(rax), RW);
    assertFault(c, DATA, SEGV_ACCERR, p.ACCESS_EXEC);
  });
  define("a fault at address 0", (lab) => {
    const c = fault(lab, (a) => a.xor(eax, eax).mov(rax, mem(rax)));
    assertFault(c, 0, SEGV_MAPERR, p.ACCESS_READ);
  });
  define("reads and writes of many instructions", accessKinds);
  define("an instruction whose second half is not mapped", crossPage);
  define("a fault is repaired and the instruction runs again", repair);
  define("a fault in the middle of a string instruction", stringFault);
  define("exceptions: signal, code, address and place", exceptions);
  define("single step with the trap flag", singleStep);
  define("the page of the kernel's old calls does not call", vsyscall);
  define("faults keep all registers", keepsRegisters);
}

/** Runs one instruction, with a page at DATA if `prot` is given. The stop must be a fault. */
function fault(lab: Lab, emit: (a: Assembler) => Assembler, prot = -1): p.Context {
  const space = lab.space();
  lab.load(space, emit(new Assembler()).ud2());
  if (prot >= 0) lab.map(space, DATA, 1, prot);
  const c = lab.thread(space);
  c.resumeAll(true);
  return lab.expect(c, p.TRAP_FAULT);
}

/**
 * An access of 0 means that the platform cannot tell; it is allowed for reads and writes of
 * unmapped pages.
 */
function assertFault(c: p.Context, addr: number, code: number, access: number): void {
  assertEquals([c.faultAddr, c.signo, c.sigcode], [addr, SIGSEGV, code], describe(c));
  const isUnknown = (c.faultAccess === 0 || isTranslated) && access !== p.ACCESS_EXEC;
  if (!isUnknown) assertEquals(c.faultAccess, access, `access of ${describe(c)}`);
}

function accessKinds(lab: Lab): void {
  const at = mem(null, DATA + 16);
  const writes: ((a: Assembler) => Assembler)[] = [
    (a) => a.mov(at, eax),
    (a) => a.mov(at, 7, 4),
    (a) => a.add(at, rax),
    (a) => a.lock().xadd(at, rax),
    (a) => a.xchg(at, rax),
    (a) => a.lock().cmpxchg(at, rbx),
    (a) => a.not(at, 1),
    (a) => a.shl(at, 3, 8),
    (a) => a.sete(at),
    (a) => a.bts(at, 3, 4),
    (a) => a.pop(at),
    (a) => a.movups(at, xmm0),
    (a) => a.movq(at, xmm0),
    (a) => a.mov(rdi, DATA + 16).repStosb(),
    (a) => a.fxsave(at),
    (a) => a.db(0x0f, 0xc3, 0x04, 0x25).dd(DATA + 16), // movnti
    (a) => a.db(0xc5, 0xfc, 0x11, 0x04, 0x25).dd(DATA + 16), // vmovups
  ];
  const reads: ((a: Assembler) => Assembler)[] = [
    (a) => a.mov(eax, at),
    (a) => a.add(rax, at),
    (a) => a.cmp(at, 7, 4),
    (a) => a.test(at, 7, 4),
    (a) => a.push(at),
    (a) => a.movzx(eax, at, 1),
    (a) => a.bt(at, 3, 4),
    (a) => a.movups(xmm0, at),
    (a) => a.movq(xmm0, at),
    (a) => a.pxor(xmm0, at),
    (a) => a.jmp(at),
    (a) => a.call(at),
    (a) => a.fxrstor(at),
    (a) => a.mul(at, 8),
    (a) => a.mov(rsi, DATA + 16).mov(rdi, STACK).mov(ecx, 1).repMovsb(),
    (a) => a.db(0xc5, 0xfc, 0x10, 0x04, 0x25).dd(DATA + 16), // vmovups
  ];
  const space = lab.space();
  lab.map(space, STACK, 16);
  for (const [list, access] of [[writes, p.ACCESS_WRITE], [reads, p.ACCESS_READ]] as const) {
    list.forEach((emit, i) => {
      const code = emit(new Assembler().mov(ecx, 1).xor(eax, eax).label("here"));
      lab.load(space, code.ud2());
      for (const prot of access === p.ACCESS_WRITE ? [-1, PROT_READ] : [-1]) {
        if (prot < 0) space.unmap(DATA, PAGE_SIZE);
        else lab.map(space, DATA, 1, prot);
        const c = lab.thread(space);
        c.resumeAll(true);
        lab.expect(c, p.TRAP_FAULT);
        const what = `${access === p.ACCESS_WRITE ? "write" : "read"} ${i} with prot ${prot}`;
        const isWithin = c.faultAddr >= DATA + 16 && c.faultAddr < DATA + 16 + FXSAVE_BYTES;
        assert(isWithin, `${what}: ${describe(c)}`); // the first byte, but for fxsave
        const isUnknown = prot < 0 && (c.faultAccess === 0 || isTranslated);
        if (!isUnknown) assertEquals(c.faultAccess, access, what);
        c.release();
      }
    });
  }
}

function crossPage(lab: Lab): void {
  const space = lab.space();
  const end = CODE + PAGE_SIZE;
  lab.load(space, new Assembler().zero(PAGE_SIZE - 3).db(0x48, 0xb8, 1)); // movabs
  const c = lab.thread(space, end - 3);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_FAULT);
  assertEquals([c.rip, c.faultAddr, c.faultAccess], [end - 3, end, p.ACCESS_EXEC]);
}

function repair(lab: Lab): void {
  const code = new Assembler().mov(rdi, mem(null, DATA)).mov(eax, 1).syscall()
    .mov(mem(null, DATA), rdi).mov(eax, 2).syscall();
  const space = lab.space();
  lab.load(space, code);
  const c = lab.thread(space);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_FAULT);
  const page = lab.map(space, DATA, 1, PROT_READ);
  lab.arena.dv.setUint32(page, 0x5eed, true);
  c.fetchRegs();
  c.resumeAll(false);
  lab.expectCall(c, 1);
  assertEquals(c.args.u64(0), 0x5eed);
  c.resumeRet(0);
  lab.expect(c, p.TRAP_FAULT);
  assertEquals(c.faultAccess, p.ACCESS_WRITE);
  space.protect(DATA, PAGE_SIZE, RW);
  c.fetchRegs();
  c.resumeAll(false);
  lab.expectCall(c, 2);
}

function stringFault(lab: Lab): void {
  const space = lab.space();
  const code = new Assembler().mov(rdi, DATA + PAGE_SIZE - 100).mov(ecx, 300).mov(eax, 0x5a)
    .repStosb()
    .mov(eax, 1).syscall();
  lab.load(space, code);
  const data = lab.map(space, DATA);
  const c = lab.thread(space);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_FAULT);
  assertEquals(c.faultAddr, DATA + PAGE_SIZE);
  c.fetchRegs();
  assertEquals([reg(c, p.RCX), reg(c, p.RDI)], [200n, BigInt(DATA + PAGE_SIZE)]);
  assertEquals(lab.arena.dv.getUint8(data + PAGE_SIZE - 1), 0x5a);
  lab.map(space, DATA + PAGE_SIZE);
  c.resumeAll(false);
  lab.expectCall(c, 1);
}

function exceptions(lab: Lab): void {
  const kinds: [string, (a: Assembler) => Assembler, number, number[], number, number][] = [
    // name, code, signal, codes, trap number, bytes that rip is behind "here"
    ["ud2", (a) => a.ud2(), SIGILL, [1, 2], 6, 0],
    ["int3", (a) => a.int3(), SIGTRAP, [SI_KERNEL, 1], 3, 1],
    ["division by zero", (a) => a.div(rcx), SIGFPE, [FPE_INTDIV], 0, 0],
    ["hlt", (a) => a.hlt(), SIGSEGV, [SI_KERNEL], 13, 0],
    ["address not canonical", (a) => a.mov(rax, mem(rbx)), SIGSEGV, [SI_KERNEL], 13, 0],
  ];
  for (const [name, emit, signo, codes, trapno, behind] of kinds) {
    const code = new Assembler().movabs(rbx, 0x8000_0000_0000_0000n).xor(ecx, ecx).xor(edx, edx);
    code.mov(eax, 1).label("here");
    const c = lab.run(emit(code).ud2());
    lab.expect(c, p.TRAP_EXCEPTION);
    assertEquals([c.signo, c.trapno], [signo, trapno], name);
    assert(codes.includes(c.sigcode), `${name}: code ${c.sigcode}`);
    assertEquals(c.rip, CODE + code.offsetOf("here") + behind, name);
    if (signo === SIGILL || signo === SIGFPE) assertEquals(c.faultAddr, c.rip, name);
  }
}

function singleStep(lab: Lab): void {
  const code = new Assembler().nop(1).label("next").nop(1).ud2();
  const space = lab.space();
  lab.load(space, code);
  const c = lab.thread(space);
  setReg(c, p.EFLAGS, 0x302);
  c.resumeAll(true);
  for (let i = 1; i <= 2; i++) {
    lab.expect(c, p.TRAP_EXCEPTION);
    assertEquals([c.signo, c.sigcode, c.trapno, c.rip], [SIGTRAP, TRAP_TRACE, 1, CODE + i]);
    c.fetchRegs();
    c.resumeAll(false);
  }
  lab.expect(c, p.TRAP_EXCEPTION);
  assertEquals(c.signo, SIGILL);
}

/**
 * 0xffffffffff600400 is time(2) where the host emulates the vsyscall page. It must arrive as a call
 * of the guest, or as a fault.
 */
function vsyscall(lab: Lab): void {
  const code = new Assembler().movabs(rax, 0xffff_ffff_ff60_0400n).call(rax).label("behind").ud2();
  const space = lab.space();
  lab.load(space, code);
  lab.map(space, STACK, 16);
  const c = lab.thread(space);
  c.resumeAll(true);
  const stopped = lab.next();
  if (stopped.trap === p.TRAP_SYSCALL) {
    assertEquals([c.nr, c.rip], [201, CODE + code.offsetOf("behind")]);
    c.resumeRet(1234567);
    lab.expect(c, p.TRAP_EXCEPTION);
    assertEquals(c.rip, CODE + code.offsetOf("behind"));
    c.fetchRegs();
    assertEquals(reg(c, p.RAX), 1234567n);
    return;
  }
  if (stopped.trap !== p.TRAP_FAULT) fail(describe(stopped));
  assertEquals(c.signo === SIGBUS || c.signo === SIGSEGV, true);
}

function keepsRegisters(lab: Lab): void {
  const space = lab.space();
  const code = new Assembler().mov(rax, mem(rbx)).mov(eax, 3).syscall();
  lab.load(space, code);
  const c = lab.thread(space);
  setReg(c, p.RBX, DATA);
  setReg(c, p.RCX, 0x1111_2222_3333_4444n);
  setReg(c, p.R11, 0x5555_6666_7777_8888n);
  setReg(c, p.RAX, 0x9999n);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_FAULT);
  c.fetchRegs();
  assertEquals(
    [p.RAX, p.RBX, p.RCX, p.R11, p.RIP].map((at) => reg(c, at)),
    [0x9999n, BigInt(DATA), 0x1111_2222_3333_4444n, 0x5555_6666_7777_8888n, BigInt(CODE)],
  );
  lab.map(space, DATA);
  c.resumeAll(false);
  lab.expectCall(c, 3);
}
