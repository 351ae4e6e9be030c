/**
 * Attacks of guest code on the machine that it runs in: none may reach ring 0, another space or the
 * Sentry, and the attacker gets the signal that a process on Linux would get.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, ecx, edx, r11, rax, rbx, rcx, rsp } from "../../ffi/asm/registers.ts";
import { SIGILL, SIGSEGV, SIGTRAP } from "../../ffi/abi/signal.ts";
import { caller, CODE, DATA, describe, reg, setReg, STACK } from "../conformance/lab.ts";
import { isTranslated } from "../conformance/host_view.ts";
import { USER_END } from "../platform.ts";
import * as p from "../platform.ts";
import { assertSound, attack, RING0_BASE, STUB_AT, test } from "./hostile_testing.ts";
import { CALL_PORT } from "./call_stub.ts";
import { cpuPages, EXCEPTION_PORT, MAX_CPUS } from "./ring0.ts";

/** The `int n` that PVM answers as cpuid, which any thread may execute. */
const ANSWERED_AS_CPUID = 26;

const PRIVILEGED: Readonly<Record<string, readonly number[]>> = {
  "hlt": [0xf4],
  "cli": [0xfa],
  "sti": [0xfb],
  "clts": [0x0f, 0x06],
  "invd": [0x0f, 0x08],
  "wbinvd": [0x0f, 0x09],
  "rdmsr": [0x0f, 0x32],
  "wrmsr": [0x0f, 0x30],
  "invlpg [rax]": [0x0f, 0x01, 0x38],
  "lgdt [rsp]": [0x0f, 0x01, 0x14, 0x24],
  "lidt [rsp]": [0x0f, 0x01, 0x1c, 0x24],
  "lldt ax": [0x0f, 0x00, 0xd0],
  "ltr ax": [0x0f, 0x00, 0xd8],
  "lmsw ax": [0x0f, 0x01, 0xf0],
  "swapgs": [0x0f, 0x01, 0xf8],
  "sysretq": [0x48, 0x0f, 0x07],
  "sysexit": [0x0f, 0x35],
  "xsetbv": [0x0f, 0x01, 0xd1],
  "mov rax, cr0": [0x0f, 0x20, 0xc0],
  "mov cr0, rax": [0x0f, 0x22, 0xc0],
  "mov cr3, rax": [0x0f, 0x22, 0xd8],
  "mov cr4, rax": [0x0f, 0x22, 0xe0],
  "mov cr8, rax": [0x44, 0x0f, 0x22, 0xc0],
  "mov dr7, rax": [0x0f, 0x23, 0xf8],
  "mov rax, dr7": [0x0f, 0x21, 0xf8],
  "monitor": [0x0f, 0x01, 0xc8],
  "mwait": [0x0f, 0x01, 0xc9],
  "vmlaunch": [0x0f, 0x01, 0xc2],
  "vmrun": [0x0f, 0x01, 0xd8],
  "in al, 0x20": [0xe4, 0x20],
  "out 0x20, al": [0xe6, 0x20],
  "in al, the port of calls": [0xe4, CALL_PORT],
  "out the port of calls, al": [0xe6, CALL_PORT],
  "out the port of calls, eax": [0xe7, CALL_PORT],
  "out the port of exceptions, al": [0xe6, EXCEPTION_PORT + 14],
};

test("instructions of ring 0 are faults", (lab) => {
  for (const [name, bytes] of Object.entries(PRIVILEGED)) {
    if (isTranslated && name.endsWith("invd")) continue;
    const c = attack(lab, name, (a) => a.xor(eax, eax).xor(ecx, ecx).xor(edx, edx).db(...bytes));
    assertEquals(c.trap, p.TRAP_EXCEPTION, `${name}: ${describe(c)}`);
    assert(c.signo === SIGSEGV || c.signo === SIGILL, `${name}: ${describe(c)}`);
    assertSound(lab);
  }
});

test("ports by number in dx, and strings of them", (lab) => {
  for (const port of [0, CALL_PORT, EXCEPTION_PORT, EXCEPTION_PORT + 13, 0x70, 0x3f8, 0xffff]) {
    const forms: [string, number[]][] = [
      ["in al, dx", [0xec]],
      ["in eax, dx", [0xed]],
      ["out dx, al", [0xee]],
      ["rep outsb", [0xf3, 0x6e]],
      ["rep insb", [0xf3, 0x6c]],
    ];
    for (const [name, bytes] of forms) {
      const what = `${name} with port ${port}`;
      const c = attack(lab, what, (a) => {
        a.mov(edx, port).mov(ecx, 300).mov(rbx, DATA);
        return a.db(0x48, 0x89, 0xde, 0x48, 0x89, 0xdf).db(...bytes); // rsi, rdi = rbx
      });
      assertEquals([c.trap, c.signo], [p.TRAP_EXCEPTION, SIGSEGV], `${what}: ${describe(c)}`);
      assertSound(lab);
    }
  }
});

