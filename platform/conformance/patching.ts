/**
 * The fast path of platforms that patch: a `jmp [thunk]` in place of `mov eax, nr; syscall` changes
 * nothing that the guest can see.
 *
 * A platform or host whose `newThunks` returns null passes without it.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_EXEC, PROT_READ } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { r11, rax, rbx, rcx, rdi, rdx, rsi } from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { Dice } from "./interrupts.ts";
import { callBytes, CODE, DATA, type Lab, movEax, reg, setReg } from "./lab.ts";

const SITE_BYTES = 7;
const ALL_FLAGS = 0xed7;
/**
 * Carry, parity, adjust, zero, sign, direction and overflow; bit 1 and interrupts are always on.
 */
const EACH_FLAG = [0x1, 0x4, 0x10, 0x40, 0x80, 0x400, 0x800], FIXED_FLAGS = 0x202;
const REGISTERS = [p.RAX, p.RBX, p.RDX, p.RSI, p.RDI, p.RBP, p.R8, p.R9, p.R10, p.R12, p.R13, p.R14]
  .concat(p.R15, p.RSP, p.RIP);

export function testPatching(define: Define): void {
  define("a patched site is like one that is not", samePath);
  define("a patched site serves many calls in order", manyCalls);
  define("a jump to the old syscall instruction of a patched site", middle);
  define("a patched site and an interrupt storm", patchedStorm);
  define("patched sites that fetch the number from the stack, or store to it", byStack);
  define("a patched site behind two moves of registers", twoMoves);
  define("an instruction that faults in a thunk faults at its site", faultInThunk);
  define("what a thunk executes is the instruction of its site and nothing else", constants);
  define("a space sees its own thunks, and its forks see them", ownThunks);
  define("a patched site keeps FPU state and loads all registers", patchedLoad);
}

/** Writes the jump over the site. False if the platform does not patch. */
function patch(
  lab: Lab,
  space: p.AddressSpace,
  code: number,
  site: number,
  before: number,
  bytes = SITE_BYTES,
): boolean {
  const returnAddr = CODE + site + bytes;
  const { thunks } = lab;
  if (thunks === null) return false;
  const thunk = thunks.get(before, returnAddr);
  assert(thunk !== 0, "a set of thunks has room");
  space.useThunks(thunks);
  assertEquals(thunk, thunk | 0, "an absolute address that sign extension keeps");
  const { dv } = lab.arena;
  dv.setUint8(code + site, 0xff);
  dv.setUint8(code + site + 1, 0x24);
  dv.setUint8(code + site + 2, 0x25);
  dv.setUint32(code + site + 3, thunk, true);
  space.mapArena(CODE, 4096, code, PROT_READ | PROT_EXEC);
  return true;
}

interface Site {
  readonly space: p.AddressSpace;
  readonly context: p.Context;
  readonly isPatched: boolean;
}

/** `site: mov eax, 321; syscall; ud2` at CODE + 64, with registers set; not running. */
function site(lab: Lab, wantPatch: boolean, flags = ALL_FLAGS): Site {
  const space = lab.space();
  const code = lab.load(space, new Assembler().zero(64).bytes(callBytes(321)).ud2());
  lab.map(space, DATA);
  const isPatched = wantPatch && patch(lab, space, code, 64, movEax(321));
  const context = lab.thread(space, CODE + 64);
  REGISTERS.slice(0, 13).forEach((at, i) => setReg(context, at, 0x0101_0203_0405n * BigInt(i + 3)));
  setReg(context, p.EFLAGS, flags);
  return { space, context, isPatched };
}

