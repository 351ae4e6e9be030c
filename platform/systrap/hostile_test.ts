/** Attacks of guest code on its own stub: none may reach another space or the Sentry. */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, rcx, rdi } from "../../ffi/asm/registers.ts";
import * as nr from "../../ffi/abi/syscall_numbers.ts";
import { SIGSEGV } from "../../ffi/abi/signal.ts";
import { Sigcontext, Ucontext } from "../../ffi/abi/ucontext.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { isStopped, stubsWithMapping } from "../conformance/host_view.ts";
import { caller, CODE, DATA, describe, Lab, movEax, setReg } from "../conformance/lab.ts";
import * as p from "../platform.ts";
import {
  COMMANDS,
  GLOBAL,
  NR_TRAP,
  SCRATCH,
  SLOTS_END,
  SLOTS_FROM,
  STUB_BASE,
  TABLES,
  TEXT,
  TEXT_BYTES,
  THUNKS,
} from "./stub/layout.ts";
import { SECRET } from "./stub/zygote.ts";
import { createSystrapPlatform, type SystrapOptions } from "./systrap.ts";

let arena: Arena | null = null;

function test(name: string, body: (lab: Lab) => void, options: SystrapOptions = {}): void {
  Deno.test({
    name,
    sanitizeResources: false, // the caller keeps the arena
    fn: () => {
      arena ??= Arena.create(64 * 1024 * 1024, 0);
      const platform = createSystrapPlatform(arena, { poolSize: 1, ...options });
      try {
        body(new Lab(arena, platform));
      } finally {
        platform.destroy();
      }
    },
  });
}

/** Up to `lenBytes` bytes of a process; fewer if not all is mapped. */
function readMemory(pid: number, from: number, lenBytes: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(`/proc/${pid}/mem`);
  const bytes = new Uint8Array(lenBytes);
  file.seekSync(from, Deno.SeekMode.Start);
  let at = 0;
  while (at < lenBytes) {
    const page = bytes.subarray(at, at + PAGE_SIZE);
    try {
      at += file.readSync(page) ?? 0;
    } catch {
      return bytes.slice(0, at); // EIO: nothing is mapped there
    }
  }
  return bytes;
}

/** Addresses of all bytes `syscall` in the stub, also inside longer instructions. */
function syscallSites(pid: number): number[] {
  const text = readMemory(pid, TEXT, TEXT_BYTES);
  const sites: number[] = [];
  for (let i = 0; i + 1 < text.length; i++) {
    if (text[i] !== 0x0f || text[i + 1] !== 0x05) continue;
    // A jump to the fast path's own trap replaces the registers by those in the slot, which this
    // test could not follow.
    const isTrap = text[i - 5] === 0xb8 && text[i - 4] === (NR_TRAP & 0xff);
    if (!isTrap) sites.push(TEXT + i);
  }
  return sites;
}

test("no system call in the stub serves a guest that jumps to it", (lab) => {
  const c = lab.run(caller(1));
  lab.expectCall(c, 1);
  const [pid] = stubsWithMapping(CODE);
  const sites = syscallSites(pid!);
  assert(sites.length > 20);
  const calls: [number, number[]][] = [
    [nr.SYS_mmap, [CODE, PAGE_SIZE, 7, 0x11, 5, 0]],
    [nr.SYS_munmap, [0, STUB_BASE, 0, 0, 0, 0]],
    [nr.SYS_mprotect, [TEXT, PAGE_SIZE, 7, 0, 0, 0]],
    [nr.SYS_clone, [0x50f00, 0, 0, 0, 0, 0]],
    [nr.SYS_pwrite64, [4, DATA, 8, 0, 0, 0]],
    [nr.SYS_exit_group, [1, 0, 0, 0, 0, 0]],
    [nr.SYS_getpid, [0, 0, 0, 0, 0, 0]],
    [nr.SYS_write, [4, CODE, 8, 0, 0, 0]],
    [nr.SYS_futex, [CODE, 128, 8, 0, 0, 0]],
  ];
  const registers = [p.RDI, p.RSI, p.RDX, p.R10, p.R8, p.R9];
  for (const site of sites) {
    for (const [number, args] of calls) {
      c.fetchRegs();
      setReg(c, p.RAX, number);
      setReg(c, p.RIP, site);
      args.forEach((value, i) => setReg(c, registers[i]!, value));
      c.resumeAll(false);
      lab.expectCall(c, number);
      assertEquals(c.rip, site + 2);
      args.forEach((value, i) => assertEquals(c.args.u64(i), value));
    }
  }
});