test("a port used by one thread changes nothing of the next one on its processor", (lab) => {
  const victims = lab.space();
  // Calls from the address at which the other space uses the port.
  const code = new Assembler().label("again").mov(eax, 3).syscall().add(rbx, 1).jmp("again");
  lab.load(victims, code);
  const victim = lab.thread(victims);
  victim.resumeAll(true);
  for (let i = 0; i < 30; i++) {
    lab.expectCall(victim, 3);
    victim.fetchRegs();
    assertEquals(reg(victim, p.RBX), BigInt(i));
    const space = lab.space(), skipped = code.offsetOf("again") + 7;
    lab.load(space, new Assembler().zero(skipped).db(i % 2 === 0 ? 0xe4 : 0xe6, CALL_PORT).ud2());
    const users = [lab.thread(space, CODE + skipped), lab.thread(space, CODE + skipped)];
    for (const c of users) c.resumeAll(true);
    for (let k = 0; k < 2; k++) assertEquals(lab.next().signo, SIGSEGV);
    space.destroy();
    victim.resumeRet(0x5a);
  }
});

test("ring 0 can be neither read, written nor run", (lab) => {
  const last = cpuPages(MAX_CPUS - 1).stackFrame;
  for (let frame = 0; frame <= last + 1; frame += frame < 20 ? 1 : 7) {
    const at = RING0_BASE + BigInt(frame * PAGE_SIZE);
    const c = attack(lab, `write of frame ${frame}`, (a) => a.movabs(rbx, at).mov(mem(rbx), rax));
    assertEquals([c.trap, c.signo, c.faultAccess], [p.TRAP_FAULT, SIGSEGV, p.ACCESS_WRITE]);
    const reads = attack(
      lab,
      `read of frame ${frame}`,
      (a) => a.movabs(rbx, at).mov(rax, mem(rbx)),
    );
    assertEquals([reads.trap, reads.signo], [p.TRAP_FAULT, SIGSEGV], describe(reads));
    const runs = attack(lab, `jump to frame ${frame}`, (a) => a.movabs(rbx, at).jmp(rbx));
    assertEquals([runs.trap, runs.signo], [p.TRAP_FAULT, SIGSEGV], describe(runs));
  }
  assertSound(lab);
});

test("a jump into the call stub makes a call or gets a signal", (lab) => {
  for (const offset of [0, 1, 2, 3, 4, 100, PAGE_SIZE - 1]) {
    const at = RING0_BASE + BigInt(STUB_AT + offset);
    for (const back of [0x1234n, 0x8000_0000_0000_0000n, RING0_BASE, 0xffff_7fff_ffff_ffffn]) {
      const c = attack(
        lab,
        `jump to ${offset}`,
        (a) => a.movabs(rcx, back).movabs(rbx, at).jmp(rbx),
      );
      const isCall = c.trap === p.TRAP_SYSCALL;
      const hasSignal = [SIGSEGV, SIGILL, SIGTRAP].includes(c.signo);
      assert(isCall || hasSignal || c.trap === p.TRAP_DEATH, describe(c));
    }
    assertSound(lab);
  }
});

test("a result cannot be returned to an invalid address", (lab) => {
  const c = lab.run(caller(1));
  for (const rip of [0x8000_0000_0000n, 0x1234_8000_0000_0000n, 0xffff_7fff_ffff_ffffn]) {
    lab.expectCall(c, 1);
    c.fetchRegs();
    setReg(c, p.RIP, rip);
    c.resumeAll(false);
    lab.expect(c, p.TRAP_EXCEPTION);
    assertEquals([c.signo, c.trapno], [SIGSEGV, 13]);
    c.fetchRegs();
    setReg(c, p.RIP, CODE);
    c.resumeAll(false);
  }
  lab.expectCall(c, 1);
  c.fetchRegs();
  setReg(c, p.RIP, 0xffff_8000_0000_0000n);
  c.resumeAll(false);
  assertEquals([lab.next().signo, c.rip], [SIGSEGV, 0xffff_8000_0000_0000]);
});

test("flags that a thread may not have are neither loaded nor stored", (lab) => {
  const code = new Assembler().pushfq().pop(rbx).mov(eax, 1).syscall();
  code.push(0x3202).popfq().db(0xfa).ud2(); // with all rights to ports, cli
  const space = lab.space();
  lab.load(space, code);
  lab.map(space, STACK, 16);
  const c = lab.thread(space);
  setReg(c, p.EFLAGS, 0x1ff_fcff); // no TF
  c.resumeAll(true);
  lab.expectCall(c, 1);
  c.fetchRegs();
  const flags = reg(c, p.RBX);
  assertEquals(flags & 0x3000n, 0n, "IOPL");
  assertEquals(flags & 0x200n, 0x200n, "interrupts");
  c.resumeRet(0);
  lab.expect(c, p.TRAP_EXCEPTION);
  assertEquals(c.signo, SIGSEGV);
});

