/**
 * The one signal handler of guest threads: SIGSYS, faults, exceptions and the kick.
 *
 * It runs on the alternate stack inside the thread's slot with all signals blocked, posts, waits,
 * and returns with the frame as the Sentry has changed it. It finds the slot by rounding rsp down,
 * and uses no register of the guest. Neighbour: `fast_path.ts`, whose tails are restarted here.
 */

import type { Assembler } from "../../../ffi/asm/assembler.ts";
import { mem, rip } from "../../../ffi/asm/operands.ts";
import {
  eax,
  ecx,
  edi,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  type Reg64,
  rsp,
} from "../../../ffi/asm/registers.ts";
import {
  SA_ONSTACK,
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
} from "../../../ffi/abi/signal.ts";
import { SYS_exit, SYS_rt_sigreturn } from "../../../ffi/abi/syscall_numbers.ts";
import { Sigcontext, Ucontext } from "../../../ffi/abi/ucontext.ts";
import { allowedCall, type AllowedSites, LABELS } from "./emit.ts";
import {
  HEADER,
  POSTED_FRAME,
  REPLY_EXIT,
  REPLY_LOAD,
  SIG_KICK,
  SLOT_AT,
  STATE_EXITED,
  STUB_BASE,
} from "./layout.ts";
import { emitWaitReply, type SlotAccess } from "./wait_reply.ts";

/** Label of the `struct sigaction` that the zygote installs for each of `HANDLED`. */
export const SIGACTION = "sigaction";
export const HANDLED: readonly number[] = [
  SIGSYS,
  SIGSEGV,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGTRAP,
  SIG_KICK,
];

const UC_RIP = Ucontext.at.mcontext + Sigcontext.at.rip;

/** The slot of the running handler is at rbx. */
const slot: SlotAccess = {
  state: mem(rbx, SLOT_AT.state),
  chain: mem(rbx, SLOT_AT.chain),
  cpu: mem(rbx, SLOT_AT.cpu),
  resumed: mem(rbx, SLOT_AT.resumed),
  rung: mem(rbx, SLOT_AT.rung),
  stateAddress: (a) => void a.lea(rdi, mem(rbx, SLOT_AT.state)),
};

/** Emits the signal handler, which posts a trap and waits for the reply. */
export function emitHandler(a: Assembler, slotBytes: number, sites: AllowedSites): void {
  a.align(64).label("handler");
  a.mov(rbx, rsp).and(rbx, -slotBytes);
  a.cmp(edi, SIG_KICK).je("handler_kick");
  a.cmp(edi, SIGTRAP).je("handler_step");

  a.label("handler_post");
  a.mov(mem(rbx, SLOT_AT.frame), rsp);
  a.rdfsbase(rax).mov(mem(rbx, SLOT_AT.fsBase), rax);
  a.rdgsbase(rax).mov(mem(rbx, SLOT_AT.gsBase), rax);
  a.mov(eax, POSTED_FRAME).xchg(mem(rbx, SLOT_AT.state), eax);
  emitWaitReply(a, POSTED_FRAME, slot, sites, "handler_wait");
  a.cmp(ecx, REPLY_LOAD).je("handler_load");
  a.cmp(ecx, REPLY_EXIT).je("handler_exit");

  a.label("handler_return");
  a.add(rsp, 8); // the restorer's address: sigreturn expects rsp behind it
  a.label("restorer");
  a.mov(eax, SYS_rt_sigreturn);
  allowedCall(a, sites.sigreturn);
  a.ud2();

  a.label("handler_load");
  a.mov(rax, mem(rbx, SLOT_AT.fsBase)).wrfsbase(rax);
  a.mov(rax, mem(rbx, SLOT_AT.gsBase)).wrgsbase(rax);
  a.jmp("handler_return");

  a.label("handler_exit");
  a.mov(mem(rbx, SLOT_AT.state), STATE_EXITED, 4);
  a.xor(edi, edi).mov(eax, SYS_exit);
  allowedCall(a, sites.exit);
  a.ud2();

  emitKick(a);
  a.align(8).label(SIGACTION);
  a.dq({ label: "handler" }, SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_RESTART);
  a.dq({ label: "restorer" }, -1);
}

/**
 * A kick inside the stub's own code needs no report, as the thread will post or waits. But a tail
 * has checked `kick` already and would miss it, so the tail is restarted, which it may be at any
 * instruction. A single step inside the stub is not reported either.
 */
function emitKick(a: Assembler): void {
  a.label("handler_kick");
  a.mov(rax, mem(rdx, UC_RIP));
  for (const [start, first, end] of LABELS.tails) {
    const outside = a.fresh("outside");
    a.lea(rcx, rip(first)).cmp(rax, rcx).jb(outside);
    a.lea(rcx, rip(end)).cmp(rax, rcx).jae(outside);
    a.lea(rcx, rip(start)).mov(mem(rdx, UC_RIP), rcx).jmp("handler_return");
    a.label(outside);
  }
  a.label("handler_step");
  a.mov(rax, mem(rdx, UC_RIP));
  jumpIfBelow(a, STUB_BASE, "handler_post");
  jumpIfBelow(a, HEADER, "handler_return");
  a.jmp("handler_post");
}

function jumpIfBelow(a: Assembler, address: number, target: string, scratch: Reg64 = rcx): void {
  a.mov(scratch, address).cmp(rax, scratch).jb(target);
}
