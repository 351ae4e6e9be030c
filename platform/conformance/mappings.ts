/** Host mappings: a change is made before a thread that is resumed later runs, and exactly once. */

import { assert, assertEquals } from "@std/assert";
import { BUS_ADRERR } from "../../ffi/abi/siginfo.ts";
import { SIGBUS } from "../../ffi/abi/signal.ts";
import { PAGE_SIZE, PROT_NONE, PROT_READ } from "../../ffi/abi/mman.ts";
import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { al, eax, rax, rbx, rdi, rsi } from "../../ffi/asm/registers.ts";
import { close, ftruncate, memfdCreate, pread, pwrite } from "../../ffi/sys/files.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { CODE, DATA, type Lab, RW, RX, setReg } from "./lab.ts";

export function testMappings(define: Define): void {
  define("arena memory is shared with the guest both ways", sharedMemory);
  define("a mapping is replaced by a later one", replaced);
  define("a range is unmapped, with its neighbours left", unmapped);
  define("protections change, also over holes", protectedRanges);
  define("many changes in one go keep their order", manyChanges);
  define("a host file is mapped, and stays mapped when it is forgotten", hostFile);
  define("pages behind the end of a host file give SIGBUS", behindTheEnd);
  define("flush reaches a guest that runs", flushWhileRunning);
  define("ackedSeq follows seq", acknowledged);
  define("the whole of the guest's address range can be mapped", edges);
  define("mappings are counted as the host counts them", counted);
  define("code that is written is code that runs", newCode);
}

/**
 * A guest that reads a u64 at rbx and passes it as first argument of call 1, in an endless loop.
 */
function reader(): Assembler {
  return new Assembler().label("again").mov(rdi, mem(rbx)).mov(eax, 1).syscall().jmp("again");
}

/** A thread of `reader` code at `addr`. */
function startReader(lab: Lab, space: p.AddressSpace, addr: number): p.Context {
  const c = lab.thread(space);
  setReg(c, p.RBX, addr);
  c.resumeAll(true);
  return c;
}

function sharedMemory(lab: Lab): void {
  const space = lab.space();
  lab.load(space, new Assembler().mov(rax, mem(rbx)).add(rax, rax).mov(mem(rbx, 8), rax).ud2());
  const data = lab.map(space, DATA);
  lab.arena.dv.setUint32(data, 21, true);
  const c = startReader(lab, space, DATA);
  lab.expect(c, p.TRAP_EXCEPTION);
  assertEquals(lab.arena.dv.getUint32(data + 8, true), 42);
}

function replaced(lab: Lab): void {
  const space = lab.space();
  lab.load(space, reader());
  const first = lab.map(space, DATA);
  const second = lab.pages();
  lab.arena.dv.setUint32(first, 1, true);
  lab.arena.dv.setUint32(second, 2, true);
  const c = startReader(lab, space, DATA);
  for (let i = 0; i < 50; i++) {
    lab.expectCall(c, 1);
    assertEquals(c.args.u64(0), 1 + i % 2, `round ${i}`);
    space.mapArena(DATA, PAGE_SIZE, i % 2 === 0 ? second : first, PROT_READ);
    c.resumeRet(0);
  }
}

function unmapped(lab: Lab): void {
  const space = lab.space();
  lab.load(space, reader());
  const data = lab.map(space, DATA, 3);
  for (let i = 0; i < 3; i++) lab.arena.dv.setUint32(data + i * PAGE_SIZE, 100 + i, true);
  const c = startReader(lab, space, DATA + PAGE_SIZE);
  lab.expectCall(c, 1);
  space.unmap(DATA + PAGE_SIZE, PAGE_SIZE);
  c.resumeRet(0);
  lab.expect(c, p.TRAP_FAULT);
  assertEquals(c.faultAddr, DATA + PAGE_SIZE);
  for (const i of [0, 2]) {
    c.fetchRegs();
    setReg(c, p.RBX, DATA + i * PAGE_SIZE);
    c.resumeAll(false);
    lab.expectCall(c, 1);
    assertEquals(c.args.u64(0), 100 + i);
    c.fetchRegs();
    setReg(c, p.RIP, CODE);
  }
}