/** The registers at the call and after it, as text. */
function trace(lab: Lab, s: Site): string[] {
  const c = s.context;
  const found: string[] = [];
  c.resumeAll(true);
  lab.expectCall(c, 321);
  found.push(`nr ${c.nr} rip ${c.rip} rsp ${c.rsp} args ${[...c.args.words]}`);
  for (const trap of [p.TRAP_SYSCALL, p.TRAP_EXCEPTION]) {
    c.fetchRegs();
    const flags = Number(reg(c, p.EFLAGS)) & ALL_FLAGS;
    found.push(`${trap}: ${REGISTERS.map((at) => reg(c, at))} flags ${flags}`);
    if (trap === p.TRAP_SYSCALL) {
      c.resumeRet(-14);
      lab.expect(c, p.TRAP_EXCEPTION);
    }
  }
  return found;
}

function samePath(lab: Lab): void {
  for (const flags of [ALL_FLAGS, FIXED_FLAGS, ...EACH_FLAG.map((flag) => FIXED_FLAGS | flag)]) {
    const patched = site(lab, true, flags);
    if (!patched.isPatched) return;
    assertEquals(trace(lab, patched), trace(lab, site(lab, false, flags)));
  }
}

/** A loop around a site. The counter rbx is the argument; the red zone, rcx and r11 are in use. */
function loop(): Assembler {
  return new Assembler().label("again").mov(rdi, rbx).label("site").bytes(callBytes(9))
    .mov(rcx, rbx).mov(r11, rbx).add(rbx, 1).jmp("again");
}

function startLoop(lab: Lab): p.Context | null {
  const space = lab.space();
  const a = loop();
  const code = lab.load(space, a);
  if (!patch(lab, space, code, a.offsetOf("site"), movEax(9))) return null;
  const c = lab.thread(space);
  c.resumeAll(true);
  return c;
}

function manyCalls(lab: Lab): void {
  const c = startLoop(lab);
  if (c === null) return;
  for (let i = 0; i < 20000; i++) {
    lab.expectCall(c, 9);
    assertEquals(c.args.u64(0), i);
    c.resumeRet(i);
  }
}

function middle(lab: Lab): void {
  const s = site(lab, true);
  if (!s.isPatched) return;
  const c = s.context;
  setReg(c, p.RAX, 55);
  setReg(c, p.RIP, CODE + 64 + 5);
  c.resumeAll(true);
  lab.expectCall(c, 55);
  assertEquals(c.rip, CODE + 64 + SITE_BYTES);
  c.resumeRet(66);
  lab.expect(c, p.TRAP_EXCEPTION);
  assertEquals(c.rip, CODE + 64 + SITE_BYTES);
  c.fetchRegs();
  assertEquals(reg(c, p.RAX), 66n);
}

function patchedStorm(lab: Lab): void {
  const c = startLoop(lab);
  if (c === null) return;
  const dice = new Dice(4);
  for (let made = 0; made < 3000;) {
    dice.interrupt(c);
    const stop = lab.next();
    if (stop.trap === p.TRAP_INTERRUPT) {
      c.fetchRegs();
      const rip = Number(reg(c, p.RIP));
      assert(rip >= CODE && rip < CODE + 4096, `guest rip, found 0x${rip.toString(16)}`);
      c.resumeAll(false);
      continue;
    }
    assertEquals([stop.trap, c.nr, c.args.u64(0)], [p.TRAP_SYSCALL, 9, made]);
    c.resumeRet(made);
    made++;
  }
}

function patchedLoad(lab: Lab): void {
  const c = startLoop(lab);
  if (c === null) return;
  lab.expectCall(c, 9);
  c.fetchRegs();
  setReg(c, p.RBX, 500);
  setReg(c, p.RIP, CODE);
  c.resumeAll(false); // from the fast path, where nothing but general registers was saved
  lab.expectCall(c, 9);
  assertEquals(c.args.u64(0), 500);
  if (!c.isFull) {
    c.requestFull();
    lab.expect(c, p.TRAP_FULL);
  }
  c.fetchRegs();
  c.fetchFpu();
  assertEquals(reg(c, p.RAX), 9n);
  c.fpu[160] = 0x42; // xmm0
  const dv = new DataView(c.fpu.buffer);
  dv.setUint32(512, dv.getUint32(512, true) | 2, true);
  setReg(c, p.RIP, CODE);
  setReg(c, p.RBX, 501);
  c.resumeAll(true);
  lab.expectCall(c, 9);
  assertEquals(c.args.u64(0), 501);
  c.requestFull();
  lab.expect(c, p.TRAP_FULL);
  c.fetchFpu();
  assertEquals(c.fpu[160], 0x42);
  c.resumeRet(0);
  lab.expectCall(c, 9);
  assertEquals(c.args.u64(0), 502);
}