test("the secret is in no memory of a stub", (lab) => {
  const c = lab.run(caller(1));
  lab.expectCall(c, 1);
  const child = c.space.fork();
  const thread = lab.thread(child!);
  thread.resumeAll(true);
  c.resumeRet(0);
  lab.next();
  lab.next();
  for (const one of [c, thread]) one.requestFull(); // the handler writes frames there
  lab.next();
  lab.next();
  const [zygote] = stubsWithMapping(SCRATCH);
  const secret = new Uint32Array(readMemory(zygote!, SCRATCH + SECRET, 16).buffer);
  assert(secret.every((word) => word !== 0));
  const stubs = stubsWithMapping(CODE);
  assertEquals(stubs.length, 2);
  for (const pid of stubs) {
    for (const line of Deno.readTextFileSync(`/proc/${pid}/maps`).trim().split("\n")) {
      const [, from, to, mode] = line.match(/^([0-9a-f]+)-([0-9a-f]+) (\S+)/)!;
      if (!mode!.startsWith("r") || line.includes("[v")) continue;
      const start = parseInt(from!, 16);
      const words = new DataView(readMemory(pid, start, parseInt(to!, 16) - start).buffer);
      for (let at = 0; at + 4 <= words.byteLength; at++) {
        if (words.getUint8(at) !== (secret[0]! & 0xff)) continue;
        const isThere = secret.some((s) => words.getUint32(at, true) === s);
        assert(!isThere, `a part of the secret at 0x${(start + at).toString(16)} of ${line}`);
      }
    }
  }
});

test("memory of the stub that is not the guest's cannot be written there", (lab) => {
  const c = lab.run(new Assembler().label("again").mov(mem(rdi), 1, 1).mov(eax, 1).syscall());
  lab.expect(c, p.TRAP_FAULT);
  for (const address of [TEXT, GLOBAL, COMMANDS, COMMANDS + 8192, THUNKS, TABLES[0]!, SCRATCH]) {
    c.fetchRegs();
    setReg(c, p.RDI, address);
    setReg(c, p.RIP, CODE);
    c.resumeAll(false);
    lab.expect(c, p.TRAP_FAULT);
    assertEquals([c.faultAddr, c.faultAccess, c.signo], [address, p.ACCESS_WRITE, SIGSEGV]);
  }
});

/** Where the slots of a stub are mapped: chunks of writable memory above the header. */
function slotRanges(pid: number): string[] {
  return Deno.readTextFileSync(`/proc/${pid}/maps`).trim().split("\n").filter((line) => {
    const [, from] = line.match(/^([0-9a-f]+)-/)!, address = parseInt(from!, 16);
    return address >= SLOTS_FROM && address < SLOTS_END && line.includes(" rw-s ");
  }).map((line) => line.split(" ")[0]!);
}

test("slots are elsewhere in each stub, and a child does not have its parent's", (lab) => {
  const code = new Assembler().label("again").rdgsbase(rdi).mov(eax, 1).syscall().jmp("again");
  const c = lab.run(code);
  lab.expectCall(c, 1);
  const child = lab.thread(c.space.fork()!), other = lab.run(code);
  child.resumeAll(true);
  const places = new Set([c.args.u64(0)]);
  for (let i = 0; i < 2; i++) places.add(lab.next().args.u64(0));
  assertEquals([places.size, other.trap, child.trap], [3, p.TRAP_SYSCALL, p.TRAP_SYSCALL]);
  const stubs = stubsWithMapping(CODE), ranges = stubs.map(slotRanges);
  assertEquals(ranges.map((list) => list.length), [1, 1, 1]);
  for (const place of places) {
    const isIn = ranges.filter(([range]) => {
      const [from, to] = range!.split("-").map((text) => parseInt(text, 16));
      return place >= from! && place < to!;
    });
    assertEquals(isIn.length, 1);
  }
});

