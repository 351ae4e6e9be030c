/**
 * The thread of one processor: assembled, no JavaScript. It waits for the word to run, lets the processor run until it leaves
 * the machine, says so, and rings if the Sentry sleeps.
 *
 * Both sides first write their own word, then look at the other's, so that no wake-up is lost. Neighbours: `vcpu.ts`,
 * ffi/sys/native_thread.ts.
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

/** `state`. STOPPED is the Sentry's turn. */
export const STOPPED = 0, RUN = 1, EXIT = 2;

/** Behind the block of the thread. */
export const VcpuBlock = layout("vcpu_block", {
  thread: ["u8", THREAD_BLOCK_BYTES],
  state: "i32",
  isAsleep: "i32",
  /** Nobody wants it soon: it does not wait awake. */
  isParked: "i32",
  vcpuFd: "i32",
  doorbellFd: "i32",
  /** Of the last KVM_RUN: 0 or `-errno`. */
  result: "i32",
  /** Where it left the machine, and low words of the time stamps around that run. */
  cpu: "i32",
  entered: "u32",
  left: "u32",
  stackTop: "u64",
  /** Addresses: of the page shared with the host, of its slot. */
  run: "u64",
  slot: "u64",
  /** Address of a VcpuShared. */
  shared: "u64",
});

/** What all of them look at. */
export const VcpuShared = layout("vcpu_shared", {
  isSentryAsleep: "i32",
  /** Where the Sentry runs: who is there as well does not wait awake. */
  loopCpu: "i32",
  /** Time stamp ticks for which a thread waits awake. */
  spinTicks: "u64",
  /** 1, for the doorbell. */
  one: "u64",
  /** Signal set: the kick. */
  kick: "u64",
});

/** Code that stands at any address; entered with the block in rbx. */
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

  // Whoever runs again before this is written is found by the wait.
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

/** Back into the machine, if the stub of calls left it just when its answer came; else the slot says that it left. */
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
