/**
 * Several threads in a space, several spaces, and processes that fork.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, rax, rbx, rdi, rsi } from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { assertTrap, CODE, DATA, type Lab, reg, RW, setReg } from "./lab.ts";

/**
 * The bounds of fairness among four threads: how many turns a thread may wait, and how long the
 * host may keep it from its core.
 */
const TURNS_OF_FOUR = 12, HOST_MS = 50;

export function testThreads(define: Define): void {
  define("one thread makes many calls", oneThread);
  define("32 threads of a space count together", (lab) => manyThreads(lab, 32, 60));
  define("threads of many spaces take turns", manySpaces);
  define("all threads get their turn from a kernel that is slow", fairTurns);
  define("threads come and go", comeAndGo);
  define("runningCount says how many run", runningCount);
  define("a forked space has the parent's mappings and its own changes", forked);
  define("a fork of a fork of a fork", forkChain);
  define("a space is forked while its threads run", forkWhileRunning);
  define("children live on when their parent ends right after the fork", parentEnds);
  define("a grandchild lives on when all before it end at once", lineEnds);
}

/** Adds 1 to the shared word at DATA and calls 1 with its counter rbx, in an endless loop. */
function counter(): Assembler {
  return new Assembler().label("again").mov(eax, 1).lock().xadd(mem(null, DATA), rax)
    .mov(rdi, rbx).add(rbx, 1).mov(eax, 1).syscall().jmp("again");
}

function oneThread(lab: Lab): void {
  const space = lab.space();
  lab.load(space, counter());
  const data = lab.map(space, DATA);
  const c = lab.thread(space);
  c.resumeAll(true);
  for (let i = 0; i < 1000; i++) {
    lab.expectCall(c, 1);
    assertEquals(c.args.u64(0), i);
    c.resumeRet(i);
  }
  lab.expectCall(c, 1);
  assertEquals(lab.arena.dv.getUint32(data, true), 1001);
}

/** Serves calls until every context has made `calls`, and checks that none is lost or doubled. */
function serve(lab: Lab, contexts: p.Context[], calls: number): void {
  const made = new Map(contexts.map((c) => [c, 0]));
  for (let left = contexts.length; left > 0;) {
    const c = lab.next();
    assertTrap(c, p.TRAP_SYSCALL);
    const count = made.get(c);
    assert(count !== undefined, "a context that is known");
    assertEquals(c.args.u64(0), count, "calls in order");
    made.set(c, count + 1);
    if (count + 1 < calls) c.resumeRet(0);
    else left--;
  }
}

function manyThreads(lab: Lab, count: number, calls: number): void {
  const space = lab.space();
  lab.load(space, counter());
  const data = lab.map(space, DATA);
  const contexts = Array.from({ length: count }, () => lab.thread(space));
  for (const c of contexts) c.resumeAll(true);
  serve(lab, contexts, calls);
  assertEquals(lab.arena.dv.getUint32(data, true), count * calls);
}

function manySpaces(lab: Lab): void {
  const shared = lab.pages();
  const contexts = Array.from({ length: 12 }, () => {
    const space = lab.space();
    lab.load(space, counter());
    space.mapArena(DATA, PAGE_SIZE, shared, RW);
    return lab.thread(space);
  });
  for (const c of contexts) c.resumeAll(true);
  serve(lab, contexts, 40);
  assertEquals(lab.arena.dv.getUint32(shared, true), 12 * 40);
}

/**
 * Each thread counts its calls at rbx. The kernel answers a thread only when all others wait at
 * their next call, so a thread that calls again at once always competes with them. The host may
 * take the core from a thread between its count and its call, and many turns pass then. So a thread
 * counts as passed over only if it also waited for long.
 */
