/**
 * The instructions in front of a `syscall` that a patch may move: one of five bytes, or two of six
 * bytes in all. The jump replaces them together with the `syscall`, and the thunk executes them at
 * its own address, so they must do the same at every address.
 *
 * C libraries have `mov eax, nr` there. In glibc from 2.41 on, one function makes all calls that
 * can be cancelled and loads the number from the stack. Go's runtime has two moves between
 * registers. A guest can jump to a thunk, so the program may only choose a register, and one byte
 * as a constant or distance. patch.ts and patch_cache.ts call this.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
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

/** The bytes of the shortest and the longest site. */
const MIN_BYTES = 7, MAX_BYTES = 8;

const SYSCALL = 0x050f;
const MOV_EAX = 0xb8;
/** All numbers of system calls are below this one. */
const CALLS_END = 512;
/** The range of constants that are one byte, zero or sign extended. */
const CONSTANT_MIN = -0x80, CONSTANT_MAX = 0xff;
/** Registers by their number in an instruction. */
const BY_NUMBER: readonly number[] = [
  ...[RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI],
  ...[R8, R9, R10, R11, R12, R13, R14, R15],
];
const NUMBER_RSP = 4;

/**
 * Go's `Syscall6` (go1.18 and later): mov r10, rsi; mov rdx, rdi; mov rsi, rcx; mov rdi, rbx;
 * syscall; cmp rax, -4095. The two moves before `syscall` are replaced. The whole sequence is
 * compared, because it shows that no jump leads to the second move.
 */
const GO_BEFORE_LOW = 0x48f28949, GO_BEFORE_HIGH = 0xfa89;
const GO_MOVES = 0xdf8948 * 0x1000000 + 0xce8948;
const GO_BEHIND = 0xf0013d48;
const GO_BEFORE_BYTES = 14, GO_BEHIND_BYTES = 4;

/** The bytes of a site, by the instruction bytes in front of its `syscall`. */
export function siteBytes(before: number): number {
  return before < 0x10000000000 ? MIN_BYTES : MAX_BYTES;
}

/**
 * The instruction bytes in front of the `syscall` that ends at `end` in the page at a host address,
 * little-endian: five bytes, or six (2^40 and more). -1 if there is none.
 */
export function instructionAt(page: number, end: number): number {
  const at = page + end;
  if (end < MIN_BYTES || end > PAGE_SIZE || load16(at - 2) !== SYSCALL) return -1;
  if (end >= GO_BEFORE_BYTES && end + GO_BEHIND_BYTES <= PAGE_SIZE && isGo(at)) return GO_MOVES;
  return load32(at - MIN_BYTES) + load8(at - 3) * 0x100000000;
}

function isGo(at: number): boolean {
  return load32(at) === GO_BEHIND && load32(at - 14) === GO_BEFORE_LOW &&
    load16(at - 10) === GO_BEFORE_HIGH && load32(at - 8) === GO_MOVES % 0x100000000 &&
    load16(at - 4) === Math.floor(GO_MOVES / 0x100000000);
}

/**
 * Whether a thunk can execute these bytes. They could be the end of a longer instruction, so the
 * registers of `ctx`, which stopped at the call, must be what the instruction would have made them.
 * Without `ctx` only `mov eax, nr` is accepted.
 */
export function isMovable(bytes: number, nr: number, ctx: Context | null, mm: MemoryManager) {
  if (bytes < 0) return false;
  const first = bytes % 0x100;
  if (first === MOV_EAX) return nr >>> 0 < CALLS_END && Math.floor(bytes / 0x100) === nr;
  if (ctx === null) return false;
  if (bytes === GO_MOVES) return true;
  if (first >= MOV_EAX && first < MOV_EAX + 8) return isMoveOfConstant(bytes, ctx);
  return isMoveByStack(bytes, ctx, mm);
}

/** `mov r32, imm32` of a small number. */
function isMoveOfConstant(bytes: number, ctx: Context): boolean {
  const number = bytes % 8, constant = Math.floor(bytes / 0x100) | 0;
  if (constant < CONSTANT_MIN || constant > CONSTANT_MAX) return false;
  if (number === NUMBER_RSP || BY_NUMBER[number] === RCX) return false;
  ctx.fetchRegs();
  const at = BY_NUMBER[number]!;
  return ctx.regs.getInt32(at, true) === constant &&
    ctx.regs.getUint32(at + 4, true) === 0;
}

/** `mov r64, [rsp + disp8]`, `mov [rsp + disp8], r64`. */
function isMoveByStack(bytes: number, ctx: Context, mm: MemoryManager): boolean {
  const rex = bytes & 0xff, opcode = bytes >>> 8 & 0xff, modrm = bytes >>> 16 & 0xff;
  const isLoad = opcode === 0x8b;
  if ((rex !== 0x48 && rex !== 0x4c) || (!isLoad && opcode !== 0x89)) return false;
  if ((modrm & 0xc7) !== 0x44 || bytes >>> 24 !== 0x24) return false;
  const number = (rex === 0x4c ? 8 : 0) + (modrm >>> 3 & 7), at = BY_NUMBER[number]!;
  // The call has changed rcx and r11: a value that was loaded into them is lost, and the stored
  // value cannot be compared.
  if (at === RCX || at === R11) return !isLoad;
  if (number === NUMBER_RSP) return false;
  ctx.fetchRegs();
  const disp = Math.floor(bytes / 0x100000000) << 24 >> 24, from = ctx.rsp + disp;
  return mm.load32(from) === ctx.regs.getUint32(at, true) &&
    mm.load32(from + 4) === ctx.regs.getUint32(at + 4, true);
}
