/**
 * Attacks between a guest's own instructions and ring 0: jumps to any instruction of the stub of
 * calls, stacks that do not exist, exceptions at the same time, instructions that delay an
 * exception or a step, signals from outside.
 *
 * They correspond to the attacks of guests on their stub with systrap and ptrace. kvm has no
 * counterpart of the mapper's secret, signal frames and masks, and stubs that outlive their tracer.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, ecx, r12, rax, rbx, rcx, rdi, rsi, rsp } from "../../ffi/asm/registers.ts";
import { SIGILL, SIGSEGV, SIGTRAP } from "../../ffi/abi/signal.ts";
import { SYS_tgkill } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { isFull } from "../../tests/harness/machine.ts";
import {
  caller,
  CODE,
  describe,
  type Lab,
  movEax,
  reg,
  setReg,
  STACK,
} from "../conformance/lab.ts";
import { USER_CS } from "../platform.ts";
import * as p from "../platform.ts";
import { THUNK_BYTES } from "../thunks.ts";
import { callStub, LEFT, REPLIED, Slot, TAKEN } from "./call_stub.ts";
import { hostKind } from "./host_kinds.ts";
import { THUNKS_AT } from "./ring0.ts";
import { KICK_SIGNAL } from "./threads.ts";
import { assertSound, attack, RING0_BASE, STUB_AT, test } from "./hostile_testing.ts";

const STUB = RING0_BASE + BigInt(STUB_AT), SLOT = STUB + BigInt(PAGE_SIZE);
const THUNKS = RING0_BASE + BigInt(THUNKS_AT);
/** Offset of a patched site in its code. */
const SITE = 64, SITE_BYTES = 7;
const kind = hostKind(Deno.readTextFileSync("/proc/cpuinfo"));
const noStub = kind.isCallInUserMode ? null : "guest code cannot reach the stub on this host";
const STOPS = isFull ? 1_000_000 : 30_000;
const FLAG_TF = 0x100;
const MOV_EDI_CS = [0x8c, 0xcf], RING3_KICKS = isFull ? 100_000 : 3000;
/** Addresses at which a guest has no stack. */
const NO_STACKS = [
  0n,
  7n,
  0x7fff_ffff_f000n,
  0x8000_0000_0000n,
  0xffff_7fff_ffff_fff8n,
  RING0_BASE,
  STUB,
  SLOT,
  0xffff_ffff_ffff_fff8n,
];

/**
 * PVM cannot return to a thread whose rsp is not canonical: in about one call of five it reports an
 * invalid instruction.
 */
function isRefusedStack(c: p.Context, at: bigint): boolean {
  const isAddress = BigInt.asIntN(48, at) === BigInt.asIntN(64, at);
  return kind.isCallInUserMode && !isAddress && c.trap === p.TRAP_EXCEPTION && c.signo === SIGILL;
}

/** Calls 7 with a counter and checks that the answer is twice the counter, else traps. */
function strictCaller(): Assembler {
  return new Assembler().label("again").mov(rdi, rbx).mov(eax, 7).syscall()
    .sub(rax, rbx).cmp(rax, rbx).jne("wrong").add(rbx, 1).jmp("again").label("wrong").int3();
}

/** Makes the code at CODE jump there through rsi, and waits until the thread stops. */
function jumpTo(lab: Lab, c: p.Context, to: bigint): void {
  setReg(c, p.RIP, CODE);
  setReg(c, p.RSP, STACK + PAGE_SIZE);
  setReg(c, p.RSI, to);
  c.resumeAll(false);
  const stop = lab.nextWithin(3) ?? (c.interrupt(), lab.next());
  assertEquals(stop, c);
}

/** Jumps to every byte of the stub, also into the middle of instructions. */
function enterStub(lab: Lab, state: number, flags: number): void {
  const space = lab.space(), back = BigInt(CODE);
  const code = new Assembler().movabs(r12, SLOT).mov(mem(r12), state, 4);
  code.mov(mem(r12, Slot.at.regs + 16 * 8), rcx).push(flags).popfq().jmp(rsi);
  lab.load(space, code);
  lab.map(space, STACK, 16);
  const end = callStub(kind).code.length;
  let c = lab.thread(space);
  for (let offset = 0; offset <= end; offset++) {
    setReg(c, p.RCX, back);
    jumpTo(lab, c, STUB + BigInt(offset));
    if (c.trap !== p.TRAP_DEATH) continue;
    c.release();
    c = lab.thread(space);
  }
  space.destroy();
}

