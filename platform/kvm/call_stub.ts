/**
 * The stub of calls: the code at which `syscall` enters. It writes the registers of the thread to
 * the slot of its vCPU, posts, and spins for the reply inside the machine. It leaves the machine if
 * no reply comes in time or the Sentry sleeps.
 *
 * Where call sites are patched, the thunk jumps to the stub, with the registers as `syscall` leaves
 * them: a host that runs ring 3 directly may have to emulate `syscall`.
 *
 * Where the stub runs in ring 3, the guest thread on the vCPU can write the slot, and no other can:
 * the slot holds that thread's own claims. In ring 0 no guest code reaches the slot. After the
 * post, the stub depends on the slot only. Neighbours: `ring0.ts` maps the stub, `stops.ts` reads
 * the slot, `host_kinds.ts`.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
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

/**
 * Ports that the stub writes to when it leaves the machine: CALL_PORT from where calls are made,
 * RING0_CALL_PORT from ring 0 on hosts where calls stay in ring 3.
 */
export const CALL_PORT = 0x10, RING0_CALL_PORT = 0x11;

/**
 * Values of `state`: no call; a call is posted; the Sentry has taken it; the result is there; the
 * stub shall leave the machine.
 */
export const IDLE = 0, POSTED = 1, TAKEN = 2, REPLIED = 3, LEAVE = 4;
/**
 * Written by the vCPU's thread: the stub has left, and continues only when the Sentry runs the vCPU
 * again.
 */
export const LEFT = 5;

/** The fields of a slot. */
export const Slot = layout("kvm_slot", {
  state: "u32",
  /** Low words of the time stamps of the last reply and the last post. */
  resumed: "u32",
  posted: "u32",
  /** The call came from a thunk. */
  isPatched: "u32",
  regs: KvmRegs,
  fsBase: "u64",
  gsBase: "u64",
  result: "u64",
  /** Stack of the stub, for one word of flags. */
  stack: ["u64", 16],
});

/** Words that all stubs read and none can write. */
export const Bell = layout("kvm_bell", {
  isSentryAsleep: "u32",
  /**
   * The CPU of the Sentry: a stub on the same CPU leaves the machine, so that the Sentry can run.
   */
  loopCpu: "i32",
  /** Time stamp ticks that a stub spins. */
  spinTicks: "u64",
});

/** The bits of TSC_AUX, which rdtscp returns, that have the number of the CPU. */
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
  /** Offset in the stub from which on the call is posted. */
  readonly behindPost: number;
  /** Offset in the stub from which on the call is answered. */
  readonly behindReply: number;
  /** Offset at which thunks enter, with the return address in rcx; -1 if nothing is patched. */
  readonly patchedEntry: number;
}

function slot(at: number): Mem {
  return rip("slot", at);
}

function register(at: number): Mem {
  return slot(Slot.at.regs + at);
}

/** The code that system calls and patched sites enter in ring 0, assembled for the kind of host. */
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
  // The Sentry sleeps and would not see the post; and a single step would be lost.
  a.cmp(rip("bell", Bell.at.isSentryAsleep), 0, 4).jne("leave");
  a.test(register(G.rflags), FLAG_TF, 4).jne("leave");
  readCounter(a).mov(rbx, rax).add(rbx, rip("bell", Bell.at.spinTicks));
  a.label("wait").mov(ecx, slot(at.state)).cmp(ecx, REPLIED).je("reply");
  a.cmp(ecx, LEAVE).je("leave").pause();
  if (kind.isCallInUserMode) { // rdtscp returns the CPU of the host there, not that of the machine
    a.rdtscp().and(ecx, CPU_BITS).cmp(ecx, rip("bell", Bell.at.loopCpu)).je("leave");
    a.shl(rdx, 32).or(rax, rdx);
  } else readCounter(a);
  a.cmp(rax, rbx).jb("wait");
  // If the reply came while the stub was leaving, the vCPU's thread enters the machine again at
  // once.
  a.label("leave").db(OUT, CALL_PORT).cmp(slot(at.state), REPLIED, 4).jne("leave");

  a.label("reply").mov(slot(at.state), IDLE, 4).rdtsc().mov(slot(at.resumed), eax);
  a.mov(rax, slot(at.result)).mov(rbx, register(G.rbx)).mov(rcx, register(G.rcx));
  a.mov(rdx, register(G.rdx));
  if (kind.isCallInUserMode) {
    a.lea(rsp, slot(Slot.size)).push(register(G.rflags)).popfq();
    a.mov(rsp, register(G.rsp)).jmp(register(G.rip));
  } else a.sysretq(); // rcx and r11 are what `syscall` itself put there
  const { length } = a;
  a.zero(PAGE_SIZE - length).label("slot").zero(PAGE_SIZE).label("bell");
  return {
    code: a.assemble().slice(0, length),
    behindPost: a.offsetOf("posted"),
    behindReply: a.offsetOf("reply"),
    patchedEntry: kind.isCallInUserMode ? a.offsetOf("patched") : -1,
  };
}

/**
 * A host that emulates ring 0 also emulates instructions of ring 3 to which it cannot return: those
 * of a thread whose rsp is no canonical address. `syscall` then enters ring 0 as on hardware, and
 * the thread would continue in ring 0. In ring 3 this code changes the flags only.
 */
function leaveRing0(a: Assembler): void {
  a.mov(register(G.rax), rax).db(...MOV_EAX_CS).and(eax, 3).mov(rax, register(G.rax)).jne("user");
  a.db(OUT, RING0_CALL_PORT).hlt().label("user");
}

/** rax = time stamp counter; changes rdx. */
function readCounter(a: Assembler): Assembler {
  return a.rdtsc().shl(rdx, 32).or(rax, rdx);
}
