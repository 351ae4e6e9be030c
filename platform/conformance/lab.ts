/**
 * The base of the conformance tests: guests in arena memory, and a wait for the next trap that has
 * a time limit.
 *
 * Not here: what a platform must do (the other files of this folder). Neighbour: `host_view.ts`
 * looks at the host.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { copyFromBuffer } from "../../ffi/mem/native_memory.ts";
import { EPOLLET, EPOLLIN } from "../../ffi/abi/epoll.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
import {
  type AddressSpace,
  type Context,
  EFLAGS,
  type Platform,
  RIP,
  RSP,
  type Thunks,
  TRAP_DEATH,
  TRAP_EXCEPTION,
  TRAP_FAULT,
  TRAP_FULL,
  TRAP_INTERRUPT,
  TRAP_SYSCALL,
} from "../platform.ts";

export const RW = PROT_READ | PROT_WRITE;
export const RX = PROT_READ | PROT_EXEC;
/** Where guests of these tests have their code, data and stack. */
export const CODE = 0x10000000;
export const DATA = 0x20000000;
export const STACK = 0x30000000;
export const STACK_BYTES = 16 * PAGE_SIZE;

/** How long a platform may take before a test fails. Generous: the machine can be busy. */
const PATIENCE_MS = 20_000;
/** Polls of the loop before it sleeps, as the kernel has them. */
const EAGER_POLLS = 200;
const TRAP_NAMES = new Map([
  [TRAP_SYSCALL, "SYSCALL"],
  [TRAP_FAULT, "FAULT"],
  [TRAP_EXCEPTION, "EXCEPTION"],
  [TRAP_INTERRUPT, "INTERRUPT"],
  [TRAP_FULL, "FULL"],
  [TRAP_DEATH, "DEATH"],
]);

export class Lab {
  readonly arena: Arena;
  readonly platform: Platform;
  #thunks: Thunks | null = null;
  readonly #sleep = new Epoll();
  /** Offset in the arena of the next free byte. */
  #free = 0;

  constructor(arena: Arena, platform: Platform) {
    this.arena = arena;
    this.platform = platform;
    this.#sleep.add(platform.doorbellFd, EPOLLIN | EPOLLET, 0);
    if (platform.endsFd >= 0) this.#sleep.add(platform.endsFd, EPOLLIN, 1);
  }

  /** The thunks of patched sites in all spaces of this lab. */
  get thunks(): Thunks | null {
    return this.#thunks ??= this.platform.newThunks();
  }

  /** Arena offset of zeroed pages of this test. */
  pages(count = 1): number {
    const offset = this.#free;
    this.#free += count * PAGE_SIZE;
    assert(this.#free <= this.arena.size, "the arena of the tests is used up");
    this.arena.punch(offset, count * PAGE_SIZE);
    return offset;
  }

  /** Frees all pages, so that a long test can continue. */
  reset(): void {
    this.#free = 0;
  }

  space(): AddressSpace {
    const space = this.platform.newAddressSpace();
    assert(space !== null, "newAddressSpace gave none");
    return space;
  }

  /** Puts code at an address. @returns arena offset of its first page */
  load(space: AddressSpace, code: Assembler, at = CODE): number {
    const bytes = code.assemble(at);
    const count = Math.ceil(bytes.length / PAGE_SIZE);
    const offset = this.pages(count);
    copyFromBuffer(this.arena.base + offset, bytes, 0, bytes.length);
    space.mapArena(at, count * PAGE_SIZE, offset, RX);
    return offset;
  }

  /** Zeroed memory at an address. @returns its arena offset */
  map(space: AddressSpace, at: number, pages = 1, prot = RW): number {
    const offset = this.pages(pages);
    space.mapArena(at, pages * PAGE_SIZE, offset, prot);
    return offset;
  }

  /** A thread that begins at `rip`; not running yet. */
  thread(space: AddressSpace, rip = CODE, rsp = STACK + STACK_BYTES - 64): Context {
    const context = space.newContext();
    assert(context !== null, "newContext gave none");
    clear(context);
    setReg(context, RIP, rip);
    setReg(context, RSP, rsp);
    return context;
  }

  /** A space with this code, and one thread that runs it. */
  run(code: Assembler): Context {
    const space = this.space();
    this.load(space, code);
    const context = this.thread(space);
    context.resumeAll(true);
    return context;
  }

  /** The next context that stops; fails after PATIENCE_MS. */
  next(): Context {
    return this.nextWithin(PATIENCE_MS) ?? fail(`nothing stopped within ${PATIENCE_MS} ms`);
  }

  /** The next context that stops, or null. Sleeps as the kernel's loop does. */
  nextWithin(timeoutMs: number): Context | null {
    const { platform } = this;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      for (let i = 0; i < EAGER_POLLS; i++) {
        const context = platform.poll();
        if (context !== null) return context;
      }
      const now = performance.now();
      platform.tick(now * 1e6);
      if (now >= deadline) return null;
      if (!platform.prepareSleep()) continue;
      this.#sleep.wait(Math.min(100, Math.ceil(deadline - now)));
      platform.finishSleep();
    }
  }