test("every instruction of the call stub can be jumped to, whatever is in the slot", (lab) => {
  for (let state = 0; state <= LEFT; state++) {
    for (const flags of [0x202, 0x202 | FLAG_TF]) enterStub(lab, state, flags);
    assertSound(lab);
  }
}, noStub);

test("every byte of a thunk can be jumped to", (lab) => {
  const entry = lab.thunks!.get(movEax(7), CODE + SITE + SITE_BYTES);
  const space = lab.space();
  lab.load(space, new Assembler().jmp(rsi).zero(SITE - 2).jmp(mem(null, entry)).ud2());
  lab.map(space, STACK, 16);
  for (const flags of [0x202, 0x202 | FLAG_TF]) {
    const c = lab.thread(space);
    for (let offset = -THUNK_BYTES; offset < 2 * THUNK_BYTES; offset++) {
      setReg(c, p.EFLAGS, flags);
      jumpTo(lab, c, THUNKS + BigInt(offset));
      assert(c.trap !== p.TRAP_DEATH, describe(c));
    }
  }
  assertSound(lab);
}, noStub);

test("tables and thunks of patched sites cannot be written, and tables not executed", (lab) => {
  const entry = BigInt(lab.thunks!.get(movEax(7), CODE + SITE_BYTES));
  for (const at of [entry, THUNKS]) {
    const c = attack(lab, `write to ${at}`, (a) => a.movabs(rbx, at).mov(mem(rbx), rax));
    assertEquals([c.trap, c.faultAccess], [p.TRAP_FAULT, p.ACCESS_WRITE], describe(c));
  }
  const c = attack(lab, "jump to a table", (a) => a.movabs(rbx, entry).jmp(rbx));
  assertEquals([c.trap, c.faultAccess], [p.TRAP_FAULT, p.ACCESS_EXEC], describe(c));
  assertSound(lab);
}, noStub);

test("a thread that waits in the call stub for ever is kicked", (lab) => {
  for (const state of [TAKEN, REPLIED, LEFT]) {
    const code = new Assembler().movabs(r12, SLOT).movabs(rbx, STUB).label("again");
    code.mov(mem(r12), state, 4).movabs(rcx, { label: "again" }).jmp(rbx);
    const c = lab.run(code);
    for (let i = 0; i < 20; i++) {
      const stop = lab.nextWithin(1) ?? (c.interrupt(), lab.next());
      assertEquals(stop, c);
      if (c.trap === p.TRAP_SYSCALL) c.park();
      c.resumeRet(0);
    }
    c.space.destroy();
    assertSound(lab);
  }
}, noStub);

test("stacks that are none do not matter to exceptions and calls", (lab) => {
  const stops: [string, number[], number][] = [
    ["ud2", [0x0f, 0x0b], p.TRAP_EXCEPTION],
    ["int3", [0xcc], p.TRAP_EXCEPTION],
    ["a read of nothing", [0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0], p.TRAP_FAULT],
    ["syscall", [0x0f, 0x05], p.TRAP_SYSCALL],
  ];
  for (const at of NO_STACKS) {
    for (const [name, bytes, trap] of stops) {
      const c = attack(lab, name, (a) => a.movabs(rsp, at).db(...bytes).ud2());
      if (isRefusedStack(c, at)) continue;
      assertEquals(c.trap, trap, `${name} with rsp ${at}: ${describe(c)}`);
      c.fetchRegs();
      assertEquals(reg(c, p.RSP), at, name);
    }
    for (const [name, bytes] of [["push", [0x50]], ["iretq", [0x48, 0xcf]], ["ret", [0xc3]]]) {
      const c = attack(lab, `${name}`, (a) => a.movabs(rsp, at).db(...bytes as number[]).ud2());
      assert(c.trap !== p.TRAP_SYSCALL && c.trap !== p.TRAP_DEATH, `${name}: ${describe(c)}`);
    }
    assertSound(lab);
  }
});

test("a thread without a stack makes calls and loops in ring 3, wherever it is kicked", (lab) => {
  for (const at of NO_STACKS) {
    const code = new Assembler().label("again").db(...MOV_EDI_CS).mov(eax, 7).syscall();
    const c = lab.run(code.mov(ecx, 50).label("on").sub(ecx, 1).jne("on").jmp("again"));
    for (let kicks = 0; kicks < RING3_KICKS; kicks++) {
      c.interrupt();
      lab.next();
      const what = `rsp ${at}: ${describe(c)}`;
      if (c.trap === p.TRAP_SYSCALL) {
        assertEquals([c.nr, c.args.u64(0)], [7, USER_CS], what);
        c.resumeRet(0);
      } else {
        assert(c.trap === p.TRAP_INTERRUPT || isRefusedStack(c, at), what);
        c.fetchRegs();
        if (c.trap !== p.TRAP_INTERRUPT) setReg(c, p.RIP, CODE);
        setReg(c, p.RSP, at);
        c.resumeAll(false);
      }
    }
    c.space.destroy();
  }
  assertSound(lab);
});

