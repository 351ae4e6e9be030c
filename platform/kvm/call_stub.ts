/**
 * Where `syscall` goes: the stub makes the call without leaving the machine. It writes the thread's registers to the slot of its
 * processor, says so, and waits awake for the answer; if there is none in time, or the Sentry sleeps, it leaves.
 *
 * Where calls are patched, the thunk of a site comes to it by a jump, as if the processor had been there: a `syscall` is
 * something that such a host may have to emulate.
 *
 * Where it runs in ring 3, a slot is seen by whoever runs on its processor and by nobody else: what stands there is what that
 * thread says of itself. In ring 0 no guest code sees it. Everything behind the post depends on the slot only.
 * Neighbours: `ring0.ts` has it mapped, `stops.ts` reads it, `host_kinds.ts`.
 */

import { KvmRegs } from "../../ffi/abi/kvm.ts";
import { layout } from "../../ffi/abi/layout.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { type Mem, rip } from "../../ffi/asm/operands.ts";
import {
  eax,
  ecx,
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
} from "../../ffi/asm/registers.ts";
import type { HostKind } from "./host_kinds.ts";
import { PAGE_BYTES } from "./table_memory.ts";

/**
 * Ports that the stub writes to when it leaves the machine: from where calls are made, and from ring 0
 * where calls stay in ring 3.
 */
export const CALL_PORT = 0x10, RING0_CALL_PORT = 0x11;

/** `state`: nothing is wanted; a call is there; the Sentry has it; its result is there; leave the machine. */
export const IDLE = 0, POSTED = 1, TAKEN = 2, REPLIED = 3, LEAVE = 4;
/** Written by the processor's thread: the stub left, and goes on only when it is let in again. */
export const LEFT = 5;

/** A slot, as far as it is used. */
export const Slot = layout("kvm_slot", {
  state: "u32",
  /** Low words of time stamps: of the last reply, of the last post. */
  resumed: "u32",
  posted: "u32",
  /** Came from a thunk. */
  isPatched: "u32",
  regs: KvmRegs,
  fsBase: "u64",
  gsBase: "u64",
  result: "u64",
  /** For one word of flags. */
  stack: ["u64", 16],
});

/** What all stubs see and none can write. */
export const Bell = layout("kvm_bell", {
  isSentryAsleep: "u32",
  /** Where the Sentry runs: who is there as well leaves, so that it can. */
  loopCpu: "i32",
  /** Time stamp ticks that a stub waits. */
  spinTicks: "u64",
});

/** Of what rdtscp says besides the time. */
export const CPU_BITS = 0xfff;

const FLAG_TF = 0x100;
const OUT = 0xe6, MOV_EAX_CS = [0x8c, 0xc8] as const;
const G = KvmRegs.at;
const SAVED: readonly (readonly [Reg64, number])[] = [
  [rax, G.rax],
  [rbx, G.rbx],
  [rcx, G.rcx],
  [rdx, G.rdx],
  [rsi, G.rsi],
  [rdi, G.rdi],
  [rsp, G.rsp],
  [rbp, G.rbp],
  [r8, G.r8],
  [r9, G.r9],
  [r10, G.r10],
  [r11, G.r11],
  [r12, G.r12],
  [r13, G.r13],
  [r14, G.r14],
  [r15, G.r15],
  [rcx, G.rip],
  [r11, G.rflags],
];

export interface CallStub {
  readonly code: Uint8Array<ArrayBuffer>;
  /** Offset from which on the call is posted. */
  readonly behindPost: number;
  /** Offset from which on it is answered. */
  readonly behindReply: number;
  /** Offset where thunks come to, with the return address in rcx; -1 if there are none. */
  readonly patchedEntry: number;
}

function slot(at: number): Mem {
  return rip("slot", at);
}

function register(at: number): Mem {
  return slot(Slot.at.regs + at);
}

export function callStub(kind: HostKind): CallStub {
  const { at } = Slot, a = new Assembler();
  if (kind.isCallInUserMode) {
    leaveRing0(a);
    a.mov(slot(at.isPatched), 0, 4).jmp("save");
    a.label("patched").mov(slot(at.isPatched), 1, 4).mov(register(G.rsp), rsp);
    a.lea(rsp, slot(Slot.size)).pushfq().pop(r11).mov(rsp, register(G.rsp));
  }
  a.label("save");
  for (const [from, to] of SAVED) a.mov(register(to), from);
  a.rdfsbase(rax).mov(slot(at.fsBase), rax).rdgsbase(rax).mov(slot(at.gsBase), rax);
  a.rdtsc().mov(slot(at.posted), eax).mov(eax, POSTED).xchg(slot(at.state), eax);
  a.label("posted");
  // Nobody would hear it, or a step by step would be lost.
  a.cmp(rip("bell", Bell.at.isSentryAsleep), 0, 4).jne("leave");
  a.test(register(G.rflags), FLAG_TF, 4).jne("leave");
  readCounter(a).mov(rbx, rax).add(rbx, rip("bell", Bell.at.spinTicks));
  a.label("wait").mov(ecx, slot(at.state)).cmp(ecx, REPLIED).je("reply");
  a.cmp(ecx, LEAVE).je("leave").pause();
  if (kind.isCallInUserMode) { // rdtscp tells of the host's core there, not of the machine's
    a.rdtscp().and(ecx, CPU_BITS).cmp(ecx, rip("bell", Bell.at.loopCpu)).je("leave");
    a.shl(rdx, 32).or(rax, rdx);
  } else readCounter(a);
  a.cmp(rax, rbx).jb("wait");
  // When the answer came on the way out, the processor's thread comes back at once.
  a.label("leave").db(OUT, CALL_PORT).cmp(slot(at.state), REPLIED, 4).jne("leave");

  a.label("reply").mov(slot(at.state), IDLE, 4).rdtsc().mov(slot(at.resumed), eax);
  a.mov(rax, slot(at.result)).mov(rbx, register(G.rbx)).mov(rcx, register(G.rcx));
  a.mov(rdx, register(G.rdx));
  if (kind.isCallInUserMode) {
    a.lea(rsp, slot(Slot.size)).push(register(G.rflags)).popfq();
    a.mov(rsp, register(G.rsp)).jmp(register(G.rip));
  } else a.sysretq(); // rcx and r11 are what `syscall` itself put there
  const { length } = a;
  a.zero(PAGE_BYTES - length).label("slot").zero(PAGE_BYTES).label("bell");
  return {
    code: a.assemble().slice(0, length),
    behindPost: a.offsetOf("posted"),
    behindReply: a.offsetOf("reply"),
    patchedEntry: kind.isCallInUserMode ? a.offsetOf("patched") : -1,
  };
}

/**
 * A host that emulates ring 0 also emulates instructions of ring 3 that it cannot go back to, those of a thread whose rsp is no
 * address, and then `syscall` is what it is on hardware: the thread would go on in ring 0. Who is in ring 3 has only its flags changed.
 */
function leaveRing0(a: Assembler): void {
  a.mov(register(G.rax), rax).db(...MOV_EAX_CS).and(eax, 3).mov(rax, register(G.rax)).jne("user");
  a.db(OUT, RING0_CALL_PORT).hlt().label("user");
}

/** rax = time stamp counter; changes rdx. */
function readCounter(a: Assembler): Assembler {
  return a.rdtsc().shl(rdx, 32).or(rax, rdx);
}
