/**
 * The path of a patched system call: from the thunk to the slot and back, without a signal.
 *
 * `syscall` clobbers rcx and r11, so both are free: the thunk passes the return address in rcx and
 * the number in eax. The guest's stack is not touched, as it has a red zone, and its FPU only when
 * the Sentry requests its state. The tails that return to the guest depend only on the slot, so
 * they can be restarted at any instruction. Neighbours: `wait_reply.ts`, `handler.ts`, and
 * `../../thunks.ts`, which writes the thunks.
 */

import type { Assembler } from "../../../ffi/asm/assembler.ts";
import {
  eax,
  ecx,
  edi,
  edx,
  r10,
  r11,
  r12,
  r13,
  r14,
  r15,
  r8,
  r9,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  type Reg64,
  rsi,
  rsp,
} from "../../../ffi/asm/registers.ts";
import { SYS_exit } from "../../../ffi/abi/syscall_numbers.ts";
import {
  EFLAGS,
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
  RIP,
  RSI,
  RSP,
} from "../../platform.ts";
import { allowedCall, type AllowedSites, at, gs, gsReg, LABELS } from "./emit.ts";
import {
  GLOBAL,
  GLOBAL_AT,
  NR_TRAP,
  POSTED_FAST,
  REPLY_LOAD,
  REPLY_RET,
  REPLY_SAVE,
  REPLY_XSAVE,
  SLOT_AT,
  SLOT_HEADER,
  SLOT_LOAD_FPU,
  SLOT_LOAD_FS,
  STATE_EXITED,
} from "./layout.ts";
import { mem } from "../../../ffi/asm/operands.ts";
import { emitWaitReply, type SlotAccess } from "./wait_reply.ts";

const slot: SlotAccess = {
  state: gs(SLOT_AT.state),
  chain: gs(SLOT_AT.chain),
  cpu: gs(SLOT_AT.cpu),
  resumed: gs(SLOT_AT.resumed),
  rung: gs(SLOT_AT.rung),
  stateAddress: (a) =>
    void a.mov(rdi, gs(SLOT_AT.stack)).lea(rdi, mem(rdi, SLOT_AT.state - SLOT_HEADER)),
};

/**
 * Registers that the wait changes and REPLY_RET must restore; rax, rcx, r11 and rsp are handled
 * apart.
 */
const VOLATILE: readonly (readonly [number, Reg64])[] = [
  [RDI, rdi],
  [RSI, rsi],
  [RDX, rdx],
  [R10, r10],
  [R8, r8],
];
const PRESERVED: readonly (readonly [number, Reg64])[] = [
  [RBX, rbx],
  [RBP, rbp],
  [R12, r12],
  [R13, r13],
  [R14, r14],
  [R15, r15],
];

/** The overflow flag, and the shift that moves it to bit 30. */
const FLAG_OF = 0x800, OF_SHIFT = 19;

/** Emits the path of patched calls, which posts a call without a signal. */
export function emitFastPath(a: Assembler, sites: AllowedSites): void {
  a.align(64).label(LABELS.fast);
  for (const [place, reg] of PRESERVED) a.mov(gsReg(place), reg);
  a.mov(gsReg(RCX), rcx).mov(gsReg(RSP), rsp).mov(rsp, gs(SLOT_AT.stack)).pushfq().pop(r11);
  a.mov(gsReg(R11), r11).mov(gsReg(RIP), rcx).mov(gsReg(EFLAGS), r11);
  // The line that the Sentry polls is written last, at once: otherwise the Sentry takes the line
  // away in between, and again at the end.
  for (const [place, reg] of VOLATILE) a.mov(gsReg(place), reg);
  a.mov(gsReg(R9), r9).mov(gs(SLOT_AT.nr), eax);
  a.label("fast_post").mov(eax, POSTED_FAST).xchg(gs(SLOT_AT.state), eax);
  emitWaitReply(a, POSTED_FAST, slot, sites, LABELS.fastWait);

  a.cmp(ecx, REPLY_RET).je("tail_ret");
  a.cmp(ecx, REPLY_LOAD).je("tail_load");
  a.cmp(ecx, REPLY_XSAVE).je("fast_xsave");
  a.cmp(ecx, REPLY_SAVE).je("fast_save");
  a.mov(gs(SLOT_AT.state), STATE_EXITED, 4);
  a.xor(edi, edi).mov(eax, SYS_exit);
  allowedCall(a, sites.exit);
  a.ud2();

  emitTailRet(a);
  emitTailLoad(a);

  a.label("fast_xsave");
  a.rdfsbase(rax).mov(gs(SLOT_AT.fsBase), rax);
  emitFeatures(a);
  a.xsave(gs(SLOT_HEADER)).jmp("fast_post");

  a.label("fast_save");
  a.mov(eax, NR_TRAP).syscall().label(LABELS.save).ud2();
}