test("a jump to the call stub sets no privileged flags", (lab) => {
  const code = new Assembler().movabs(r11, 0x3_3602).movabs(rbx, RING0_BASE + BigInt(STUB_AT));
  code.movabs(rcx, { label: "behind" }).jmp(rbx).label("behind").pushfq().pop(rbx).ud2();
  const space = lab.space();
  lab.load(space, code);
  lab.map(space, STACK, 16);
  const c = lab.thread(space);
  c.resumeAll(true);
  const stop = lab.next();
  if (stop.trap !== p.TRAP_SYSCALL) return; // guests do not enter the stub by it
  c.resumeRet(0);
  lab.expect(c, p.TRAP_EXCEPTION);
  c.fetchRegs();
  assertEquals(reg(c, p.RBX) & 0x3_3200n, 0x200n);
});

test("far returns and interrupt returns to other segments", (lab) => {
  for (const selector of [0, 0x10, 0x18, 0x20, 0x23, 0x2b, 0x40, 0x43, 0xffff]) {
    const far = attack(lab, `far return to ${selector}`, (a) => {
      return a.mov(rax, CODE).push(selector).push(rax).db(0x48, 0xcb);
    });
    assert(far.trap !== p.TRAP_SYSCALL && far.trap !== p.TRAP_INTERRUPT, describe(far));
    const interrupt = attack(lab, `iret to ${selector}`, (a) => {
      a.mov(rbx, rsp).push(0x2b).push(rbx).push(0x202).push(selector).mov(rax, CODE).push(rax);
      return a.iretq();
    });
    assert(interrupt.trap !== p.TRAP_SYSCALL, describe(interrupt));
    assertSound(lab);
  }
});

test("every interrupt by number is a signal", (lab) => {
  for (let vector = 0; vector < 256; vector += vector < 34 ? 1 : 13) {
    if (vector === ANSWERED_AS_CPUID) continue;
    const c = attack(lab, `int ${vector}`, (a) => a.db(0xcd, vector));
    assertEquals(c.trap, p.TRAP_EXCEPTION, `int ${vector}: ${describe(c)}`);
    assertEquals(c.signo, vector === 3 ? SIGTRAP : SIGSEGV, `int ${vector}: ${describe(c)}`);
  }
  assertSound(lab);
});

test("bases of segments in ring 0 lead nowhere", (lab) => {
  const at = RING0_BASE + BigInt(PAGE_SIZE);
  for (const prefix of [0x64, 0x65]) {
    const wrbase = prefix === 0x64 ? 0xd3 : 0xdb; // wrfsbase, wrgsbase rbx
    const c = attack(lab, "read by a base in ring 0", (a) => {
      a.movabs(rbx, at).db(0xf3, 0x48, 0x0f, 0xae, wrbase);
      return a.db(prefix, 0x48, 0x8b, 0x04, 0x25).dd(0);
    });
    assertEquals([c.trap, c.signo], [p.TRAP_FAULT, SIGSEGV], describe(c));
  }
  assertSound(lab);
});

test("mappings outside of user memory are refused", (lab) => {
  const space = lab.space();
  for (
    const [addr, len] of [[USER_END - PAGE_SIZE, 2 * PAGE_SIZE], [2 ** 47, PAGE_SIZE], [
      -PAGE_SIZE,
      PAGE_SIZE,
    ], [1, PAGE_SIZE]]
  ) {
    let isRefused = false;
    try {
      space.mapArena(addr!, len!, 0, 7);
    } catch (error) {
      isRefused = error instanceof RangeError;
    }
    assert(isRefused, `${addr}`);
  }
});

test("an address space does not see mappings of another one", (lab) => {
  const one = lab.space();
  lab.load(
    one,
    new Assembler().label("again").mov(rax, mem(null, DATA)).mov(eax, 1).syscall().jmp("again"),
  );
  lab.map(one, DATA);
  const c = lab.thread(one);
  c.resumeAll(true);
  for (let i = 0; i < 20; i++) {
    lab.expectCall(c, 1);
    const other = lab.space();
    lab.load(other, new Assembler().mov(rax, mem(null, DATA)).ud2());
    const d = lab.thread(other);
    d.resumeAll(true);
    lab.expect(d, p.TRAP_FAULT);
    assertEquals([d.signo, d.faultAddr], [SIGSEGV, DATA]);
    other.destroy();
    c.resumeRet(0);
  }
});