function protectedRanges(lab: Lab): void {
  const space = lab.space();
  const code = new Assembler().label("again").mov(mem(rbx), al).mov(eax, 1).syscall().jmp("again");
  lab.load(space, code);
  lab.map(space, DATA, 2);
  lab.map(space, DATA + 4 * PAGE_SIZE, 2); // pages 2 and 3 are a hole
  space.protect(DATA + PAGE_SIZE, 4 * PAGE_SIZE, PROT_READ);
  for (const [page, isWritable] of [[0, true], [1, false], [4, false], [5, true]] as const) {
    const c = startReader(lab, space, DATA + page * PAGE_SIZE);
    lab.expect(c, isWritable ? p.TRAP_SYSCALL : p.TRAP_FAULT);
    if (isWritable) continue;
    assertEquals([c.faultAddr, c.faultAccess], [DATA + page * PAGE_SIZE, p.ACCESS_WRITE]);
    space.protect(DATA + page * PAGE_SIZE, PAGE_SIZE, RW);
    c.fetchRegs();
    c.resumeAll(false);
    lab.expectCall(c, 1);
  }
  assert(!space.broken, "a hole in a protected range is no error");
}

function manyChanges(lab: Lab): void {
  const space = lab.space();
  lab.load(space, reader());
  const pages = 300;
  const data = lab.pages(pages);
  for (let i = 0; i < pages; i++) lab.arena.dv.setUint32(data + i * PAGE_SIZE, i, true);
  // Each page of the guest gets a page of the arena in reverse order, in several steps that undo
  // one another.
  space.mapArena(DATA, pages * PAGE_SIZE, data, RW);
  for (let i = 0; i < pages; i++) space.unmap(DATA + i * PAGE_SIZE, PAGE_SIZE);
  for (let i = 0; i < pages; i++) {
    space.mapArena(
      DATA + i * PAGE_SIZE,
      PAGE_SIZE,
      data + (pages - 1 - i) * PAGE_SIZE,
      PROT_NONE,
    );
    space.protect(DATA + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  }
  const c = startReader(lab, space, DATA);
  for (let i = 0; i < pages; i += 7) {
    lab.expectCall(c, 1);
    assertEquals(c.args.u64(0), i === 0 ? pages - 1 : pages - 1 - (i - 7) - 7, `page ${i}`);
    c.fetchRegs();
    setReg(c, p.RBX, DATA + (i + 7) * PAGE_SIZE);
    c.resumeAll(false);
    if (i + 7 >= pages) break;
  }
  assert(!space.broken);
}

function hostFile(lab: Lab): void {
  const fd = memfdCreate("conformance", MFD_CLOEXEC);
  assert(fd >= 0);
  ftruncate(fd, 4 * PAGE_SIZE);
  const buffer = allocBuffer(PAGE_SIZE);
  buffer.fill(0x77);
  pwrite(fd, addressOf(buffer), 8, 2 * PAGE_SIZE);
  const file = lab.platform.registerFile(fd);
  assert(file >= 0, `registerFile gave ${file}`);

  const space = lab.space();
  const code = reader().label("write").mov(mem(rbx), rsi).mov(eax, 2).syscall();
  lab.load(space, code);
  space.mapFile(DATA, PAGE_SIZE, file, 2 * PAGE_SIZE, RW);
  const c = startReader(lab, space, DATA);
  lab.expectCall(c, 1);
  assertEquals(c.args.words[0], 0x77777777);

  lab.platform.unregisterFile(file);
  c.fetchRegs();
  setReg(c, p.RSI, 0x1234567890abcdefn);
  setReg(c, p.RIP, CODE + code.offsetOf("write"));
  c.resumeAll(false);
  lab.expectCall(c, 2);
  assertEquals(pread(fd, addressOf(buffer), 8, 2 * PAGE_SIZE), 8);
  assertEquals(new DataView(buffer.buffer).getBigUint64(0, true), 0x1234567890abcdefn);
  close(fd);
}

function behindTheEnd(lab: Lab): void {
  const fd = memfdCreate("conformance", MFD_CLOEXEC);
  ftruncate(fd, 2 * PAGE_SIZE);
  const file = lab.platform.registerFile(fd);
  assert(file >= 0);
  const space = lab.space();
  lab.load(space, reader());
  space.mapFile(DATA, 2 * PAGE_SIZE, file, 0, PROT_READ);
  const c = startReader(lab, space, DATA + PAGE_SIZE);
  lab.expectCall(c, 1);
  ftruncate(fd, PAGE_SIZE);
  c.resumeRet(0);
  lab.expect(c, p.TRAP_FAULT);
  assertEquals([c.signo, c.sigcode, c.faultAddr], [SIGBUS, BUS_ADRERR, DATA + PAGE_SIZE]);
  assert(c.faultAccess === p.ACCESS_READ || c.faultAccess === 0, "it was a read");
  lab.platform.unregisterFile(file);
  close(fd);
}

function flushWhileRunning(lab: Lab): void {
  const space = lab.space();
  const spin = new Assembler().label("again").mov(rax, mem(rbx)).jmp("again");
  lab.load(space, spin);
  lab.map(space, DATA);
  const c = startReader(lab, space, DATA);
  assertEquals(lab.nextWithin(20), null);
  space.unmap(DATA, PAGE_SIZE);
  space.flush();
  lab.expect(c, p.TRAP_FAULT);
  assertEquals(c.faultAddr, DATA);
  lab.until(() => space.ackedSeq === space.seq, "all changes are acknowledged");
}

function acknowledged(lab: Lab): void {
  const space = lab.space();
  let last = space.seq;
  const data = lab.pages();
  for (let round = 0; round < 20; round++) {
    space.mapArena(DATA, PAGE_SIZE, data, RW);
    space.protect(DATA, PAGE_SIZE, PROT_READ);
    space.unmap(DATA, PAGE_SIZE);
    assert(space.seq > last, "seq counts changes");
    assert(space.ackedSeq <= space.seq);
    last = space.seq;
    if (round % 3 !== 0) continue;
    space.flush();
    lab.until(() => space.ackedSeq === space.seq, "all changes are acknowledged");
  }
  assert(!space.broken);
}

function edges(lab: Lab): void {
  const { maxUserAddress } = lab.platform;
  assert(maxUserAddress >= 2 ** 46 && maxUserAddress <= 2 ** 47 - PAGE_SIZE, "most of 47 bits");
  const isReserved = (addr: number) =>
    lab.platform.reserved.some(([start, end]) => addr >= start && addr < end);
  const space = lab.space();
  lab.load(space, reader());
  for (const addr of [0x10000, 0x400000, 0x5555_5555_4000, maxUserAddress - PAGE_SIZE]) {
    if (isReserved(addr)) continue;
    const data = lab.map(space, addr);
    lab.arena.dv.setUint32(data, addr % 65537, true);
    const c = startReader(lab, space, addr);
    lab.expectCall(c, 1);
    assertEquals(c.args.u64(0), addr % 65537);
    c.release();
  }
  assert(!space.broken);
}

function counted(lab: Lab): void {
  const space = lab.space();
  const before = space.mappingCount;
  const data = lab.pages(64);
  space.mapArena(DATA, 64 * PAGE_SIZE, data, RW);
  const one = space.mappingCount;
  assert(one > before);
  for (let i = 1; i < 64; i += 2) space.protect(DATA + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
  const many = space.mappingCount;
  assert(many >= one + 60, `${many} mappings`);
  space.unmap(DATA, 64 * PAGE_SIZE);
  assert(space.mappingCount <= one, "back to what it was");
  space.flush();
}

function newCode(lab: Lab): void {
  const space = lab.space();
  const code = lab.load(space, new Assembler().mov(eax, 1).syscall());
  const c = lab.thread(space);
  for (let nr = 1; nr < 20; nr++) {
    setReg(c, p.RIP, CODE);
    c.resumeAll(nr === 1);
    lab.expectCall(c, nr);
    c.fetchRegs();
    lab.arena.dv.setUint32(code + 1, nr + 1, true); // the immediate of mov
    if (nr % 5 === 0) space.mapArena(CODE, PAGE_SIZE, code, RX);
  }
}
