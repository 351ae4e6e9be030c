/**
 * Random programs in ring 3 run beside a witness thread with known registers. Each program ends in
 * a trap or is kicked, and changes nothing but its own memory and registers.
 *
 * DVISOR_SEED repeats a run, DVISOR_PROGRAMS sets the number of programs.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { Arena } from "../../../ffi/mem/arena.ts";
import { Assembler } from "../../../ffi/asm/assembler.ts";
import { mem } from "../../../ffi/asm/operands.ts";
import { eax, rbx, rdi } from "../../../ffi/asm/registers.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP } from "../../../ffi/abi/signal.ts";
import { isFull, named } from "../../../tests/harness/machine.ts";
import * as l from "../../conformance/lab.ts";
import * as p from "../../platform.ts";
import { tryPlatform } from "../../select/registry.ts";
import { createKvmPlatform } from "../kvm_platform.ts";
import * as programs from "./programs_testing.ts";
import { fuzzSeed, Random } from "./random.ts";
import { Watch, watchTables } from "./watch.ts";

const COUNT = Number(Deno.env.get("DVISOR_PROGRAMS") ?? (isFull ? 1_000_000 : 6000));
const CPUS = 2;
/** More frames than the tables of a machine with three spaces need. */
const WATCHED_FRAMES = 256;
const CANARY_PAGES = 32;
/** A program that takes longer is kicked. */
const PATIENCE_MS = 2;
/** A program that was kicked must stop within so many waits. */
const MAX_WAITS = 2000;
/** How often a program's call is answered, so that it continues. */
const MAX_ANSWERS = 3;
/** The witness is answered once in so many programs. */
const WITNESS_EVERY = 16;
/** A long run reports its progress after so many programs. */
const SAID_EVERY = 50_000;
const SIGNALS = [SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP];
const XMM = 160, XSTATE = 512, MXCSR = 24;

/** Counts how programs ended, by trap. */
const ends = new Map<number, number>();

class Fuzz {
  readonly #lab: l.Lab;
  readonly #random: Random;
  readonly #space: p.AddressSpace;
  readonly #codeAt: number;
  readonly #code: Watch;
  readonly #canaries: Watch;
  readonly #tables: Watch;
  readonly #witness: p.Context;
  readonly #threads: (p.Context | null)[] = [null, null];
  #isWitnessStopped = false;
  #answers = 0;
  #next = 0;
  #done = 0;
  #made = 0;

