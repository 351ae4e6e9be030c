/**
 * What snapshots need: the whole state of a thread that stopped is in its context, whatever stopped
 * it, and a new context in another address space goes on with that state exactly where the thread
 * was.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { SIGILL } from "../../ffi/abi/signal.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem, memSeg } from "../../ffi/asm/operands.ts";
import { eax, r12, rax, rbx, rcx, rdi, rsi } from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { AFTER, BEFORE, FpuGuest } from "./fpu_guest.ts";
import { Dice } from "./interrupts.ts";
import { CODE, DATA, type Lab, patchSite, reg, RW, RX, setReg } from "./lab.ts";

const TRAP_FLAG = 0x100;
/** The general registers in `Context.regs`, with rsp, rip, flags and the bases. */
const ALL = [...Array(18).keys()].map((i) => 8 * i).concat(p.FS_BASE, p.GS_BASE);

export function testTransplants(define: Define): void {
  define("a new context keeps the state that it was given until it runs", keepsNew);
  define("many threads that compute are stopped together", stopMany);
  define("a thread's state moves to another space, from a call", fromCall);
  define("FPU state moves with a thread", moveFpu);
  define("a thread moves from a fault, and from an exception", fromFault);
  define("a thread moves from interrupts", fromInterrupts);
  define("a thread moves from the midst of a single step", fromStep);
  define("a thread moves from behind a patched site", fromPatchedSite);
  define("a thread that set the base of fs itself moves with it", ownFsBase);
}

/** Gets the whole state of a stopped thread into its context. The trap stays as it was. */
function fetchAll(lab: Lab, c: p.Context): void {
  const { trap } = c;
  if (!c.isFull) {
    c.requestFull();
    lab.expect(c, p.TRAP_FULL);
    c.trap = trap;
  }
  c.fetchRegs();
  c.fetchFpu();
}

/** A new thread in `space` with the state of a stopped one, which ends. */
function move(lab: Lab, from: p.Context, space: p.AddressSpace): p.Context {
  fetchAll(lab, from);
  const to = space.newContext();
  assert(to !== null, "newContext gave none");
  to.regBytes.set(from.regBytes);
  to.fpu.set(from.fpu);
  from.release();
  return to;
}

function keepsNew(lab: Lab): void {
  const guest = new FpuGuest(lab);
  guest.callWithData(4);
  const c = move(lab, guest.context, guest.newSpace()), before = registers(c), fpu = c.fpu.slice();
  for (let i = 0; i < 2; i++) {
    assert(c.isNew);
    fetchAll(lab, c);
    assertEquals([registers(c), c.fpu], [before, fpu]);
    c.requestFull();
    lab.expect(c, p.TRAP_FULL);
  }
  c.resumeAll(true);
  lab.expect(c, p.TRAP_EXCEPTION);
  assert(!c.isNew);
  guest.assertSame(guest.read(BEFORE), guest.read(AFTER));
}

/** Ten threads count and are interrupted at once; all have their registers, and go on. */
function stopMany(lab: Lab): void {
  const space = lab.space(), count = 10;
  lab.load(space, new Assembler().label("again").inc(rbx).mov(rcx, rbx).jmp("again"));
  const all = Array.from({ length: count }, () => lab.thread(space)), last = all.map(() => 0n);
  for (const c of all) c.resumeAll(true);
  for (let round = 0; round < 20; round++) {
    for (const c of all) c.interrupt();
    const left = new Set(all);
    while (left.size > 0) {
      const c = lab.next();
      assertEquals([c.trap, left.delete(c)], [p.TRAP_INTERRUPT, true]);
    }
    assertEquals(lab.platform.runningCount, 0);
    all.forEach((c, i) => {
      fetchAll(lab, c);
      assert(reg(c, p.RBX) >= last[i]! && reg(c, p.RBX) - reg(c, p.RCX) <= 1n);
      last[i] = reg(c, p.RBX);
      c.resumeAll(round % 2 === 0);
    });
  }
}

/** Calls 1 and 2 in turn with what is at fs:0 and gs:8, and the counter rbx. */
function baseReader(): Assembler {
  const a = new Assembler().label("again");
  for (const nr of [1, 2]) {
    a.mov(rdi, memSeg("fs", mem(null, 0))).mov(rsi, memSeg("gs", mem(null, 8))).inc(rbx);
    a.mov(eax, nr).syscall();
  }
  return a.jmp("again");
}