function fairTurns(lab: Lab): void {
  const space = lab.space();
  const code = new Assembler().label("again").inc(mem(rbx), 4).mov(eax, 1).syscall().jmp("again");
  lab.load(space, code);
  const data = lab.map(space, DATA);
  const contexts = [0, 1, 2, 3].map((i) => {
    const c = lab.thread(space);
    setReg(c, p.RBX, DATA + 4 * i);
    c.resumeAll(true);
    return c;
  });
  const served = contexts.map(() => 0);
  const lastTurn = contexts.map(() => 0), start = performance.now();
  const lastMs = contexts.map(() => start);
  const expectTurn = (i: number, turn: number): void => {
    const wait = turn - lastTurn[i]!, ms = performance.now() - lastMs[i]!;
    assert(
      wait <= TURNS_OF_FOUR || ms < HOST_MS,
      `a thread waited for ${wait} turns of four threads, ${Math.round(ms)} ms`,
    );
  };
  let turn = 0;
  while (++turn <= 100 || performance.now() - start < 8 * HOST_MS) {
    const i = contexts.indexOf(lab.next());
    expectTurn(i, turn);
    served[i]!++;
    lastTurn[i] = turn;
    lastMs[i] = performance.now();
    const isWaiting = (k: number) => lab.arena.dv.getUint32(data + 4 * k, true) > served[k]!;
    const deadline = performance.now() + 20_000;
    while (!contexts.every((_, k) => k === i || isWaiting(k))) {
      assert(performance.now() < deadline, "threads that run make calls");
    }
    contexts[i]!.resumeRet(0);
  }
  contexts.forEach((_, i) => expectTurn(i, turn));
}

function comeAndGo(lab: Lab): void {
  const space = lab.space();
  lab.load(space, counter());
  lab.map(space, DATA);
  for (let round = 0; round < 40; round++) {
    const stopped = lab.thread(space);
    setReg(stopped, p.RBX, 1000 + round);
    stopped.resumeAll(true);
    lab.expectCall(stopped, 1);
    assertEquals(stopped.args.u64(0), 1000 + round);
    stopped.release(); // at its call
    lab.thread(space).release(); // before it ran
  }
  const spin = lab.load(space, new Assembler().label("again").jmp("again"), CODE + 16 * PAGE_SIZE);
  assert(spin >= 0);
  for (let round = 0; round < 10; round++) {
    const running = lab.thread(space, CODE + 16 * PAGE_SIZE);
    running.resumeAll(true);
    running.release(); // while it runs
  }
  const last = lab.thread(space);
  last.resumeAll(true);
  lab.expectCall(last, 1);
}

function runningCount(lab: Lab): void {
  const { platform } = lab;
  const space = lab.space();
  lab.load(space, new Assembler().mov(eax, 1).syscall().label("again").jmp("again"));
  assertEquals(platform.runningCount, 0);
  const a = lab.thread(space), b = lab.thread(space);
  a.resumeAll(true);
  b.resumeAll(true);
  lab.next();
  lab.next();
  assertEquals(platform.runningCount, 0);
  a.resumeRet(0);
  assertEquals(platform.runningCount, 1);
  b.resumeRet(0);
  assertEquals(platform.runningCount, 2);
  a.interrupt();
  lab.expect(a, p.TRAP_INTERRUPT);
  assertEquals(platform.runningCount, 1);
}

/** Reads the word at DATA and passes it to a call; the kernel changes rbx and the mappings. */
function peeker(): Assembler {
  return new Assembler().label("again").mov(rdi, mem(null, DATA)).mov(rsi, rbx).mov(eax, 1)
    .syscall().jmp("again");
}

/** As fork(2): the child thread gets the registers of the parent. */
function forkThread(lab: Lab, parent: p.Context): p.Context {
  const space = parent.space.fork();
  assert(space !== null, "fork gave a space");
  const child = lab.thread(space);
  parent.fetchRegs();
  new Uint8Array(child.regs.buffer).set(new Uint8Array(parent.regs.buffer));
  setReg(child, p.RAX, 0);
  return child;
}

function forked(lab: Lab): void {
  const { dv } = lab.arena;
  const space = lab.space();
  lab.load(space, peeker());
  const first = lab.map(space, DATA);
  dv.setUint32(first, 11, true);
  const parent = lab.thread(space);
  parent.resumeAll(true);
  lab.expectCall(parent, 1);
  lab.map(space, DATA + PAGE_SIZE); // queued at the time of fork
  const child = forkThread(lab, parent);
  child.resumeAll(true);
  lab.expectCall(child, 1);
  assertEquals(child.args.u64(0), 11);

  const own = lab.map(child.space, DATA);
  dv.setUint32(own, 22, true);
  child.resumeRet(0);
  lab.expectCall(child, 1);
  assertEquals(child.args.u64(0), 22, "the child's new page");
  parent.resumeRet(0);
  lab.expectCall(parent, 1);
  assertEquals(parent.args.u64(0), 11, "the parent's old page");

  space.unmap(DATA, PAGE_SIZE);
  parent.resumeRet(0);
  lab.expect(parent, p.TRAP_FAULT);
  child.resumeRet(0);
  lab.expectCall(child, 1);
  space.destroy();
  child.resumeRet(0);
  lab.expectCall(child, 1);
  assertEquals(child.args.u64(0), 22, "the child outlives its parent");
}