/** edx:eax: the components for XSAVE and XRSTOR. */
function emitFeatures(a: Assembler): void {
  a.mov(eax, at(GLOBAL + GLOBAL_AT.features)).mov(edx, at(GLOBAL + GLOBAL_AT.features + 4));
}

/** Returns from the call: `result` in rax, all else as it was. */
function emitTailRet(a: Assembler): void {
  const [start, body, end] = LABELS.tails[0];
  a.align(16).label(start);
  a.mov(rsp, gs(SLOT_AT.stack));
  a.cmp(gs(SLOT_AT.kick), 0, 4).label(body).jne("tail_ret_kicked");
  for (const [place, reg] of VOLATILE) a.mov(reg, gsReg(place));
  emitArithmeticFlags(a);
  a.mov(rax, gs(SLOT_AT.result)).mov(r11, gsReg(R11)).mov(rcx, gsReg(RCX));
  a.mov(rsp, gsReg(RSP)).jmp(gsReg(RIP));
  a.label(end);
  // As after a return, because the Sentry takes the registers from the slot.
  a.label("tail_ret_kicked");
  a.mov(rax, gs(SLOT_AT.result)).mov(gsReg(RAX), rax).jmp("fast_save");
}

/**
 * Loads the flags that the fast path changed from the slot. It changes no others, and popfq, which
 * loads all, takes 10 ns. sahf loads SF, ZF, AF, PF and CF; OF, bit 11 of the flags, is set by
 * doubling a number whose two high bits differ. Changes rax and rcx.
 */
function emitArithmeticFlags(a: Assembler): void {
  a.mov(eax, gsReg(EFLAGS)).mov(ecx, eax).and(ecx, FLAG_OF).shl(ecx, OF_SHIFT);
  a.shl(eax, 8).add(ecx, ecx).sahf();
}

/** Loads all registers from the slot, and the base of fs and the FPU state when requested. */
function emitTailLoad(a: Assembler): void {
  const [start, body, end] = LABELS.tails[1];
  a.align(16).label(start);
  a.mov(rsp, gs(SLOT_AT.stack));
  a.test(gs(SLOT_AT.flags), SLOT_LOAD_FS, 4).je("tail_load_fpu");
  a.mov(rax, gs(SLOT_AT.fsBase)).wrfsbase(rax);
  a.label("tail_load_fpu").test(gs(SLOT_AT.flags), SLOT_LOAD_FPU, 4).je("tail_load_check");
  emitFeatures(a);
  a.xrstor(gs(SLOT_HEADER));
  a.label("tail_load_check");
  a.cmp(gs(SLOT_AT.kick), 0, 4).label(body).jne("fast_save");
  for (const [place, reg] of PRESERVED) a.mov(reg, gsReg(place));
  for (const [place, reg] of VOLATILE) a.mov(reg, gsReg(place));
  a.mov(r9, gsReg(R9)).push(gsReg(EFLAGS)).popfq();
  a.mov(rax, gsReg(RAX)).mov(r11, gsReg(R11)).mov(rcx, gsReg(RCX));
  a.mov(rsp, gsReg(RSP)).jmp(gsReg(RIP));
  a.label(end);
}