/** A space with code at CODE and two pages at DATA. */
function spaceWith(lab: Lab, code: number, data: number): p.AddressSpace {
  const space = lab.space();
  space.mapArena(CODE, PAGE_SIZE, code, RX);
  space.mapArena(DATA, 2 * PAGE_SIZE, data, RW);
  return space;
}

function fromCall(lab: Lab): void {
  const first = lab.space(), code = lab.load(first, baseReader()), data = lab.map(first, DATA, 2);
  const { dv } = lab.arena;
  dv.setUint32(data, 0x1234, true);
  dv.setUint32(data + PAGE_SIZE + 8, 0x5678, true);
  let c = lab.thread(first);
  setReg(c, p.FS_BASE, DATA);
  setReg(c, p.GS_BASE, DATA + PAGE_SIZE);
  c.resumeAll(true);
  for (let i = 0; i < 6; i++) {
    lab.expectCall(c, 1 + i % 2);
    assertEquals([c.args.u64(0), c.args.u64(1)], [0x1234, 0x5678], "through the bases");
    const { rip, rsp } = c;
    const old = c;
    c = move(lab, old, spaceWith(lab, code, data));
    assertEquals([reg(c, p.RIP), reg(c, p.RSP), reg(c, p.RBX)], [
      BigInt(rip),
      BigInt(rsp),
      BigInt(i + 1),
    ]);
    old.space.destroy();
    setReg(c, p.RAX, 0); // the result
    c.resumeAll(true);
  }
}

function moveFpu(lab: Lab): void {
  for (const seed of [1, 2, 3]) {
    const guest = new FpuGuest(lab);
    guest.callWithData(seed);
    const before = guest.read(BEFORE), old = guest.context;
    guest.context = move(lab, old, guest.newSpace());
    guest.assertSame(guest.context.fpu, before);
    old.space.destroy();
    guest.context.resumeAll(true);
    lab.expect(guest.context, p.TRAP_EXCEPTION);
    guest.assertSame(before, guest.read(AFTER));
    guest.context.space.destroy();
  }
}

/** All registers of a context as text. */
function registers(c: p.Context): string {
  return ALL.map((at) => reg(c, at)).join(" ");
}

function fromFault(lab: Lab): void {
  const first = lab.space(), data = lab.pages(2);
  const code = lab.load(first, new Assembler().inc(rbx).mov(mem(null, DATA), rbx).inc(rbx).ud2());
  const c = lab.thread(first);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_FAULT);
  assertEquals(c.faultAddr, DATA);
  const second = lab.space();
  second.mapArena(CODE, PAGE_SIZE, code, RX);
  const again = move(lab, c, second);
  again.resumeAll(true);
  lab.expect(again, p.TRAP_FAULT); // the page is missing here too
  const third = move(lab, again, spaceWith(lab, code, data));
  third.resumeAll(true);
  lab.expect(third, p.TRAP_EXCEPTION);
  assertEquals(lab.arena.dv.getUint32(data, true), 1);
  const { rip, signo, sigcode } = third, fourth = move(lab, third, spaceWith(lab, code, data));
  const before = registers(fourth);
  fourth.resumeAll(true);
  lab.expect(fourth, p.TRAP_EXCEPTION);
  assertEquals([fourth.rip, fourth.signo, fourth.sigcode], [rip, signo, sigcode]);
  fourth.fetchRegs();
  assertEquals(registers(fourth), before);
  assertEquals(reg(fourth, p.RBX), 2n);
}

/** Counts in rbx and in memory, and traps when they differ. */
function strictCounter(): Assembler {
  return new Assembler().label("again").inc(rbx).inc(r12).mov(mem(null, DATA), rbx)
    .mov(rax, mem(null, DATA)).cmp(rax, r12).je("again").ud2();
}

function fromInterrupts(lab: Lab): void {
  const first = lab.space(),
    code = lab.load(first, strictCounter()),
    data = lab.map(first, DATA, 2);
  const dice = new Dice(5);
  let c = lab.thread(first), last = -1n;
  c.resumeAll(true);
  for (let i = 0; i < 30; i++) {
    const end = performance.now() + dice.below(60) / 100;
    while (performance.now() < end);
    c.interrupt();
    lab.expect(c, p.TRAP_INTERRUPT);
    const old = c;
    c = move(lab, old, spaceWith(lab, code, data));
    old.space.destroy();
    assert(reg(c, p.RBX) >= last, "it goes on from where it was");
    last = reg(c, p.RBX);
    c.resumeAll(true);
  }
}