  constructor(lab: l.Lab, random: Random) {
    this.#lab = lab;
    this.#random = random;
    const { arena } = lab, bytes = programs.CODE_PAGES * PAGE_SIZE;
    const canaries = lab.pages(CANARY_PAGES); // pages around those of the programs
    this.#space = lab.space();
    this.#codeAt = lab.map(this.#space, l.CODE, programs.CODE_PAGES, l.RX);
    lab.map(this.#space, l.DATA, programs.DATA_PAGES);
    lab.map(this.#space, l.STACK, l.STACK_BYTES / PAGE_SIZE);
    const behind = lab.pages(CANARY_PAGES);
    for (let i = 0; i < CANARY_PAGES * PAGE_SIZE; i += 4) {
      arena.dv.setUint32(canaries + i, random.word(), true);
      arena.dv.setUint32(behind + i, random.word(), true);
    }
    this.#witness = startWitness(lab, canaries);
    this.#code = new Watch("code", arena.base + this.#codeAt, bytes);
    const stretch = { bytes: CANARY_PAGES * PAGE_SIZE };
    this.#canaries = new Watch(
      "another's page",
      arena.base + canaries,
      behind - canaries + CANARY_PAGES * PAGE_SIZE,
      [{ from: 0, ...stretch }, { from: behind - canaries, ...stretch }],
    );
    this.#warmUp();
    this.#tables = watchTables(WATCHED_FRAMES, CPUS);
  }

  /** Runs each space on each vCPU, so that all tables exist. */
  #warmUp(): void {
    const { arena } = this.#lab;
    for (let i = 0; i < programs.CODE_PAGES * PAGE_SIZE; i += 2) {
      arena.dv.setUint16(this.#codeAt + i, 0xfeeb, true); // jmp to itself
    }
    this.#lab.expect(this.#witness, p.TRAP_SYSCALL);
    this.#checkWitness();
    const threads = this.#threads.map(() => this.#lab.thread(this.#space));
    for (const [i, c] of threads.entries()) {
      for (const one of threads) one.resumeAll(true);
      this.#answerWitness(); // it waits for a vCPU, and gets that of this thread
      c.interrupt();
      const stops = new Set([this.#lab.next(), this.#lab.next()]);
      assert(stops.has(c) && stops.has(this.#witness));
      this.#checkWitness();
      threads[1 - i]!.interrupt();
      this.#lab.expect(threads[1 - i]!, p.TRAP_INTERRUPT);
    }
    for (const c of threads) c.release();
  }

  run(count: number): void {
    while (this.#done < count) {
      this.#batch();
      const what = `by program ${this.#done}`;
      this.#code.assertSame(what);
      this.#canaries.assertSame(what);
      this.#tables.assertSame(what);
      if (this.#done % SAID_EVERY < programs.PROGRAMS) console.log(`${this.#done} programs`);
    }
    for (const watch of [this.#code, this.#canaries, this.#tables]) watch.close();
    this.#witness.space.destroy();
    this.#space.destroy();
  }

  #batch(): void {
    const { dv } = this.#lab.arena, random = this.#random;
    for (let i = 0; i < programs.PROGRAMS; i++) {
      programs.writeProgram(random, dv, this.#codeAt + i * programs.PROGRAM_BYTES);
    }
    this.#code.renew();
    this.#next = 0;
    let running = 0, waits = 0;
    for (const [i] of this.#threads.entries()) running += this.#begin(i);
    while (running > 0) {
      const c = this.#lab.nextWithin(PATIENCE_MS);
      if (c === null) {
        for (const thread of this.#threads) thread?.interrupt();
        assert(++waits < MAX_WAITS, `a program is not stopped: ${this.#places()}`);
        continue;
      }
      waits = 0;
      if (c === this.#witness) {
        this.#checkWitness();
        continue;
      }
      const i = this.#threads.indexOf(c);
      assert(i >= 0, "an unknown context");
      if (this.#goesOn(c)) continue;
      running += this.#begin(i) - 1;
    }
  }

  /** Starts the next program on a thread. @returns 1, or 0 if the batch has none left */
  #begin(i: number): number {
    if (this.#next >= programs.PROGRAMS) return 0;
    const random = this.#random;
    let c = this.#threads[i]!;
    if (c === null || c.trap === p.TRAP_DEATH) {
      c?.release();
      c = this.#threads[i] = this.#lab.thread(this.#space);
    }
    programs.fillRegisters(random, c.regs, this.#next++);
    const withFpu = random.oneIn(32);
    if (withFpu) { for (let k = 0; k < c.fpu.length; k++) c.fpu[k] = random.byte(); }
    c.resumeAll(withFpu);
    if (random.oneIn(16)) c.interrupt();
    if (this.#next % WITNESS_EVERY === 0 && this.#isWitnessStopped) this.#answerWitness();
    return 1;
  }

  /** The bytes of the programs that started last. */
  #places(): string {
    const from = Math.max(0, this.#next - 4), size = programs.PROGRAM_BYTES;
    const at = this.#codeAt + from * size, { buffer } = this.#lab.arena.dv;
    const bytes = new Uint8Array(buffer, at, (this.#next - from) * size);
    return bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
  }

  /** Handles the stop of a program. @returns true if its call was answered and it continues */
  #goesOn(c: p.Context): boolean {
    const { trap } = c, random = this.#random;
    const hasSignal = trap === p.TRAP_FAULT || trap === p.TRAP_EXCEPTION;
    if (hasSignal) assert(SIGNALS.includes(c.signo), l.describe(c));
    else assert([p.TRAP_SYSCALL, p.TRAP_INTERRUPT, p.TRAP_DEATH].includes(trap), l.describe(c));
    if (trap !== p.TRAP_DEATH) {
      c.fetchRegs();
      assertEquals(c.regs.getUint32(p.EFLAGS, true) & 0x3202, 0x202, l.describe(c));
      if (random.oneIn(16)) c.fetchFpu();
    }
    if (trap === p.TRAP_SYSCALL && this.#answers++ % (MAX_ANSWERS + 1) < MAX_ANSWERS) {
      if (random.oneIn(4)) c.park();
      c.resumeRet(random.below(1000) - 500);
      return true;
    }
    ends.set(trap, (ends.get(trap) ?? 0) + 1);
    this.#done++;
    return false;
  }

  #answerWitness(): void {
    this.#isWitnessStopped = false;
    this.#witness.resumeRet(0);
  }

  /** Checks that the witness has its registers, whatever ran on its vCPU meanwhile. */
  #checkWitness(): void {
    this.#isWitnessStopped = true;
    const c = this.#witness, what = `witness behind program ${this.#done}`;
    l.assertTrap(c, p.TRAP_SYSCALL);
    assertEquals(c.nr, 7, what);
    assertEquals(c.args.u64(0), this.#made++, what);
    c.fetchRegs();
    for (let i = 0; i < 8; i++) {
      assertEquals(l.reg(c, p.R8 + 8 * i), i === 3 ? l.reg(c, p.R11) : secret(i), what);
    }
    assertEquals(l.reg(c, p.FS_BASE), BigInt(l.DATA), what);
    if (this.#made % 8 !== 0) return;
    c.fetchFpu();
    for (let i = 0; i < 256; i++) assertEquals(c.fpu[XMM + i], i, what);
  }
}

function secret(i: number): bigint {
  return 0x5ec3e700_00000000n + BigInt(i);
}

/** A thread of another space that calls with a count; its registers and its page have a pattern. */
function startWitness(lab: l.Lab, canaries: number): p.Context {
  const space = lab.space();
  const code = new Assembler().label("again").mov(rdi, rbx).mov(eax, 7).syscall();
  lab.load(space, code.add(rbx, 1).mov(rdi, mem(null, l.DATA)).jmp("again"));
  space.mapArena(l.DATA, PAGE_SIZE, canaries, l.RW);
  const c = lab.thread(space);
  for (let i = 0; i < 8; i++) l.setReg(c, p.R8 + 8 * i, secret(i));
  l.setReg(c, p.FS_BASE, l.DATA);
  const dv = new DataView(c.fpu.buffer);
  dv.setUint32(XSTATE, 3, true);
  dv.setUint32(MXCSR, 0x1f80, true);
  for (let i = 0; i < 256; i++) dv.setUint8(XMM + i, i);
  c.resumeAll(true);
  return c;
}

const problem = tryPlatform("kvm");

Deno.test({
  ...named(`${COUNT} programs without sense change nothing that is not theirs`, problem),
  fn: () => {
    const seed = fuzzSeed(), start = performance.now();
    const arena = Arena.create(64 * 1024 * 1024, 0);
    const platform = createKvmPlatform(arena, { cpus: CPUS });
    platform.setSpinBudget(20_000);
    try {
      new Fuzz(new l.Lab(arena, platform), new Random(seed)).run(COUNT);
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    } finally {
      platform.destroy();
      arena.close();
    }
    const perS = Math.round(COUNT / (performance.now() - start) * 1000);
    console.log(`seed ${seed}: ${perS} programs a second`, Object.fromEntries(ends));
  },
});
