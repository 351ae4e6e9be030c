/**
 * What may stand in front of a `syscall` that is patched: one instruction of five bytes, which the jump replaces together with the
 * call. The thunk executes it in its own place, so it must mean the same everywhere.
 *
 * C libraries have `mov eax, nr` there; where one function makes all calls that can be cancelled (glibc from 2.41 on), it fetches
 * the number from the stack. Neighbour: patch.ts. Not here: pages.
 */

import { load16, load32, load8 } from "../../ffi/mem/native_memory.ts";
import {
  type Context,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  R8,
  R9,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
} from "../../platform/platform.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** The instruction and `syscall`. */
export const SITE_BYTES = 7;

const SYSCALL = 0x050f;
const MOV_EAX = 0xb8;
/** Registers by their number in an instruction. */
const BY_NUMBER: readonly number[] = [
  ...[RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI],
  ...[R8, R9, R10, R11, R12, R13, R14, R15],
];
const NUMBER_RSP = 4;

/** The five bytes in front of the `syscall` of a site at host address `at`, or -1 if it is none. */
export function instructionAt(at: number): number {
  if (load16(at + 5) !== SYSCALL) return -1;
  return load32(at) + load8(at + 4) * 0x100000000;
}

/**
 * Whether these five bytes are an instruction that a thunk can execute, and did what it does just before the call that `ctx`
 * stopped at: they could also be the end of a longer one. Without `ctx` only `mov eax, nr` is known.
 */
export function isMovable(bytes: number, nr: number, ctx: Context | null, mm: MemoryManager) {
  if (bytes < 0) return false;
  const first = bytes % 0x100;
  if (first === MOV_EAX) return Math.floor(bytes / 0x100) === nr >>> 0;
  if (ctx === null) return false;
  if (first >= MOV_EAX && first < MOV_EAX + 8) return isMoveOfConstant(bytes, ctx);
  return isMoveByStack(bytes, ctx, mm);
}

/** `mov r32, imm32`. */
function isMoveOfConstant(bytes: number, ctx: Context): boolean {
  const number = bytes % 8;
  if (number === NUMBER_RSP || BY_NUMBER[number] === RCX) return false;
  ctx.fetchRegs();
  const at = BY_NUMBER[number]!;
  return ctx.regs.getUint32(at, true) === Math.floor(bytes / 0x100) &&
    ctx.regs.getUint32(at + 4, true) === 0;
}

/** `mov r64, [rsp + disp8]`, `mov [rsp + disp8], r64`. */
function isMoveByStack(bytes: number, ctx: Context, mm: MemoryManager): boolean {
  const rex = bytes & 0xff, opcode = bytes >>> 8 & 0xff, modrm = bytes >>> 16 & 0xff;
  const isLoad = opcode === 0x8b;
  if ((rex !== 0x48 && rex !== 0x4c) || (!isLoad && opcode !== 0x89)) return false;
  if ((modrm & 0xc7) !== 0x44 || bytes >>> 24 !== 0x24) return false;
  const number = (rex === 0x4c ? 8 : 0) + (modrm >>> 3 & 7), at = BY_NUMBER[number]!;
  // The call has changed rcx and r11: what was moved to them is lost, what was moved from them not to be seen.
  if (at === RCX || at === R11) return !isLoad;
  if (number === NUMBER_RSP) return false;
  ctx.fetchRegs();
  const disp = Math.floor(bytes / 0x100000000) << 24 >> 24, from = ctx.rsp + disp;
  return mm.load32(from) === ctx.regs.getUint32(at, true) &&
    mm.load32(from + 4) === ctx.regs.getUint32(at + 4, true);
}