/** Steps with the trap flag; each step is taken by a new thread in a new space. */
function fromStep(lab: Lab): void {
  const a = new Assembler(), first = lab.space();
  for (let i = 0; i < 12; i++) a.inc(rbx);
  const code = lab.load(first, a.ud2());
  let c = lab.thread(first);
  setReg(c, p.EFLAGS, 0x202 | TRAP_FLAG);
  c.resumeAll(true);
  for (let i = 1; i <= 12; i++) {
    lab.expect(c, p.TRAP_EXCEPTION);
    const old = c;
    c = move(lab, old, spaceWith(lab, code, lab.pages(2)));
    assertEquals(reg(c, p.RBX), BigInt(i));
    assertEquals(reg(c, p.EFLAGS) & BigInt(TRAP_FLAG), BigInt(TRAP_FLAG));
    old.space.destroy();
    c.resumeAll(true);
  }
}

const SITE_NR = 9;

/** A loop around a site at "site", with the counter rbx as argument. */
function patchedLoop(): Assembler {
  return new Assembler().label("again").mov(rdi, rbx).label("site").mov(eax, SITE_NR).syscall()
    .inc(rbx).jmp("again");
}

/** Calls and interrupts of a patched site: the thread is in guest code, or behind the call. */
function fromPatchedSite(lab: Lab): void {
  const { thunks } = lab;
  if (thunks === null) return;
  const first = lab.space(), a = patchedLoop(), code = lab.load(first, a), data = lab.pages(2);
  patchSite(lab, first, code, a.offsetOf("site"), SITE_NR);
  const dice = new Dice(6), end = CODE + a.length;
  let c = lab.thread(first);
  c.resumeAll(true);
  for (let made = 0, moves = 0; moves < 40;) {
    dice.interrupt(c);
    const stop = lab.next();
    assert(stop === c && (c.trap === p.TRAP_SYSCALL || c.trap === p.TRAP_INTERRUPT));
    const isCall = c.trap === p.TRAP_SYSCALL;
    if (isCall) assertEquals([c.nr, c.args.u64(0)], [SITE_NR, made++]);
    if (dice.below(4) !== 0) {
      if (isCall) c.resumeRet(0);
      else {
        c.fetchRegs();
        c.resumeAll(false);
      }
      continue;
    }
    const old = c, space = spaceWith(lab, code, data);
    space.useThunks(thunks);
    c = move(lab, old, space);
    const rip = Number(reg(c, p.RIP));
    assert(rip >= CODE && rip < end, `rip 0x${rip.toString(16)}`);
    if (isCall) assertEquals(rip, CODE + a.offsetOf("site") + 7);
    old.space.destroy();
    moves++;
    c.resumeAll(true);
  }
}

/** The kernel learns the base that `wrfsbase` set, behind a patched site too. */
function ownFsBase(lab: Lab): void {
  const a = new Assembler().mov(rax, DATA + PAGE_SIZE).wrfsbase(rax).label("again")
    .mov(rdi, memSeg("fs", mem(null, 0))).label("site").mov(eax, SITE_NR).syscall().jmp("again");
  const first = lab.space(), code = lab.load(first, a), data = lab.map(first, DATA, 2);
  lab.arena.dv.setUint32(data + PAGE_SIZE, 77, true);
  if (lab.thunks !== null) patchSite(lab, first, code, a.offsetOf("site"), SITE_NR);
  let c = lab.thread(first);
  setReg(c, p.FS_BASE, DATA);
  c.resumeAll(true);
  lab.next();
  if (c.trap === p.TRAP_EXCEPTION && c.signo === SIGILL) return; // an old host has no wrfsbase
  for (let i = 0; i < 4; i++) {
    if (i > 0) lab.next();
    assertEquals([c.trap, c.nr, c.args.u64(0)], [p.TRAP_SYSCALL, SITE_NR, 77], "through fs");
    c.fetchRegs();
    c.resumeAll(false); // without the state that is not fetched
    lab.expectCall(c, SITE_NR);
    assertEquals(c.args.u64(0), 77, "through fs");
    const old = c, space = spaceWith(lab, code, data);
    if (lab.thunks !== null) space.useThunks(lab.thunks);
    c = move(lab, old, space);
    assertEquals(reg(c, p.FS_BASE), BigInt(DATA + PAGE_SIZE));
    c.resumeAll(true);
    old.space.destroy();
  }
}
