/**
 * Trial guests of a few instructions: they show that a platform works on this host, and what it
 * costs: a call, a fault with the page that ends it, and a fork up to the child's first call.
 *
 * Not here: which platform is best (`choice.ts`). Neighbour: `registry.ts` makes the platforms.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, rbx } from "../../ffi/asm/registers.ts";
import { copyFromBuffer } from "../../ffi/mem/native_memory.ts";
import { Affinity } from "../../ffi/sys/affinity.ts";
import {
  type AddressSpace,
  type Context,
  EFLAGS,
  type Platform,
  RBX,
  RIP,
  type Thunks,
  TRAP_FAULT,
  TRAP_SYSCALL,
} from "../platform.ts";

/** Costs in ns on idle processors. */
export interface PlatformCosts {
  readonly callNs: number;
  readonly faultNs: number;
  readonly forkNs: number;
}

/** The arena of a trial: code, and one page that all faults map. */
export const TRIAL_ARENA_BYTES = 2 * 1024 * 1024;
const CODE_AT = 0x10000000, DATA_AT = 0x20000000, TRIAL_CALL = 4242;
/** Bytes of `mov eax, nr; syscall`. */
const CALL_BYTES = 7, MOV_EAX = 0xb8;
const FLAGS = 0x202;
const PATIENCE_MS = 2000;
/** The best of several rounds counts, since other programs disturb the rest. */
const BUDGET_MS = 8;
const CALLS = 10, CALL_ROUNDS = 60, FAULTS = 4, FAULT_ROUNDS = 10, FORK_ROUNDS = 5;

export class Trial {
  readonly #platform: Platform;
  readonly #space: AddressSpace;
  readonly #code: Assembler;

  /** @throws Error if the host gives no process, or a guest's call does not arrive */
  constructor(platform: Platform, arena: Arena) {
    this.#platform = platform;
    const space = platform.newAddressSpace();
    if (space === null) throw new Error("the host gives no process to run a guest in");
    this.#space = space;
    const thunks = platform.newThunks();
    this.#code = trialCode(thunks);
    if (thunks !== null) space.useThunks(thunks);
    thunks?.release();
    const bytes = this.#code.assemble(CODE_AT);
    copyFromBuffer(arena.base, bytes, 0, bytes.length);
    space.mapArena(CODE_AT, PAGE_SIZE, 0, PROT_READ | PROT_EXEC);
  }

  /** @throws Error that says what came in place of a system call */
  run(): void {
    this.#start(this.#space, "call", 0);
    this.#expect(TRAP_SYSCALL);
  }

  /** @throws Error as `run` */
  measure(): PlatformCosts {
    // The spin budget that the kernel sets while calls come fast.
    this.#platform.setSpinBudget(this.#platform.sleepCostNs);
    return { callNs: this.#callNs(), faultNs: this.#faultNs(), forkNs: this.#forkNs() };
  }

  #callNs(): number {
    const thread = this.#start(this.#space, "call", 0), affinity = new Affinity();
    this.#expect(TRAP_SYSCALL);
    try {
      return best(CALL_ROUNDS, CALLS, (i) => {
        if (i === 0) this.#stayApart(affinity);
        thread.resumeRet(0);
        this.#expect(TRAP_SYSCALL);
      });
    } finally {
      affinity.avoid(-1);
    }
  }

  #faultNs(): number {
    const thread = this.#start(this.#space, "fault", DATA_AT);
    this.#expect(TRAP_FAULT);
    let page = DATA_AT;
    return best(FAULT_ROUNDS, FAULTS, () => {
      this.#space.mapArena(page, PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE);
      page += PAGE_SIZE;
      thread.fetchRegs();
      thread.resumeAll(false);
      this.#expect(TRAP_FAULT);
    });
  }

  #forkNs(): number {
    return best(FORK_ROUNDS, 1, () => {
      const child = this.#space.fork();
      if (child === null) throw new Error("the host gives no process for a fork");
      this.#start(child, "call", 0);
      this.#expect(TRAP_SYSCALL);
      child.destroy();
    });
  }

  /**
   * Keeps Sentry and guest on different CPUs, as the kernel does: two threads that spin for each
   * other on one CPU are slower than two that sleep.
   */
  #stayApart(affinity: Affinity): void {
    const platform = this.#platform;
    if (platform.guestCpu === affinity.currentCpu()) affinity.avoid(platform.guestCpu);
    platform.setLoopCpu(affinity.currentCpu());
  }

  #start(space: AddressSpace, label: string, data: number): Context {
    const context = space.newContext();
    if (context === null) throw new Error("the host gives no thread to run a guest on");
    const { regs } = context;
    regs.setUint32(RIP, CODE_AT + this.#code.offsetOf(label), true);
    regs.setUint32(RBX, data, true);
    regs.setUint32(EFLAGS, FLAGS, true);
    context.resumeAll(true);
    return context;
  }

  #expect(trap: number): void {
    const stopped = this.#next();
    if (stopped === null) throw new Error(`a guest did not stop within ${PATIENCE_MS} ms`);
    if (stopped.trap === trap && (trap !== TRAP_SYSCALL || stopped.nr === TRIAL_CALL)) return;
    const what = trap === TRAP_SYSCALL ? "system call" : "page fault";
    throw new Error(`a guest's ${what} arrived as trap ${stopped.trap}, signal ${stopped.signo}`);
  }

  #next(): Context | null {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const stopped = this.#platform.poll();
      if (stopped !== null) return stopped;
      const now = performance.now();
      if (now > deadline) return null;
      this.#platform.tick(now * 1e6);
    }
  }
}

/**
 * A guest that calls in a loop, at a site that is patched if the platform patches; and one that
 * writes to one page after the other.
 */
function trialCode(thunks: Thunks | null): Assembler {
  const code = new Assembler().label("call");
  const thunk = thunks?.get(MOV_EAX + TRIAL_CALL * 0x100, CODE_AT + CALL_BYTES) ?? 0;
  if (thunk === 0) code.mov(eax, TRIAL_CALL).syscall();
  else code.jmp(mem(null, thunk));
  code.jmp("call");
  return code.label("fault").mov(mem(rbx), 1, 4).add(rbx, PAGE_SIZE).jmp("fault");
}

/** ns for one of `count` actions, in the best of the rounds that the time budget allows. */
function best(rounds: number, count: number, action: (i: number) => void): number {
  let bestMs = Infinity;
  const end = performance.now() + BUDGET_MS;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    if (start > end && round > 1) break;
    for (let i = 0; i < count; i++) action(i);
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  return Math.round(bestMs * 1e6 / count);
}
