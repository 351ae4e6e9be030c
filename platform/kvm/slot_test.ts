/**
 * The slot that a thread shares with the Sentry while it runs: what the thread can write there, and
 * which other threads see it.
 */

import { assert, assertEquals } from "@std/assert";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, ecx, r12, rax, rbx, rcx, rdi } from "../../ffi/asm/registers.ts";
import { SIGILL, SIGSEGV } from "../../ffi/abi/signal.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { Affinity } from "../../ffi/sys/affinity.ts";
import { CODE, fail, Lab, movEax, reg, setReg, STACK } from "../conformance/lab.ts";
import * as p from "../platform.ts";
import { tryPlatform } from "../select/registry.ts";
import { named } from "../../tests/harness/machine.ts";
import { LEFT, Slot } from "./call_stub.ts";
import { hostKind } from "./host_kinds.ts";
import { createKvmPlatform } from "./kvm_platform.ts";

const SLOT = 0xffffffff80201000n, BELL = 0xffffffff80202000n;
const problem = tryPlatform("kvm");
const { isCallInUserMode } = hostKind(Deno.readTextFileSync("/proc/cpuinfo"));
const noSlot = isCallInUserMode ? null : "guest code sees no slot on this host";
let arena: Arena | null = null;

function test(
  name: string,
  cpus: number,
  body: (lab: Lab) => void,
  reason: string | null = null,
): void {
  Deno.test({
    ...named(name, problem ?? reason),
    sanitizeResources: false, // the caller keeps the arena
    fn: () => {
      arena ??= Arena.create(64 * 1024 * 1024, 0);
      const platform = createKvmPlatform(arena, { cpus });
      platform.setSpinBudget(50_000);
      try {
        body(new Lab(arena, platform));
      } finally {
        platform.destroy();
      }
    },
  });
}

/** Calls 7 with a counter and checks that the answer is twice the counter, else traps. */
function strictCaller(): Assembler {
  return new Assembler().label("again").mov(rdi, rbx).mov(eax, 7).syscall()
    .sub(rax, rbx).cmp(rax, rbx).jne("wrong").add(rbx, 1).jmp("again").label("wrong").ud2();
}

test("threads whose calls are answered soon take turns by the slice, not by the call", 1, (lab) => {
  const threads = [lab.run(strictCaller()), lab.run(strictCaller())];
  const made = [0, 0], turns = [0, 0], affinity = new Affinity();
  // A reply from the core of the waiting thread comes too late. So the loop runs until enough
  // threads were answered while they waited in the machine.
  for (let last = -1, stays = 0, calls = 0; stays < 3 || turns.some((n) => n < 3); calls++) {
    assert(
      calls < 50_000,
      `${stays} of ${calls} calls by the same thread as before; turns: ${turns}`,
    );
    const c = lab.next(), index = threads.indexOf(c);
    assertEquals([c.trap, c.nr, c.args.u64(0)], [p.TRAP_SYSCALL, 7, made[index]]);
    if (index === last) stays++;
    else turns[index]!++;
    last = index;
    c.resumeRet(2 * made[index]!++);
    if (calls % 100 === 0) {
      lab.platform.tick(performance.now() * 1e6);
      affinity.avoid(lab.platform.guestCpu);
    }
  }
  affinity.avoid(-1);
}, navigator.hardwareConcurrency > 1 ? null : "this machine has one processor");

test("a thread that writes over its slot hurts only itself", 2, (lab) => {
  for (let state = 0; state <= LEFT + 1; state++) {
    const honest = lab.run(strictCaller());
    const space = lab.space();
    const code = new Assembler().movabs(r12, SLOT).label("again").mov(mem(r12), state, 4);
    code.mov(mem(r12, Slot.at.regs + 16 * 8), rcx).mov(ecx, 200).label("wait").dec(ecx).jnz("wait");
    lab.load(space, code.mov(eax, 9).syscall().jmp("again"));
    const scribbler = lab.thread(space);
    scribbler.resumeAll(true);
    for (let made = 0, stops = 0; made < 300;) {
      const c = lab.next();
      if (c === honest) {
        assertEquals([c.trap, c.nr, c.args.u64(0)], [p.TRAP_SYSCALL, 7, made]);
        c.resumeRet(2 * made++);
      } else if (c !== scribbler) fail("an unknown context");
      else if (c.trap === p.TRAP_SYSCALL && stops++ % 50 === 49) {
        c.fetchFpu();
        c.fetchRegs();
        setReg(c, p.RIP, CODE);
        c.resumeAll(true);
      } else if (c.trap === p.TRAP_SYSCALL) c.resumeRet(0);
      else break;
    }
    honest.space.destroy();
    space.destroy();
    lab.until(() => space.ackedSeq === space.seq, "it is gone");
    lab.reset();
  }
}, noSlot);