  /** The next stop must be of this context and of this kind. */
  expect(context: Context, trap: number): Context {
    const stopped = this.next();
    assertTrap(stopped, trap);
    assert(stopped === context, "another context stopped");
    return context;
  }

  /** The next stop must be a call with this number. */
  expectCall(context: Context, nr: number): Context {
    this.expect(context, TRAP_SYSCALL);
    assertEquals(context.nr, nr);
    return context;
  }

  /** Takes events until `condition` holds. A context that stops meanwhile fails the test. */
  until(condition: () => boolean, what: string): void {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      const context = this.platform.poll();
      if (context !== null) fail(`${describe(context)} while waiting until ${what}`);
      this.platform.tick(performance.now() * 1e6);
      if (performance.now() > deadline) fail(`not within ${PATIENCE_MS} ms: ${what}`);
    }
  }
}

export function fail(message: string): never {
  throw new Error(message);
}

/** `EXCEPTION signo=4 code=2 addr=0x10000000 rip=0x10000000`. */
export function describe(c: Context): string {
  const name = TRAP_NAMES.get(c.trap) ?? `trap ${c.trap}`;
  const rip = `rip=0x${c.rip.toString(16)}`;
  if (c.trap === TRAP_SYSCALL) return `SYSCALL nr=${c.nr} ${rip}`;
  if (c.trap !== TRAP_FAULT && c.trap !== TRAP_EXCEPTION) return `${name} ${rip}`;
  return `${name} signo=${c.signo} code=${c.sigcode} addr=0x${c.faultAddr.toString(16)} ${rip}`;
}

export function assertTrap(c: Context, trap: number): void {
  if (c.trap !== trap) fail(`expected ${TRAP_NAMES.get(trap)}, found ${describe(c)}`);
}

/** All registers and FPU state of a new thread. */
function clear(context: Context): void {
  new Uint8Array(context.regs.buffer).fill(0);
  context.fpu.fill(0);
  setReg(context, EFLAGS, 0x202);
}

export function setReg(context: Context, at: number, value: number | bigint): void {
  context.regs.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
}

export function reg(context: Context, at: number): bigint {
  return context.regs.getBigUint64(at, true);
}

/** A guest that calls `nr` in an endless loop, with its counter rbx as first argument. */
export function caller(nr: number): Assembler {
  return new Assembler().label("again").bytes(callBytes(nr)).jmp("again");
}

/** `mov eax, nr` in the form that `Thunks.get` takes. */
export function movEax(nr: number): number {
  return 0xb8 + nr * 0x100;
}

/** Writes the jump over a site `mov eax, nr; syscall` at `at` in the page of CODE. */
export function patchSite(
  lab: Lab,
  space: AddressSpace,
  code: number,
  at: number,
  nr: number,
): void {
  const { thunks, arena: { dv } } = lab;
  assert(thunks !== null);
  const thunk = thunks.get(movEax(nr), CODE + at + 7);
  space.useThunks(thunks);
  [0xff, 0x24, 0x25].forEach((byte, i) => dv.setUint8(code + at + i, byte));
  dv.setInt32(code + at + 3, thunk, true);
  space.mapArena(CODE, PAGE_SIZE, code, RX);
}

/** `mov eax, nr; syscall`, which a platform may patch. */
export function callBytes(nr: number): Uint8Array {
  const bytes = new Uint8Array([0xb8, 0, 0, 0, 0, 0x0f, 0x05]);
  new DataView(bytes.buffer).setUint32(1, nr, true);
  return bytes;
}