function forkChain(lab: Lab): void {
  const space = lab.space();
  lab.load(space, peeker());
  const data = lab.map(space, DATA);
  lab.arena.dv.setUint32(data, 7, true);
  let context = lab.thread(space);
  context.resumeAll(true);
  lab.expectCall(context, 1);
  for (let depth = 1; depth <= 10; depth++) {
    context = forkThread(lab, context);
    setReg(context, p.RBX, depth);
    context.resumeAll(true);
    lab.expectCall(context, 1);
    assertEquals([context.args.u64(0), context.args.u64(1)], [7, depth]);
  }
}

function forkWhileRunning(lab: Lab): void {
  const space = lab.space();
  lab.load(space, peeker());
  const spin = new Assembler().label("again").inc(rax).mov(mem(rbx), rax).jmp("again");
  lab.load(space, spin, CODE + PAGE_SIZE);
  const data = lab.map(space, DATA);
  const spinner = lab.thread(space, CODE + PAGE_SIZE);
  setReg(spinner, p.RBX, DATA + PAGE_SIZE / 2);
  spinner.resumeAll(true);
  lab.until(() => lab.arena.dv.getUint32(data + PAGE_SIZE / 2, true) > 0, "it runs");
  const caller = lab.thread(space);
  caller.resumeAll(true);
  for (let i = 0; i < 20; i++) {
    lab.expectCall(caller, 1);
    const child = forkThread(lab, caller);
    child.resumeAll(true);
    lab.expectCall(child, 1);
    child.space.destroy();
    caller.resumeRet(0);
  }
  lab.expectCall(caller, 1);
  spinner.interrupt();
  lab.expect(spinner, p.TRAP_INTERRUPT);
  spinner.fetchRegs();
  assert(reg(spinner, p.RAX) > 0n, "it has been running");
}

/**
 * The parent is destroyed before any child can have started, and while another of its threads runs.
 */
function parentEnds(lab: Lab): void {
  for (let round = 0; round < 10; round++) {
    const space = lab.space();
    lab.load(space, peeker());
    lab.load(space, new Assembler().label("again").jmp("again"), CODE + PAGE_SIZE);
    lab.arena.dv.setUint32(lab.map(space, DATA), 7, true);
    lab.thread(space, CODE + PAGE_SIZE).resumeAll(true);
    const parent = lab.thread(space);
    parent.resumeAll(true);
    lab.expectCall(parent, 1);
    const children = new Set<p.Context>();
    for (let i = 0; i < 3; i++) children.add(forkThread(lab, parent));
    for (const child of children) if (round % 2 === 0) child.resumeAll(true);
    space.destroy();
    assert(space.fork() === null, "a destroyed space cannot fork");
    for (const child of children) if (round % 2 === 1) child.resumeAll(true);
    const spaces = [space, ...[...children].map((c) => c.space)];
    while (children.size > 0) {
      const child = lab.next();
      assertTrap(child, p.TRAP_SYSCALL);
      assertEquals(child.args.u64(0), 7);
      assert(children.delete(child), "each child makes its call");
    }
    for (const s of spaces) s.destroy();
    for (const s of spaces) lab.until(() => s.ackedSeq === s.seq, "the stub is gone");
  }
}

function lineEnds(lab: Lab): void {
  const space = lab.space();
  lab.load(space, peeker());
  lab.arena.dv.setUint32(lab.map(space, DATA), 7, true);
  const line: p.AddressSpace[] = [space];
  for (let depth = 1; depth <= 5; depth++) {
    const child = line[depth - 1]!.fork();
    assert(child !== null, "a space that has never run can fork");
    line.push(child);
  }
  const last = lab.thread(line.pop()!);
  for (const s of line) s.destroy();
  last.resumeAll(true);
  lab.expectCall(last, 1);
  assertEquals(last.args.u64(0), 7);
  for (const s of line) lab.until(() => s.ackedSeq === s.seq, "the stub is gone");
}