test("a guest that overwrites its slots hurts only itself", (lab) => {
  const other = lab.run(caller(2));
  lab.expectCall(other, 2);
  for (const value of [0, 1, 2, 5, 6, 9, 12, 15, 16, 17, 18, 19, 48, 0x41, 0x7f, 0xff]) {
    const code = new Assembler().label("again");
    code.rdgsbase(rdi).add(rdi, 64).mov(rcx, 16 * 1024 - 128).mov(eax, value).cld().repStosb();
    code.mov(eax, 3).syscall().jmp("again");
    const c = lab.run(code);
    const sibling = lab.thread(c.space);
    sibling.resumeAll(true);
    other.resumeRet(0);
    for (let i = 0; i < 200; i++) {
      const stopped = lab.nextWithin(20);
      if (stopped === null) break;
      if (stopped.trap === p.TRAP_DEATH) continue;
      if (i % 3 === 0) stopped.fetchRegs();
      if (i % 7 === 0 && stopped !== other) stopped.resumeAll(i % 2 === 0);
      else stopped.resumeRet(0);
    }
    c.space.destroy();
    // The other guest makes its next call; contexts of the space that ends may stop before it.
    let stopped = lab.next();
    while (stopped !== other) stopped = lab.next();
    assert(other.trap === p.TRAP_SYSCALL, describe(other));
  }
});

test("a thread that does not store its requested state is killed", (lab) => {
  const space = lab.space();
  // A patched call has no frame: the thread goes from the fast path into the handler to make one.
  const thunk = lab.thunks!.get(movEax(7), CODE + 7);
  space.useThunks(lab.thunks!);
  lab.load(space, new Assembler().jmp(mem(null, thunk)));
  const c = lab.thread(space);
  c.resumeAll(true);
  lab.expectCall(c, 7);
  // A guest would break here the memory that the thread needs for its frame.
  const [pid] = stubsWithMapping(CODE);
  Deno.kill(pid!, "SIGSTOP");
  lab.until(() => isStopped(pid!), "the host has stopped it");
  c.requestFull();
  assert(lab.platform.isKicking, "the engine has to check the deadline");
  lab.expect(c, p.TRAP_DEATH);
  assert(c.deathCause.includes("did not answer"), c.deathCause);
}, { kickDeadlineNs: 200e6 });

test("a guest that blocks all signals is killed when it has to stop", (lab) => {
  const sp = DATA + 1024;
  const code = new Assembler().label("spin").jmp("spin");
  const space = lab.space();
  const data = lab.map(space, DATA);
  const { dv } = lab.arena;
  const uc = data + 1024 + 8;
  const regs = uc + Ucontext.at.mcontext;
  dv.setBigUint64(uc + Ucontext.at.sigmask, 2n ** 64n - 1n, true);
  dv.setUint16(regs + Sigcontext.at.cs, 0x33, true);
  dv.setUint16(regs + Sigcontext.at.ss, 0x2b, true);
  dv.setBigUint64(regs + Sigcontext.at.rip, BigInt(CODE + code.offsetOf("spin")), true);
  lab.load(space, code);
  const c = lab.thread(space);
  setReg(c, p.RIP, CODE + code.offsetOf("spin"));
  c.resumeAll(true);
  c.interrupt();
  lab.expect(c, p.TRAP_INTERRUPT); // it does not hide yet
  const [pid] = stubsWithMapping(CODE);
  // mov eax, rt_sigreturn; syscall: the only site at which it is allowed
  const text = readMemory(pid!, TEXT, TEXT_BYTES);
  const pattern = [0xb8, nr.SYS_rt_sigreturn, 0, 0, 0, 0x0f, 0x05];
  const found = text.findIndex((_, i) => pattern.every((b, k) => text[i + k] === b));
  assert(found > 0);
  c.fetchRegs();
  setReg(c, p.RIP, TEXT + found);
  setReg(c, p.RSP, sp + 8);
  c.resumeAll(false);
  lab.nextWithin(20);
  c.interrupt();
  const t = performance.now();
  lab.expect(c, p.TRAP_DEATH);
  assert(c.deathCause.includes("did not answer"), c.deathCause);
  assert(performance.now() - t >= 100);
}, { kickDeadlineNs: 200e6 });