/** mov rax, [rsp + 16]; mov [rsp + 8], r11: five bytes each. */
const LOAD_RAX = 0x10_2444_8b48, STORE_R11 = 0x08_245c_894c;

/** `instruction; syscall; ud2` at CODE + 64, patched, with a stack at DATA + PAGE_SIZE. */
function stackSite(lab: Lab, instruction: number): Site {
  const space = lab.space(), code = lab.load(space, new Assembler().zero(71).ud2());
  const isPatched = patch(lab, space, code, 64, instruction);
  const context = lab.thread(space, CODE + 64, DATA + PAGE_SIZE);
  setReg(context, p.RDI, 0x1234);
  return { space, context, isPatched };
}

function byStack(lab: Lab): void {
  const load = stackSite(lab, LOAD_RAX), store = stackSite(lab, STORE_R11);
  if (!load.isPatched) return;
  const { dv } = lab.arena;
  dv.setUint32(lab.map(load.space, DATA + PAGE_SIZE) + 16, 345, true);
  load.context.resumeAll(true);
  lab.expectCall(load.context, 345);
  assertEquals([load.context.args.u64(0), load.context.rip], [0x1234, CODE + 71]);

  const data = lab.map(store.space, DATA + PAGE_SIZE);
  setReg(store.context, p.R11, 0x5678);
  setReg(store.context, p.RAX, 346);
  store.context.resumeAll(true);
  lab.expectCall(store.context, 346);
  assertEquals(dv.getUint32(data + 8, true), 0x5678, "r11 as it was before the call");
  store.context.resumeRet(7);
  lab.expect(store.context, p.TRAP_EXCEPTION);
  store.context.fetchRegs();
  assertEquals(reg(store.context, p.RAX), 7n);
}

function faultInThunk(lab: Lab): void {
  const { space, context, isPatched } = stackSite(lab, LOAD_RAX);
  if (!isPatched) return;
  context.resumeAll(true);
  lab.expect(context, p.TRAP_FAULT);
  assertEquals([context.faultAddr, context.rip], [DATA + PAGE_SIZE + 16, CODE + 64]);
  context.fetchRegs();
  assertEquals(reg(context, p.RIP), BigInt(CODE + 64));
  lab.arena.dv.setUint32(lab.map(space, DATA + PAGE_SIZE) + 16, 345, true);
  context.resumeAll(false);
  lab.expectCall(context, 345);
}

/** mov rsi, rcx; mov rdi, rbx: three bytes each. */
const TWO_MOVES = 0xdf_8948 * 0x1000000 + 0xce_8948;

function twoMoves(lab: Lab): void {
  const space = lab.space(), code = lab.load(space, new Assembler().zero(72).ud2());
  if (!patch(lab, space, code, 64, TWO_MOVES, 8)) return;
  lab.arena.dv.setUint8(code + 71, 0x06);
  const c = lab.thread(space, CODE + 64);
  setReg(c, p.RAX, 347);
  setReg(c, p.RCX, 1);
  setReg(c, p.RBX, 2);
  c.resumeAll(true);
  lab.expectCall(c, 347);
  assertEquals([c.args.u64(0), c.args.u64(1), c.rip], [2, 1, CODE + 72]);
  c.resumeRet(348);
  lab.expect(c, p.TRAP_EXCEPTION);
  c.fetchRegs();
  assertEquals([reg(c, p.RAX), reg(c, p.RIP)], [348n, BigInt(CODE + 72)]);
  setReg(c, p.RIP, CODE + 70); // the place of the old `syscall`
  setReg(c, p.RDI, 5);
  c.resumeAll(false);
  lab.expectCall(c, 348);
  assertEquals([c.args.u64(0), c.rip], [5, CODE + 72]);
}

