/** Test of call_site.ts: which instructions a thunk may execute, by the registers after them. */

import { assert, assertEquals } from "@std/assert";
import { PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { R11, R15, R9, RAX, RCX, RDI, RSP } from "../../platform/platform.ts";
import { FakeContext } from "../testing/call_lab.ts";
import { MemoryLab } from "../testing/memory_lab.ts";
import { isMovable } from "./call_site.ts";

/** Five bytes as `instructionAt` returns them. */
function bytes(...b: number[]): number {
  return b.reduceRight((sum, byte) => sum * 256 + byte, 0);
}

Deno.test("an instruction before a call moves only if its effect was seen", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), ctx = new FakeContext(mm.space);
  const flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
  const stack = mm.mmap(0, 4096, PROT_READ | PROT_WRITE, flags, null, 0);
  const set = (at: number, value: bigint) => ctx.regs.setBigUint64(at, value, true);
  const check = (...b: number[]) => isMovable(bytes(...b), 39, ctx, mm);
  ctx.rsp = stack + 128;
  set(RSP, BigInt(ctx.rsp));

  assert(check(0xb8, 39, 0, 0, 0), "mov eax, 39");
  assert(!check(0xb8, 40, 0, 0, 0), "not the number of the call");
  assert(!isMovable(-1, 39, ctx, mm));

  set(RDI, 0xffffff9cn);
  assert(check(0xbf, 0x9c, 0xff, 0xff, 0xff), "mov edi, -100");
  assert(!isMovable(bytes(0xbf, 0x9c, 0xff, 0xff, 0xff), 39, null, mm), "nothing is known");
  set(RDI, 0xffffffff_ffffff9cn);
  assert(!check(0xbf, 0x9c, 0xff, 0xff, 0xff), "mov rdi, -100, or the end of another instruction");
  set(RSP, 64n);
  assert(!check(0xbc, 64, 0, 0, 0), "the stack pointer");
  set(RSP, BigInt(ctx.rsp));

  mm.store64(stack + 128 + 16, 0x1234);
  set(RAX, 0x1234n);
  assert(check(0x48, 0x8b, 0x44, 0x24, 0x10), "mov rax, [rsp + 16]");
  set(RAX, 0x1_0000_1234n);
  assert(!check(0x48, 0x8b, 0x44, 0x24, 0x10));
  mm.store64(stack + 128 - 8, 99);
  set(R15, 99n);
  assert(check(0x4c, 0x8b, 0x7c, 0x24, 0xf8), "mov r15, [rsp - 8]");
  set(R9, 99n);
  assert(check(0x4c, 0x89, 0x4c, 0x24, 0xf8), "mov [rsp - 8], r9");
  set(R9, 98n);
  assert(!check(0x4c, 0x89, 0x4c, 0x24, 0xf8));

  for (const at of [RCX, R11]) set(at, 5n);
  assert(check(0x4c, 0x89, 0x5c, 0x24, 0x08), "mov [rsp + 8], r11: the call has changed it");
  assert(!check(0x4c, 0x8b, 0x5c, 0x24, 0x08), "mov r11, [rsp + 8]");
  assert(!check(0x48, 0x8b, 0x64, 0x24, 0x10), "mov rsp, [rsp + 16]");
  assert(!check(0x48, 0x8b, 0x44, 0x25, 0x10), "another base");
  assert(!check(0x48, 0x8d, 0x44, 0x24, 0x10), "lea");
  assert(!check(0x48, 0x8b, 0x45, 0x10, 0x90));
  ctx.rsp = 8;
  assert(!check(0x48, 0x8b, 0x44, 0x24, 0x10), "no such stack");
  assertEquals(mm.munmap(stack, 4096), 0);
  mm.destroy();
  lab.close();
});
