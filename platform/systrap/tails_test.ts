/**
 * Kicks a guest thread at every instruction of the fast path: from the reply, through the tail, the
 * guest and the thunk, to the next post. ptrace(2) steps the thread and then releases it with the
 * signal.
 */

import { assert, assertEquals } from "@std/assert";
import {
  PTRACE_CONT,
  PTRACE_DETACH,
  PTRACE_GETREGS,
  PTRACE_INTERRUPT,
  PTRACE_PEEKDATA,
  PTRACE_POKEDATA,
  PTRACE_SEIZE,
  PTRACE_SETREGS,
  PTRACE_SINGLESTEP,
  UserRegs,
} from "../../ffi/abi/ptrace.ts";
import { SYS_ptrace, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { SIGTRAP } from "../../ffi/abi/signal.ts";
import { __WALL, wifStopped, wStopSig } from "../../ffi/abi/wait.ts";
import { Fpstate } from "../../ffi/abi/ucontext.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { r12, rbp } from "../../ffi/asm/registers.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { stubsWithMapping } from "../conformance/host_view.ts";
import { CODE, describe, Lab, movEax, reg, setReg } from "../conformance/lab.ts";
import * as p from "../platform.ts";
import { SIG_KICK } from "./stub/layout.ts";
import { XSAVE_HEADER } from "../xsave.ts";
import { createSystrapPlatform } from "./systrap.ts";

const NR = 39;
const TRAP_FLAG = 0x100n;
const PUSHFQ = 0x9cn, POPFQ = 0x9dn;
/** More than there are instructions between two posts. */
const MAX_STEPS = 200;
const XSTATE_FP_SSE = 3;
/** Where an XSAVE area has xmm7. */
const XMM7 = Fpstate.at.xmmSpace + 7 * 16;
/** Registers that calls do not change. */
const KEPT = [p.RDI, p.RSI, p.RDX, p.R10, p.R8, p.R9, p.RBX, p.R13, p.R14, p.R15, p.RSP] as const;

/** A host thread that the test traces. */
class Stepper {
  readonly tid: number;
  readonly #status = scratch.areaOffset(3);
  readonly #regs = scratch.areaOffset(4);

  constructor(tid: number) {
    this.tid = tid;
  }

  #ptrace(request: number, address: number, data: number): void {
    check(syscall(SYS_ptrace, request, this.tid, address, data), "ptrace");
  }

  /** Waits for a stop. @returns its signal */
  #wait(): number {
    check(syscall(SYS_wait4, this.tid, scratch.base + this.#status, __WALL, 0), "wait4");
    const status = scratch.dv.getInt32(this.#status, true);
    assert(wifStopped(status), `the thread ended: ${status}`);
    return wStopSig(status);
  }

  seize(): void {
    this.#ptrace(PTRACE_SEIZE, 0, 0);
    this.#ptrace(PTRACE_INTERRUPT, 0, 0);
    this.#wait();
  }

  step(): void {
    const opcode = this.#word(this.#register(UserRegs.at.rip)) & 0xffn;
    if (opcode === POPFQ) return this.#popFlags();
    this.#ptrace(PTRACE_SINGLESTEP, 0, 0);
    assertEquals(this.#wait(), SIGTRAP);
    if (opcode !== PUSHFQ) return;
    // It stored the trap flag of our steps: the guest must not get it.
    const stack = this.#register(UserRegs.at.rsp);
    this.#ptrace(PTRACE_POKEDATA, Number(stack), Number(this.#word(stack) & ~TRAP_FLAG));
  }

  /**
   * The host takes the trap flag for the thread's own when it steps over popfq, so the test clears
   * it.
   */
  #popFlags(): void {
    const flags = this.#word(this.#register(UserRegs.at.rsp));
    const rip = this.#register(UserRegs.at.rip), rsp = this.#register(UserRegs.at.rsp);
    const set = (field: number, value: bigint) =>
      scratch.dv.setBigUint64(this.#regs + field, value, true);
    set(UserRegs.at.rip, rip + 1n);
    set(UserRegs.at.rsp, rsp + 8n);
    set(UserRegs.at.eflags, flags);
    this.#ptrace(PTRACE_SETREGS, 0, scratch.base + this.#regs);
  }

  isInGuest(): boolean {
    const rip = Number(this.#register(UserRegs.at.rip));
    return rip >= CODE && rip < CODE + 64;
  }

  #register(field: number): bigint {
    this.#ptrace(PTRACE_GETREGS, 0, scratch.base + this.#regs);
    return scratch.dv.getBigUint64(this.#regs + field, true);
  }

  #word(address: bigint): bigint {
    this.#ptrace(PTRACE_PEEKDATA, Number(address), scratch.base + this.#regs);
    return scratch.dv.getBigUint64(this.#regs, true);
  }

  /** Lets the thread run into the pending signal, and releases it with that. */
  releaseWithSignal(): void {
    this.#ptrace(PTRACE_CONT, 0, 0);
    let signal = this.#wait();
    if (signal !== SIG_KICK) { // the stop that PTRACE_INTERRUPT requested can come first
      this.#ptrace(PTRACE_CONT, 0, 0);
      signal = this.#wait();
    }
    assertEquals(signal, SIG_KICK);
    this.#ptrace(PTRACE_DETACH, 0, signal);
  }

  release(): void {
    this.#ptrace(PTRACE_DETACH, 0, 0);
  }
}

function guestTid(): number {
  const [pid] = stubsWithMapping(CODE);
  const tids = [...Deno.readDirSync(`/proc/${pid}/task`)].map((entry) => Number(entry.name));
  const tid = tids.find((t) => t !== pid);
  assert(tids.length === 2 && tid !== undefined);
  return tid;
}

/** A patched call in a loop; r12 counts rounds, rbp is what the call returned. */
function start(lab: Lab): p.Context {
  const entry = lab.thunks!.get(movEax(NR), CODE + 7);
  const code = new Assembler().label("again").db(0xff, 0x24, 0x25).dd(entry);
  code.mov(rbp, 0).inc(r12).jmp("again");
  const space = lab.space();
  space.useThunks(lab.thunks!);
  lab.load(space, code);
  const c = lab.thread(space);
  KEPT.forEach((at, i) => setReg(c, at, 0x1234_5678_9abcn * BigInt(i + 1)));
  c.resumeAll(true);
  return lab.expectCall(c, NR);
}

function assertSound(c: p.Context, round: number, result: number): void {
  c.fetchRegs();
  KEPT.forEach((at, i) => assertEquals(reg(c, at), 0x1234_5678_9abcn * BigInt(i + 1), `at ${at}`));
  const rip = Number(reg(c, p.RIP));
  assert(rip >= CODE && rip < CODE + 64, `rip 0x${rip.toString(16)}`);
  if (c.trap === p.TRAP_SYSCALL) assertEquals(Number(reg(c, p.RAX)), NR);
  else if (rip === CODE + 7) assertEquals(Number(reg(c, p.RAX)), result);
  const isNext = c.trap === p.TRAP_SYSCALL || rip === CODE || rip > CODE + 14;
  assertEquals(Number(reg(c, p.R12)) - (isNext ? 1 : 0) <= round, true);
}

/**
 * Kicks after `steps` instructions behind the reply. @returns what stopped, or null if it posted
 * before
 */
function kickAfter(lab: Lab, c: p.Context, steps: number, resume: () => void): number | null {
  const stepper = new Stepper(guestTid());
  stepper.seize();
  resume();
  let hasReturned = false;
  for (let i = 0; i < steps; i++) {
    stepper.step();
    if (stepper.isInGuest()) hasReturned = true;
    if (lab.platform.poll() === null) continue;
    stepper.release();
    return null;
  }
  // Behind the guest's jump to the thunk the call is on its way, and the kick changes nothing.
  const expected = !hasReturned || stepper.isInGuest() ? p.TRAP_INTERRUPT : p.TRAP_SYSCALL;
  c.interrupt();
  stepper.releaseWithSignal();
  const stopped = lab.next();
  assert(stopped === c);
  assertEquals(c.trap, expected, `after ${steps} steps: ${describe(c)}`);
  assertSound(c, steps, steps);
  return c.trap;
}

function kickEverywhere(
  lab: Lab,
  resume: (c: p.Context, value: number) => void,
  loadsFpu: boolean,
): number {
  const c = start(lab);
  let interrupts = 0;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const trap = kickAfter(lab, c, steps, () => resume(c, steps));
    if (trap === null) {
      assert(steps > 40, `only ${steps} instructions`);
      return interrupts;
    }
    if (trap !== p.TRAP_INTERRUPT) continue;
    interrupts++;
    c.fetchFpu();
    const xmm7 = c.fpu.slice(XMM7, XMM7 + 16);
    c.resumeAll(false);
    lab.expectCall(c, NR);
    assertSound(c, steps, steps);
    assertEquals(c.args.u64(0), 0x1234_5678_9abc);
    c.requestFull();
    lab.expect(c, p.TRAP_FULL);
    c.fetchFpu();
    assertEquals(c.fpu.slice(XMM7, XMM7 + 16), xmm7);
    if (loadsFpu) assertEquals(xmm7, new Uint8Array(16).fill(steps));
  }
  throw new Error(`no post after ${MAX_STEPS} instructions`);
}

for (
  const [name, resume] of [
    ["returns", (c: p.Context, value: number) => c.resumeRet(value)],
    ["loads registers", (c: p.Context, value: number) => {
      c.fetchRegs();
      setReg(c, p.RAX, value);
      c.resumeAll(false);
    }],
    ["loads registers and FPU", (c: p.Context, value: number) => {
      c.fetchRegs();
      setReg(c, p.RAX, value);
      c.fpu[XSAVE_HEADER] = XSTATE_FP_SSE;
      c.fpu.fill(value, XMM7, XMM7 + 16);
      c.resumeAll(true);
    }],
  ] as const
) {
  for (const spin of [0, 1e9]) {
    Deno.test({
      name: `a kick at any instruction of a patched call that ${name}, spinning ${spin} ns`,
      sanitizeResources: false,
      fn: () => {
        const arena = Arena.create(4 * 1024 * 1024, 0);
        const platform = createSystrapPlatform(arena, { poolSize: 1 });
        platform.setSpinBudget(spin);
        try {
          const interrupts = kickEverywhere(new Lab(arena, platform), resume, name.includes("FPU"));
          assert(interrupts > 20, `${interrupts} interrupts`);
        } finally {
          platform.destroy();
          arena.close();
        }
      },
    });
  }
}
