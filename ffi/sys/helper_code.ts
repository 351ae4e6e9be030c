/**
 * Assembles the helper threads of helper_threads.ts: a loop that takes one system call from a slot,
 * makes it, and rings the doorbell.
 *
 * A helper is a raw thread: no libc, no TLS of its own, no stack, all signals blocked. It accesses
 * only its slot and the memory of its calls.
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
  r8,
  r8d,
  r9,
  rax,
  rbp,
  rbx,
  rdi,
  rdx,
  rsi,
  xmm0,
} from "../asm/registers.ts";
import { FUTEX_PRIVATE_FLAG, FUTEX_WAIT } from "../abi/futex.ts";
import { layout } from "../abi/layout.ts";
import {
  CLONE_CHILD_CLEARTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT_SETTID,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from "../abi/sched.ts";
import { SYS_clone, SYS_exit, SYS_futex, SYS_write } from "../abi/syscall_numbers.ts";
import { DATA } from "./data_page.ts";
import { emitBlockSignals, emitRestoreSignals } from "./spawn_code.ts";

/**
 * One helper's slot; numbers to and from JS are doubles. `tid` becomes 0 when the thread has ended.
 * With an `entry` the thread runs that code in place of the loop (native_thread.ts).
 */
export const HelperSlot = layout("helper_slot", {
  state: "i32",
  tid: "i32",
  nr: "i32",
  doorbell: "i32",
  args: ["f64", 6],
  result: "f64",
  savedMask: "u64",
  entry: "u64",
}, { align: 128 });

/** `state`: idle, a request is there, its result is there, the thread shall end. */
export const STATE_IDLE = 0;
export const STATE_POSTED = 1;
export const STATE_DONE = 2;
export const STATE_EXIT = 3;

const FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
  CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

/** `double start_helper(xmm0: address of a HelperSlot)`: the thread id, or `-errno`. */
export function emitHelper(a: Assembler, dataBase: number): void {
  const slot = HelperSlot.at;
  a.align(16).label("start_helper").push(rbx).push(rbp).cvttsd2si(rbx, xmm0);
  emitBlockSignals(a, dataBase, slot.savedMask);
  a.mov(edi, FLAGS).lea(rsi, mem(rbx, HelperSlot.size)).lea(rdx, mem(rbx, slot.tid));
  a.mov(r10, rdx).xor(r8d, r8d).mov(eax, SYS_clone).syscall();
  a.test(rax, rax).je("helper_born").mov(rbp, rax);
  emitRestoreSignals(a, slot.savedMask);
  a.pxor(xmm0, xmm0).cvtsi2sd(xmm0, rbp).pop(rbp).pop(rbx).ret();

  a.label("helper_born").cmp(mem(rbx, slot.entry), 0, 8).je("helper_look").jmp(
    mem(rbx, slot.entry),
  );
  a.label("helper_look").mov(edx, mem(rbx, slot.state)).cmp(edx, STATE_POSTED).je("helper_run");
  a.cmp(edx, STATE_EXIT).je("helper_exit");
  a.lea(rdi, mem(rbx, slot.state)).mov(esi, FUTEX_WAIT | FUTEX_PRIVATE_FLAG).xor(r10d, r10d);
  a.mov(eax, SYS_futex).syscall().jmp("helper_look");

  a.label("helper_run");
  [rdi, rsi, rdx, r10, r8, r9].forEach((register, i) => {
    a.cvttsd2si(register, mem(rbx, slot.args + 8 * i));
  });
  a.mov(eax, mem(rbx, slot.nr)).syscall();
  a.pxor(xmm0, xmm0).cvtsi2sd(xmm0, rax).movq(mem(rbx, slot.result), xmm0);
  a.mov(mem(rbx, slot.state), STATE_DONE, 4).mov(edi, mem(rbx, slot.doorbell));
  a.movabs(rsi, dataBase + DATA.one).mov(edx, 8).mov(eax, SYS_write).syscall().jmp("helper_look");

  a.label("helper_exit").xor(edi, edi).mov(eax, SYS_exit).syscall().ud2();
}