/** The bytes of the return address that a guest may choose, which it could try to execute. */
function constants(lab: Lab): void {
  const { thunks } = lab;
  if (thunks === null) return;
  const space = lab.space(), returnAddr = 0x1234_5678_9abc;
  const entry = thunks.get(movEax(7), returnAddr);
  space.useThunks(thunks);
  // rax = address of the thunk, rbx and rcx = its first words; then what follows the entry's first
  // word.
  const a = new Assembler().mov(rax, mem(null, entry)).mov(rdx, mem(null, entry + 8));
  for (const [i, to] of [rbx, rcx, rsi, rdi].entries()) a.mov(to, mem(rax, 8 * i));
  lab.load(space, a.ud2());
  const c = lab.thread(space);
  c.resumeAll(true);
  lab.expect(c, p.TRAP_EXCEPTION);
  c.fetchRegs();
  assertEquals(reg(c, p.RDX), BigInt(returnAddr));
  const code = new Uint8Array(32), dv = new DataView(code.buffer);
  [p.RBX, p.RCX, p.RSI, p.RDI].forEach((at, i) => dv.setBigUint64(8 * i, reg(c, at), true));
  assertEquals([...code.subarray(0, 5)], [0xb8, 7, 0, 0, 0]);
  for (let at = 0; at + 3 <= code.length; at++) {
    const isThere = code[at] === 0xbc && code[at + 1] === 0x9a && code[at + 2] === 0x78;
    assert(!isThere, `the return address at ${at} of ${code}`);
  }
}

/** Reads the return address of an entry at rdi. */
function readEntry(lab: Lab, c: p.Context, entry: number): bigint | null {
  setReg(c, p.RIP, CODE);
  setReg(c, p.RDI, entry);
  c.resumeAll(false);
  const { trap } = lab.next();
  c.fetchRegs();
  return trap === p.TRAP_EXCEPTION ? reg(c, p.RDX) : null;
}

function ownThunks(lab: Lab): void {
  const { thunks } = lab, others = lab.platform.newThunks();
  if (thunks === null || others === null) return;
  const back = [0x1111_2222_3333, 0x4444_5555_6666];
  const entry = thunks.get(movEax(8), back[0]!), other = others.get(movEax(8), back[1]!);
  const code = lab.pages(),
    start = (space: p.AddressSpace, set: p.Thunks | null) => {
      if (set !== null) space.useThunks(set);
      space.mapArena(CODE, PAGE_SIZE, code, PROT_READ | PROT_EXEC);
      return lab.thread(space);
    };
  const bytes = new Assembler().mov(rdx, mem(rdi, 8)).ud2().assemble();
  bytes.forEach((byte, i) => lab.arena.dv.setUint8(code + i, byte));
  const space = lab.space(), c = start(space, thunks);
  assertEquals(readEntry(lab, c, entry), BigInt(back[0]!));
  const child = start(space.fork()!, null);
  assertEquals(readEntry(lab, child, entry), BigInt(back[0]!));
  if (others === thunks) return; // all spaces of this platform share one set
  const stranger = start(lab.space(), others), blank = start(lab.space(), null);
  assertEquals(readEntry(lab, stranger, other), BigInt(back[1]!));
  for (const one of [c, child]) assert(readEntry(lab, one, other) !== BigInt(back[1]!));
  assert(readEntry(lab, stranger, entry) !== BigInt(back[0]!));
  assert(readEntry(lab, blank, entry) !== BigInt(back[0]!));
  // A further table is added when a site needs it.
  for (let i = 0; !others.isTableFull; i++) others.get(movEax(9), 0x10000 + i);
  const late = others.get(movEax(8), back[0]!);
  stranger.space.useThunks(others);
  assertEquals(readEntry(lab, stranger, late), BigInt(back[0]!));
  others.release();
}