test("registers of a thread cannot be read by the next one on its processor", 1, (lab) => {
  const secret = 0x5ec3e7_5ec3e7n;
  const one = lab.run(new Assembler().movabs(rbx, secret).mov(eax, 1).syscall().ud2());
  lab.expectCall(one, 1);
  one.space.destroy();
  const found = new Assembler().movabs(r12, SLOT);
  for (let at = 0; at < Slot.size; at += 8) found.mov(rax, mem(r12, at)).or(rbx, rax);
  const two = lab.run(found.ud2());
  lab.expect(two, p.TRAP_EXCEPTION);
  two.fetchRegs();
  // Only the time stamp of the last reply may have changed.
  assertEquals(reg(two, p.RBX) & ~0xffff_ffff_0000_0000n, 0n);
}, noSlot);

test("threads on two processors do not see each other's slot", 2, (lab) => {
  const space = lab.space();
  const at = Slot.at.stack;
  const code = new Assembler().movabs(r12, SLOT).mov(mem(r12, at), rbx);
  code.label("wait").mov(rax, mem(r12, at)).cmp(rax, rbx).jne("seen").dec(rcx).jnz("wait");
  lab.load(space, code.mov(eax, 1).syscall().label("seen").ud2());
  const threads = [1, 2].map((i) => {
    const c = lab.thread(space);
    setReg(c, p.RBX, i);
    setReg(c, p.RCX, 2_000_000);
    c.resumeAll(true);
    return c;
  });
  for (const _ of threads) {
    const c = lab.next();
    assertEquals([c.trap, c.nr], [p.TRAP_SYSCALL, 1]);
  }
}, noSlot);

test("the words that all stubs see cannot be written", 1, (lab) => {
  const c = lab.run(new Assembler().movabs(r12, BELL).mov(mem(r12), rax).ud2());
  lab.expect(c, p.TRAP_FAULT);
  assertEquals([c.signo, c.faultAccess], [SIGSEGV, p.ACCESS_WRITE]);
});

test("a slot in ring 0 cannot be seen", 1, (lab) => {
  for (const at of [SLOT, BELL]) {
    const c = lab.run(new Assembler().movabs(r12, at).mov(rax, mem(r12)).ud2());
    lab.expect(c, p.TRAP_FAULT);
    assertEquals([c.signo, c.faultAccess], [SIGSEGV, p.ACCESS_READ]);
  }
}, isCallInUserMode ? "guest code has its slot on this host" : null);

test("calls with the trap flag, and stops in the midst of calls, lose nothing", 1, (lab) => {
  const space = lab.space();
  const code = new Assembler().mov(eax, 5).syscall().label("behind").nop(1).ud2();
  lab.load(space, code);
  lab.map(space, STACK, 16);
  const c = lab.thread(space);
  setReg(c, p.EFLAGS, 0x302);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_EXCEPTION); // behind mov
  c.fetchRegs();
  c.resumeAll(false);
  lab.expectCall(c, 5);
  c.fetchRegs();
  assertEquals(reg(c, p.EFLAGS) & 0x100n, 0x100n);
  c.resumeRet(0);
  lab.expect(c, p.TRAP_EXCEPTION);
  assertEquals([c.trapno, c.rip], [1, CODE + code.offsetOf("behind") + 1]);
});

test(
  "a patched call with the trap flag, and invalid opcodes where other code has a site",
  1,
  (lab) => {
    const space = lab.space();
    const entry = lab.thunks!.get(movEax(5), CODE + 7);
    const code = new Assembler().jmp(mem(null, entry)).nop(1).ud2();
    lab.load(space, code);
    lab.map(space, STACK, 16);
    const c = lab.thread(space);
    setReg(c, p.EFLAGS, 0x302);
    c.resumeAll(true);
    lab.expectCall(c, 5);
    c.fetchRegs();
    assertEquals([c.rip, reg(c, p.EFLAGS) & 0x100n, c.viaSignal], [CODE + 7, 0x100n, false]);
    c.resumeRet(0);
    lab.expect(c, p.TRAP_EXCEPTION);
    assertEquals([c.trapno, c.rip], [1, CODE + 8]);

    const other = lab.run(new Assembler().nop(5).ud2());
    lab.expect(other, p.TRAP_EXCEPTION);
    assertEquals([other.signo, other.rip], [SIGILL, CODE + 5]);
  },
  noSlot,
);

test("answers that come late, threads that are released in the machine", 2, (lab) => {
  lab.platform.setSpinBudget(20_000);
  for (let round = 0; round < 20; round++) {
    const c = lab.run(strictCaller());
    for (let i = 0; i < 10; i++) {
      lab.expectCall(c, 7);
      assertEquals(c.args.u64(0), i);
      const end = performance.now() + (round * 7 + i * 3) % 50 / 1000;
      while (performance.now() < end);
      if (i % 3 === 0) c.park();
      c.resumeRet(2 * i);
    }
    lab.expectCall(c, 7);
    if (round % 2 === 0) c.release();
    c.space.destroy();
    assert(c.space.fork() === null);
    lab.until(() => c.space.ackedSeq === c.space.seq, "it is gone");
    lab.reset();
  }
});
