/**
 * The mapper: the one thread of a stub that never runs guest code and changes its mappings.
 *
 * Its commands and all their arguments are in memory that is read-only in the stub; results stay in
 * registers. A refused mapping ends the stub (exit code: the errno). It reports its progress
 * through the control file, with a value that the Sentry wrote, so guest code can forge neither.
 * `done` in the header only wakes guest threads. Neighbours: `zygote.ts`, `../command_ring.ts`.
 */

import type { Assembler } from "../../../ffi/asm/assembler.ts";
import { mem, rip } from "../../../ffi/asm/operands.ts";
import {
  eax,
  ebp,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r12,
  r12d,
  r13d,
  r14,
  r14d,
  r15,
  r8,
  r8d,
  r9,
  r9d,
  rax,
  rbx,
  rdi,
  rdx,
  type Reg64,
  rsi,
} from "../../../ffi/asm/registers.ts";
import { MAP_FIXED, MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../../ffi/abi/mman.ts";
import { PR_SET_PDEATHSIG } from "../../../ffi/abi/prctl.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from "../../../ffi/abi/sched.ts";
import { SIG_SETMASK, SIGCHLD, SIGKILL } from "../../../ffi/abi/signal.ts";
import {
  SYS_clone,
  SYS_exit,
  SYS_exit_group,
  SYS_getpid,
  SYS_gettid,
  SYS_mprotect,
  SYS_munmap,
  SYS_prctl,
  SYS_pwrite64,
  SYS_rt_sigprocmask,
  SYS_sigaltstack,
  SYS_write,
} from "../../../ffi/abi/syscall_numbers.ts";
import {
  allowedCall,
  type AllowedSites,
  at,
  dieWith,
  EXIT_BAD_COMMAND,
  EXIT_SETUP,
  EXIT_THREAD,
  futexWait,
  futexWake,
  gs,
  LABELS,
  privilegedCall,
  privilegedMmap,
} from "./emit.ts";
import {
  ACK_AT,
  COMMAND_AT,
  COMMAND_BYTES,
  COMMANDS,
  COMMANDS_AT,
  COMMANDS_BYTES,
  FD_CONTROL,
  FD_DOORBELL,
  GLOBAL,
  GLOBAL_AT,
  HEADER,
  HEADER_AT,
  OP_ACK,
  OP_FORK,
  OP_MMAP,
  OP_MPROTECT,
  OP_MUNMAP,
  OP_THREAD,
  OP_WAKE,
  RING_ENTRIES,
  SCRATCH,
  SCRATCH_BYTES,
  SLOT_AT,
  STATE_FAILED,
} from "./layout.ts";
import { ONE } from "./wait_reply.ts";

export const THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
  CLONE_SYSVSEM;
/**
 * CLONE_PARENT makes each stub a child of the Sentry, so a pid is not used again before the Sentry
 * has reaped the stub.
 */
export const STUB_FLAGS = CLONE_FILES | CLONE_PARENT | SIGCHLD;

const HEAD = COMMANDS + COMMANDS_AT.head;
const DONE = HEADER + HEADER_AT.done;
const PID = HEADER + HEADER_AT.pid;
const ALL_WAITERS = 0x7fffffff;

/** Argument `i` of the command at rbx. */
function arg(i: number) {
  return mem(rbx, COMMAND_AT.args + 8 * i);
}

/**
 * r13d: commands taken; rbx: the command; r12, r14, r15: arguments; rsp and rbp: the secret. No
 * call in the loop is of use to guest code: those with the secret fail without it, the others wake
 * and wait.
 */
export function emitMapper(a: Assembler, sites: AllowedSites): void {
  a.align(64).label("mapper");
  a.mov(eax, at(HEAD)).cmp(eax, r13d).je("mapper_idle");
  a.mov(eax, r13d).and(eax, RING_ENTRIES - 1).imul(eax, eax, COMMAND_BYTES);
  a.lea(rbx, at(COMMANDS + COMMANDS_AT.ring)).add(rbx, rax).inc(r13d);
  a.mov(eax, mem(rbx, COMMAND_AT.op));
  a.cmp(eax, OP_MMAP).je("op_mmap").cmp(eax, OP_ACK).je("op_ack");
  a.cmp(eax, OP_MPROTECT).je("op_mprotect").cmp(eax, OP_MUNMAP).je("op_munmap");
  a.cmp(eax, OP_WAKE).je("op_wake");
  a.cmp(eax, OP_THREAD).je("op_thread").cmp(eax, OP_FORK).je("op_fork");
  dieWith(a, EXIT_BAD_COMMAND);

  a.label("mapper_idle");
  a.mov(edx, r13d);
  futexWait(a, at(HEAD), sites.futex);
  a.jmp("mapper");

  emitMappings(a, sites);
  emitAck(a, sites);
  emitThread(a, sites);
  emitFork(a);
  emitBirth(a, sites);
}

function emitMappings(a: Assembler, sites: AllowedSites): void {
  a.label("op_mmap");
  a.mov(r8d, mem(rbx, COMMAND_AT.wait)).test(r8d, r8d).je("mmap_go");
  a.label("mmap_wait"); // until the zygote has put the file's descriptor into the table
  a.mov(edx, at(GLOBAL + GLOBAL_AT.installed)).mov(eax, edx).sub(eax, r8d).jns("mmap_go");
  futexWait(a, at(GLOBAL + GLOBAL_AT.installed), sites.futex);
  a.jmp("mmap_wait");
  a.label("mmap_go");
  a.mov(rdi, arg(0)).mov(rsi, arg(1)).mov(rdx, arg(2));
  a.mov(r10, arg(3)).mov(r8, arg(4)).mov(r9, arg(5));
  privilegedMmap(a);
  a.cmp(rax, rdi).je("mapper");
  a.label("mapper_fail");
  a.mov(edi, eax).neg(edi);
  privilegedCall(a, SYS_exit_group);
  a.ud2();

  a.label("op_mprotect");
  a.mov(rdi, arg(0)).mov(rsi, arg(1)).mov(rdx, arg(2));
  privilegedCall(a, SYS_mprotect);
  a.test(eax, eax).je("mapper").jmp("mapper_fail");

  a.label("op_munmap");
  a.mov(rdi, arg(0)).mov(rsi, arg(1));
  privilegedCall(a, SYS_munmap);
  a.test(eax, eax).je("mapper").jmp("mapper_fail");
}

/**
 * Wakes guest threads first: the acknowledgement costs a system call for which they need not wait.
 */
function emitAck(a: Assembler, sites: AllowedSites): void {
  a.label("op_ack");
  a.mov(r14d, mem(rbx, COMMAND_AT.wait)); // the Sentry may use the entry again after the write
  a.mov(at(DONE), r13d);
  futexWake(a, at(DONE), ALL_WAITERS, sites.futex);
  a.mov(edi, FD_CONTROL).lea(rsi, arg(0)).mov(edx, 8).mov(r10, arg(1));
  privilegedCall(a, SYS_pwrite64);
  a.test(r14d, r14d).je("mapper");
  emitRingDoorbell(a, sites);
  a.jmp("mapper");

  a.label("op_wake");
  a.mov(r14, arg(0));
  futexWake(a, mem(r14), 1, sites.futex);
  a.jmp("mapper");
}

function emitRingDoorbell(a: Assembler, sites: AllowedSites): void {
  a.mov(edi, FD_DOORBELL).lea(rsi, rip(ONE)).mov(edx, 8).mov(eax, SYS_write);
  allowedCall(a, sites.doorbell);
}

/**
 * A new host thread begins with the registers of the mapper, which hold the secret. It clears them
 * before it unblocks signals, because a signal would store them in memory that the guest reads.
 * Then it waits as if it had posted on the fast path; its FPU state is the initial one.
 */
function emitThread(a: Assembler, sites: AllowedSites): void {
  a.label("op_thread");
  a.mov(r14, arg(0)).mov(r15, arg(1));
  a.mov(edi, THREAD_FLAGS).mov(rsi, r14).xor(edx, edx).xor(r10d, r10d);
  privilegedCall(a, SYS_clone);
  a.test(eax, eax).je("thread");
  a.jns("mapper");
  a.mov(mem(r14, SLOT_AT.state), STATE_FAILED, 4).jmp("mapper");

  a.label("thread"); // r8, r9 and rbp hold the secret
  a.mov(rdi, r15).xor(esi, esi).mov(eax, SYS_sigaltstack).syscall();
  a.mov(r12d, eax).mov(eax, SYS_gettid).syscall().mov(r13d, eax);
  a.xor(r8d, r8d).xor(r9d, r9d).xor(ebp, ebp);
  a.test(r12d, r12d).jne("thread_fail");
  a.wrgsbase(r14);
  a.mov(edi, SIG_SETMASK).lea(rsi, rip("zero")).xor(edx, edx).mov(r10d, 8);
  a.mov(eax, SYS_rt_sigprocmask);
  allowedCall(a, sites.sigprocmask);
  a.mov(gs(SLOT_AT.tid), r13d).jmp(LABELS.fastWait);
  a.label("thread_fail");
  a.mov(edi, EXIT_THREAD).mov(eax, SYS_exit);
  allowedCall(a, sites.exit);
  a.ud2();
}

function emitFork(a: Assembler): void {
  a.label("op_fork");
  a.mov(r12, arg(0)).mov(r14, arg(1)).mov(r15, arg(2));
  emitStoreInAck(a, 4);
  // With these flags clone(2) ignores rdx, which passes the address of the parent's slots to the
  // child.
  a.mov(edi, STUB_FLAGS).xor(esi, esi).mov(rdx, arg(5)).xor(r10d, r10d);
  privilegedCall(a, SYS_clone);
  a.test(eax, eax).jns("fork_done");
  emitStoreInAck(a, 3);
  a.jmp("mapper");
  a.label("fork_done");
  a.jne("mapper"); // the parent
  a.jmp("birth_child");
}

/** Writes argument `i` over the pid and mark of the child's ack entry. */
function emitStoreInAck(a: Assembler, i: number): void {
  a.mov(edi, FD_CONTROL).lea(rsi, arg(i)).mov(edx, 8).lea(r10, mem(r15, ACK_AT.pid));
  privilegedCall(a, SYS_pwrite64);
}

/**
 * The first steps of a stub: r12, r14, r15 are the control file offsets of its commands, first
 * slots and ack entry. It replaces the inherited parts by its own. A child of the zygote first
 * unmaps what stubs must not have.
 */
function emitBirth(a: Assembler, sites: AllowedSites): void {
  const check = () => void a.test(eax, eax).jne("birth_fail");
  const map = (address: number, bytes: number, prot: number, offset: Reg64) => {
    a.mov(rdi, address).mov(esi, bytes).mov(edx, prot).mov(r10d, MAP_SHARED | MAP_FIXED).mov(
      r8d,
      FD_CONTROL,
    ).mov(r9, offset);
    privilegedMmap(a);
    a.cmp(rax, rdi).jne("birth_fail");
  };
  a.label("birth");
  a.mov(rdi, SCRATCH).mov(esi, SCRATCH_BYTES);
  privilegedCall(a, SYS_munmap);
  check();
  a.mov(rdi, GLOBAL).mov(esi, PAGE_SIZE).mov(edx, PROT_READ);
  privilegedCall(a, SYS_mprotect);
  check();
  a.jmp("birth_common");
  a.label("birth_child");
  a.mov(rdi, rdx).mov(rsi, rip("all_slots_bytes"));
  privilegedCall(a, SYS_munmap);
  check();
  a.label("birth_common");
  a.mov(edi, PR_SET_PDEATHSIG).mov(esi, SIGKILL).xor(edx, edx).xor(r10d, r10d);
  privilegedCall(a, SYS_prctl);
  check();
  map(COMMANDS, COMMANDS_BYTES, PROT_READ, r12);
  map(HEADER, PAGE_SIZE, PROT_READ | PROT_WRITE, r14);
  privilegedCall(a, SYS_getpid);
  a.mov(at(PID), rax);
  a.mov(edi, FD_CONTROL).lea(rsi, at(PID)).mov(edx, 8).lea(r10, mem(r15, ACK_AT.pid));
  privilegedCall(a, SYS_pwrite64);
  a.xor(r13d, r13d);
  a.cmp(at(COMMANDS + COMMANDS_AT.ringAtBirth), 0, 4).je("mapper");
  emitRingDoorbell(a, sites);
  a.jmp("mapper");
  a.label("birth_fail");
  dieWith(a, EXIT_SETUP);
}

/** Constants that depend on the size of a slot. */
export function emitMapperData(a: Assembler, slotBytes: number, maxSlots: number): void {
  a.align(8).label("all_slots_bytes").dq(maxSlots * slotBytes);
  a.label("zero").dq(0);
  a.label(ONE).dq(1);
}