test("exceptions on two processors at the same time do not mix", (lab) => {
  const space = lab.space();
  lab.load(space, new Assembler().ud2());
  lab.load(space, new Assembler().zero(64).ud2(), CODE + PAGE_SIZE);
  const threads = [0, 1].map((i) => {
    const c = lab.thread(space, CODE + i * (PAGE_SIZE + 64), STACK + i);
    c.resumeAll(true);
    return c;
  });
  for (let i = 0; i < 2000; i++) {
    const c = lab.next(), which = threads.indexOf(c);
    assertEquals([c.signo, c.rip, c.rsp], [SIGILL, CODE + which * (PAGE_SIZE + 64), STACK + which]);
    c.fetchRegs();
    c.resumeAll(false);
  }
});

test("an exception of one thread does not come to the next on its processor", (lab) => {
  const witness = lab.run(strictCaller());
  const space = lab.space();
  lab.load(space, new Assembler().ud2());
  const others = [0, 1, 2].map(() => lab.thread(space));
  for (const c of others) c.resumeAll(true);
  for (let made = 0, stops = 0; stops < STOPS; stops++) {
    const c = lab.next();
    if (c !== witness) {
      c.fetchRegs();
      c.resumeAll(false);
      const end = performance.now() + stops % 64 / 2000;
      while (performance.now() < end);
      c.interrupt();
      continue;
    }
    assertEquals([c.trap, c.nr, c.args.u64(0)], [p.TRAP_SYSCALL, 7, made], describe(c));
    c.resumeRet(2 * made++);
  }
});

test("a trap that a load of ss delays arrives after the next instruction", (lab) => {
  const step = (bytes: number[]) => (a: Assembler) =>
    a.mov(eax, 0x2b).push(0x202 | FLAG_TF).popfq().db(0x8e, 0xd0).db(...bytes).mov(ecx, 1).ud2();
  for (const bytes of [[0x0f, 0x05], [0xcc], [0xf1], [0xcd, 0x80], [0x0f, 0x0b], [0x9d]]) {
    const what = `mov ss, then ${bytes}`, c = attack(lab, what, step(bytes));
    const isCall = c.trap === p.TRAP_SYSCALL, isSignal = c.trap === p.TRAP_EXCEPTION;
    assert(isCall || isSignal, `${what}: ${describe(c)}`);
    if (isSignal) assert([SIGTRAP, SIGILL, SIGSEGV].includes(c.signo), `${what}: ${describe(c)}`);
    assert(c.rip >= CODE && c.rip < CODE + PAGE_SIZE, `${what}: ${describe(c)}`);
  }
  assertSound(lab);
});

test("the kick's signal from elsewhere, and all at once, loses nothing", (lab) => {
  const c = lab.run(caller(3)), spinner = lab.run(new Assembler().label("on").jmp("on"));
  const tids = [...Deno.readDirSync("/proc/self/task")].map((entry) => Number(entry.name));
  for (let i = 0; i < 300; i++) {
    lab.expectCall(c, 3);
    for (const tid of tids) assertEquals(syscall(SYS_tgkill, Deno.pid, tid, KICK_SIGNAL), 0);
    c.resumeRet(0);
  }
  lab.expectCall(c, 3);
  spinner.interrupt();
  lab.expect(spinner, p.TRAP_INTERRUPT);
});

test("a space has 1,200 threads at once, and they end with it", (lab) => {
  const space = lab.space();
  lab.load(space, caller(4));
  const threads = Array.from({ length: 1200 }, () => lab.thread(space));
  for (const c of threads) c.resumeAll(true);
  for (let i = 0; i < 2 * threads.length; i++) lab.next().resumeRet(0);
  assert(lab.platform.runningCount > threads.length - 8); // some have stopped again
  space.destroy();
  lab.until(() => space.ackedSeq === space.seq, "the space is gone");
  lab.until(() => lab.platform.runningCount === 0, "no thread runs");
  assertSound(lab);
});
