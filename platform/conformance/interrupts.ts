/** Interrupts: each ends a run soon, loses no call and changes no register. */

import { assert, assertEquals } from "@std/assert";
import { Assembler } from "../../ffi/asm/assembler.ts";
import {
  eax,
  r10,
  r12,
  r13,
  r14,
  r15,
  r8,
  r9,
  rax,
  rbp,
  rbx,
  rdi,
  rdx,
  rsi,
} from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { assertTrap, CODE, describe, fail, type Lab, reg, setReg } from "./lab.ts";

export function testInterrupts(define: Define): void {
  define("interrupt stops a guest that spins", spinning);
  define("interrupt does nothing to a stopped thread", stopped);
  define("an interrupt that comes too late is not seen in the next run", late);
  define("a storm of interrupts loses no call and no register", (lab) => storm(lab, 3000));
  define("a storm of interrupts over four threads", (lab) => stormOfThreads(lab, 4, 300));
  define("a storm of interrupts while mappings fault", faultStorm);
}

function spinning(lab: Lab): void {
  const c = lab.run(new Assembler().label("again").inc(rbx).jmp("again"));
  let last = -1n;
  for (let i = 0; i < 100; i++) {
    assertEquals(lab.platform.poll(), null);
    c.interrupt();
    c.interrupt();
    lab.expect(c, p.TRAP_INTERRUPT);
    c.fetchRegs();
    assert(reg(c, p.RBX) >= last, "it goes on from where it was");
    const rip = Number(reg(c, p.RIP));
    assert(rip >= CODE && rip < CODE + 16, `rip 0x${rip.toString(16)}`);
    last = reg(c, p.RBX);
    c.resumeAll(false);
  }
}

function stopped(lab: Lab): void {
  const c = lab.run(new Assembler().label("again").mov(eax, 1).syscall().jmp("again"));
  for (let i = 0; i < 20; i++) {
    lab.expectCall(c, 1);
    c.interrupt();
    assertEquals(lab.platform.poll(), null);
    c.resumeRet(0);
  }
}

/**
 * Interrupts at the moment of a call: the kernel sees the call or the interrupt first, and each
 * once.
 */
function late(lab: Lab): void {
  const code = new Assembler().label("again").mov(eax, 1).syscall().label("spin").mov(eax, 2)
    .syscall().jmp("again");
  const c = lab.run(code);
  let expected = 1;
  for (let i = 0; i < 400; i++) {
    c.interrupt();
    let stop = lab.next();
    if (stop.trap === p.TRAP_INTERRUPT) {
      c.fetchRegs();
      c.resumeAll(false);
      stop = lab.next(); // this run has no interrupt
    }
    assertTrap(stop, p.TRAP_SYSCALL);
    assertEquals(c.nr, expected);
    expected = 3 - expected;
    c.resumeRet(0);
  }
}

/** Interrupts at random moments of a run, and not in every run: the guest must make progress. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return (this.#state >>> 8) % n;
  }

  interrupt(c: p.Context): void {
    if (this.below(3) === 0) return;
    const end = performance.now() + this.below(40) / 1000;
    while (performance.now() < end);
    c.interrupt();
  }
}

const KEPT = [
  [rbp, p.RBP],
  [rsi, p.RSI],
  [rdx, p.RDX],
  [r8, p.R8],
  [r9, p.R9],
  [r10, p.R10],
  [r12, p.R12],
  [r13, p.R13],
  [r14, p.R14],
  [r15, p.R15],
] as const;

/**
 * Calls 7 with a counter and checks that rax is the kernel's answer (twice the counter), else
 * traps.
 */
function strictCaller(): Assembler {
  return new Assembler().label("again").mov(rdi, rbx).mov(eax, 7).syscall()
    .sub(rax, rbx).cmp(rax, rbx).jne("wrong").inc(rbx).jmp("again")
    .label("wrong").ud2();
}

function startStrict(lab: Lab, space: p.AddressSpace): p.Context {
  const c = lab.thread(space);
  KEPT.forEach(([_, at], i) => setReg(c, at, 0x1111_1111_1111n * BigInt(i + 1)));
  c.resumeAll(true);
  return c;
}

function assertKept(c: p.Context): void {
  c.fetchRegs();
  KEPT.forEach(([r, at], i) => assertEquals(reg(c, at), 0x1111_1111_1111n * BigInt(i + 1), r.name));
}

function storm(lab: Lab, calls: number): void {
  const space = lab.space();
  const code = strictCaller();
  lab.load(space, code);
  const c = startStrict(lab, space);
  const end = CODE + code.offsetOf("wrong");
  let interrupts = 0;
  const dice = new Dice(1);
  for (let made = 0; made < calls;) {
    dice.interrupt(c);
    const stop = lab.next();
    if (stop.trap === p.TRAP_INTERRUPT) {
      interrupts++;
      assertKept(c);
      const rip = Number(reg(c, p.RIP));
      assert(rip >= CODE && rip < end, `interrupted at 0x${rip.toString(16)}`);
      c.resumeAll(false);
      continue;
    }
    if (stop.trap !== p.TRAP_SYSCALL) fail(`${describe(stop)} after ${made} calls`);
    assertEquals(c.args.u64(0), made, "no call is lost or doubled");
    if (made % 16 === 0) assertKept(c);
    c.resumeRet(2 * made);
    made++;
  }
  assert(interrupts > 0, "some interrupts came through");
}

function stormOfThreads(lab: Lab, count: number, calls: number): void {
  const space = lab.space();
  lab.load(space, strictCaller());
  const contexts = Array.from({ length: count }, () => startStrict(lab, space));
  const made = new Map(contexts.map((c) => [c, 0]));
  const dice = new Dice(2);
  for (let left = count, turn = 0; left > 0; turn++) {
    dice.interrupt(contexts[turn % count]!);
    const c = lab.next();
    const n = made.get(c) ?? fail("an unknown context");
    if (c.trap === p.TRAP_INTERRUPT) {
      assertKept(c);
      c.resumeAll(false);
      continue;
    }
    if (c.trap !== p.TRAP_SYSCALL) fail(`${describe(c)} after ${n} calls`);
    assertEquals(c.args.u64(0), n);
    made.set(c, n + 1);
    if (n + 1 === calls) left--;
    else c.resumeRet(2 * n);
  }
}

function faultStorm(lab: Lab): void {
  const space = lab.space();
  lab.load(
    space,
    new Assembler().label("again").mov(rax, 0x20000000).pop(rbx).inc(rdi).jmp("again"),
  );
  const c = lab.thread(space);
  const stack = 0x30000000, pages = 200;
  setReg(c, p.RSP, stack);
  c.resumeAll(true);
  const dice = new Dice(3);
  for (let faults = 0; faults < pages;) {
    dice.interrupt(c);
    const stop = lab.next();
    if (stop.trap === p.TRAP_FAULT) {
      assertEquals(stop.faultAddr, stack + faults * 4096);
      lab.map(space, stack + faults * 4096);
      faults++;
    } else {
      assertTrap(stop, p.TRAP_INTERRUPT);
    }
    c.fetchRegs();
    assert(Number(reg(c, p.RSP)) <= stack + faults * 4096, "nothing skipped");
    c.resumeAll(false);
  }
}
