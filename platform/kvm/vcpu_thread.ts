/**
 * The native thread of one vCPU, assembled, without JavaScript. It waits for the word to run,
 * enters the machine until the vCPU leaves it, writes the result, and rings the doorbell if the
 * Sentry sleeps.
 *
 * Each side writes its own word first and then reads the other's, so no wake-up is lost.
 * Neighbours: `vcpu.ts`, ffi/sys/native_thread.ts.
 */

import { FUTEX_PRIVATE_FLAG, FUTEX_WAIT } from "../../ffi/abi/futex.ts";
import { KVM_EXIT_IO, KVM_RUN, KvmRegs, KvmRun } from "../../ffi/abi/kvm.ts";
import { SIG_UNBLOCK, SIGSET_SIZE } from "../../ffi/abi/signal.ts";
import {
  SYS_exit,
  SYS_futex,
  SYS_ioctl,
  SYS_rt_sigprocmask,
  SYS_write,
} from "../../ffi/abi/syscall_numbers.ts";
import { layout } from "../../ffi/abi/layout.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import {
  eax,
  ecx,
  edi,
  edx,
  esi,
  r10d,
  r12,
  r13,
  r14,
  rax,
  rbx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../../ffi/asm/registers.ts";
import { THREAD_BLOCK_BYTES } from "../../ffi/sys/native_thread.ts";
import { CALL_PORT, CPU_BITS, LEFT, REPLIED } from "./call_stub.ts";
import { RING0_HIGH } from "./ring0.ts";

/** `state`. In STOPPED the Sentry may change the block. */
export const STOPPED = 0, RUN = 1, EXIT = 2;

/** The block of the thread. */
export const VcpuBlock = layout("vcpu_block", {
  thread: ["u8", THREAD_BLOCK_BYTES],
  state: "i32",
  isAsleep: "i32",
  /** The vCPU will not run soon: the thread sleeps and does not spin. */
  isParked: "i32",
  vcpuFd: "i32",
  doorbellFd: "i32",
  /** Result of the last KVM_RUN: 0 or `-errno`. */
  result: "i32",
  /** CPU on which it left the machine, and low words of the time stamps around that run. */
  cpu: "i32",
  entered: "u32",
  left: "u32",
  stackTop: "u64",
  /** Addresses: of the page shared with the host, and of the slot. */
  run: "u64",
  slot: "u64",
  /** Address of the VcpuShared. */
  shared: "u64",
});

/** Words that all vCPU threads read. */
export const VcpuShared = layout("vcpu_shared", {
  isSentryAsleep: "i32",
  /** CPU of the Sentry: a thread on the same CPU does not spin. */
  loopCpu: "i32",
  /** Time stamp ticks that a thread spins. */
  spinTicks: "u64",
  /** u64 1, which is written to the doorbell. */
  one: "u64",
  /** Signal set with the kick. */
  kick: "u64",
});

/** Position-independent code; entered with the block in rbx. */
export function assembleThread(): Uint8Array<ArrayBuffer> {
  const block = VcpuBlock.at, shared = VcpuShared.at;
  const a = new Assembler();
  a.mov(rsp, mem(rbx, block.stackTop)).mov(r12, mem(rbx, block.shared));
  a.mov(edi, SIG_UNBLOCK).lea(rsi, mem(r12, shared.kick)).xor(edx, edx).mov(r10d, SIGSET_SIZE);
  a.mov(eax, SYS_rt_sigprocmask).syscall();

  a.label("look").mov(eax, mem(rbx, block.cpu)).cmp(eax, mem(r12, shared.loopCpu)).je("sleep");
  readCounter(a).mov(r13, rax).add(r13, mem(r12, shared.spinTicks));
  a.label("spin").mov(edx, mem(rbx, block.state)).cmp(edx, RUN).je("run");
  a.cmp(edx, EXIT).je("exit").cmp(mem(rbx, block.isParked), 0, 4).jne("sleep").pause();
  readCounter(a).cmp(rax, r13).jb("spin");

  // If the state changed before isAsleep was written, FUTEX_WAIT finds the new state.
  a.label("sleep").mov(eax, 1).xchg(mem(rbx, block.isAsleep), eax);
  a.lea(rdi, mem(rbx, block.state)).mov(esi, FUTEX_WAIT | FUTEX_PRIVATE_FLAG).mov(edx, STOPPED);
  a.xor(r10d, r10d).mov(eax, SYS_futex).syscall();
  a.mov(mem(rbx, block.isAsleep), 0, 4);
  a.mov(edx, mem(rbx, block.state)).cmp(edx, RUN).je("run").cmp(edx, EXIT).je("exit").jmp("look");

  a.label("run").rdtsc().mov(mem(rbx, block.entered), eax);
  a.mov(edi, mem(rbx, block.vcpuFd)).mov(esi, KVM_RUN).xor(edx, edx);
  a.mov(eax, SYS_ioctl).syscall().mov(mem(rbx, block.result), eax);
  a.rdtscp().mov(mem(rbx, block.left), eax).and(ecx, CPU_BITS).mov(mem(rbx, block.cpu), ecx);
  emitReturn(a);
  a.label("stopped").mov(eax, STOPPED).xchg(mem(rbx, block.state), eax);
  a.cmp(mem(r12, shared.isSentryAsleep), 0, 4).je("look");
  a.mov(edi, mem(rbx, block.doorbellFd)).lea(rsi, mem(r12, shared.one)).mov(edx, 8);
  a.mov(eax, SYS_write).syscall().jmp("look");

  a.label("exit").xor(edi, edi).mov(eax, SYS_exit).syscall().ud2();
  return a.assemble();
}

/**
 * Enters the machine again if the stub of calls was leaving when its answer came; else writes LEFT
 * into the slot.
 */
function emitReturn(a: Assembler): void {
  const { run, slot, result } = VcpuBlock.at, at = KvmRun.at;
  a.cmp(mem(rbx, result), 0, 4).jne("stopped").mov(r14, mem(rbx, run));
  a.cmp(mem(r14, at.exitReason), KVM_EXIT_IO, 4).jne("stopped");
  a.cmp(mem(r14, at.ioPort), CALL_PORT, 2).jne("stopped");
  a.cmp(mem(r14, at.regs + KvmRegs.at.rip + 4), RING0_HIGH, 4).jne("stopped");
  a.mov(r14, mem(rbx, slot)).mov(ecx, LEFT);
  a.label("mark").mov(eax, mem(r14)).cmp(eax, REPLIED).je("run");
  a.lock().cmpxchg(mem(r14), ecx).jne("mark");
}

/** rax = time stamp counter; changes rdx. */
function readCounter(a: Assembler): Assembler {
  return a.rdtsc().shl(rdx, 32).or(rax, rdx);
}
