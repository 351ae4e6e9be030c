/**
 * Assembles the launcher behind spawn.ts: clone(2) with shared memory, and a child that runs a
 * script of raw system calls.
 *
 * The child never returns to JS or libc: it reads the script, makes the calls, and ends in execve
 * or exit_group. All signals are blocked from before the clone until the script unblocks them.
 * Offsets of both structures are here, for both sides.
 */

import type { Assembler } from "../asm/assembler.ts";
import { mem } from "../asm/operands.ts";
import {
  eax,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r12,
  r12d,
  r13,
  r14d,
  r15,
  r8,
  r8d,
  r9,
  rax,
  rbp,
  rbx,
  rdi,
  rdx,
  rsi,
  rsp,
  xmm0,
} from "../asm/registers.ts";
import {
  SYS_clone,
  SYS_exit_group,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
} from "../abi/syscall_numbers.ts";
import { ENOEXEC, MAX_ERRNO } from "../abi/errno.ts";
import { layout } from "../abi/layout.ts";
import { NSIG, SIG_IGN, SIG_SETMASK, Sigaction, SIGPIPE, SIGSET_SIZE } from "../abi/signal.ts";
import { DATA } from "./data_page.ts";

/**
 * Input of the assembled `spawn`; `failedStep` is 1 + the index, 0 when the child executed its
 * program.
 */
export const SpawnControl = layout("spawn_control", {
  cloneFlags: "u64",
  stackTop: "ptr",
  records: "ptr",
  count: "u64",
  pidfd: "i32",
  failedStep: "u64",
  failure: "i64",
  savedMask: "u64",
});

/**
 * One step: 8 words. A PREV argument holds the offset of another step's `result` from the first
 * record.
 */
export const SpawnRecord = layout("spawn_record", {
  nr: "u32",
  flags: "u32",
  args: ["u64", 6],
  result: "i64",
});

/** The script continues whatever the call returns. */
export const STEP_MAY_FAIL = 1;
/** Argument `i` is a PREV: bit `STEP_PREV_SHIFT + i`. */
export const STEP_PREV_SHIFT = 8;

/** Exit status of a child whose script failed. */
const FAILED_EXIT_STATUS = 127;

/** `double spawn(xmm0: address of a SpawnControl)`: the pid, or `-errno` of clone(2). */
export function emitSpawn(a: Assembler, dataBase: number): void {
  const { at } = SpawnControl;
  a.align(16).label("spawn").push(rbx).push(rbp).cvttsd2si(rbx, xmm0);
  emitBlockSignals(a, dataBase, at.savedMask);
  a.mov(rdi, mem(rbx, at.cloneFlags)).mov(rsi, mem(rbx, at.stackTop)).lea(rdx, mem(rbx, at.pidfd));
  a.xor(r10d, r10d).xor(r8d, r8d).mov(eax, SYS_clone).syscall();
  a.test(rax, rax).je("spawn_child").mov(rbp, rax);
  emitRestoreSignals(a, at.savedMask);
  a.pxor(xmm0, xmm0).cvtsi2sd(xmm0, rbp).pop(rbp).pop(rbx).ret();

  a.label("spawn_child");
  emitResetHandlers(a, dataBase);
  emitSteps(a);
}

/** rbx: a structure with room for the old mask at `savedMask`. */
export function emitBlockSignals(a: Assembler, dataBase: number, savedMask: number): void {
  a.mov(edi, SIG_SETMASK).movabs(rsi, dataBase + DATA.allSignals).lea(rdx, mem(rbx, savedMask));
  a.mov(r10d, SIGSET_SIZE).mov(eax, SYS_rt_sigprocmask).syscall();
}

/** Emits a call that restores the signal mask at `savedMask` of rbx. */
export function emitRestoreSignals(a: Assembler, savedMask: number): void {
  a.mov(edi, SIG_SETMASK).lea(rsi, mem(rbx, savedMask)).xor(edx, edx);
  a.mov(r10d, SIGSET_SIZE).mov(eax, SYS_rt_sigprocmask).syscall();
}

/**
 * Handlers would run on memory shared with the parent: SIG_DFL for all caught signals, and for
 * SIGPIPE, which Deno ignores.
 */
function emitResetHandlers(a: Assembler, dataBase: number): void {
  a.sub(rsp, Sigaction.size).mov(r12d, 1);
  a.label("spawn_reset").mov(rdi, r12).xor(esi, esi).mov(rdx, rsp);
  a.mov(r10d, SIGSET_SIZE).mov(eax, SYS_rt_sigaction).syscall();
  a.cmp(r12d, SIGPIPE).je("spawn_set_default");
  a.cmp(mem(rsp, Sigaction.at.handler), SIG_IGN, 8).jbe("spawn_reset_next");
  a.label("spawn_set_default").mov(rdi, r12).movabs(rsi, dataBase + DATA.defaultAction);
  a.xor(edx, edx).mov(r10d, SIGSET_SIZE).mov(eax, SYS_rt_sigaction).syscall();
  a.label("spawn_reset_next").add(r12d, 1).cmp(r12d, NSIG).jbe("spawn_reset");
}

/** rbx: control; rbp: steps left; r12: index; r13: record; r14d: its flags; r15: first record. */
function emitSteps(a: Assembler): void {
  const record = SpawnRecord.at;
  a.mov(r15, mem(rbx, SpawnControl.at.records)).mov(r13, r15).xor(r12d, r12d);
  a.label("spawn_step").mov(rax, -ENOEXEC).cmp(r12, mem(rbx, SpawnControl.at.count));
  a.jae("spawn_failed");
  a.mov(r14d, mem(r13, record.flags));
  [rdi, rsi, rdx, r10, r8, r9].forEach((register, i) => {
    const ready = a.fresh("spawn_arg");
    a.mov(register, mem(r13, record.args + 8 * i));
    a.test(r14d, 1 << (STEP_PREV_SHIFT + i)).je(ready).mov(register, mem(r15, 0, register));
    a.label(ready);
  });
  a.mov(eax, mem(r13, record.nr)).syscall().mov(mem(r13, record.result), rax);
  a.test(r14d, STEP_MAY_FAIL).jne("spawn_next").cmp(rax, -MAX_ERRNO).jae("spawn_failed");
  a.label("spawn_next").add(r13, SpawnRecord.size).add(r12, 1).jmp("spawn_step");

  a.label("spawn_failed").mov(mem(rbx, SpawnControl.at.failure), rax).add(r12, 1);
  a.mov(mem(rbx, SpawnControl.at.failedStep), r12);
  a.mov(edi, FAILED_EXIT_STATUS).mov(eax, SYS_exit_group).syscall().ud2();
}
