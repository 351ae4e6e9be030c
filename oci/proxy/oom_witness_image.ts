/**
 * The program of the OOM witness (oom_witness.ts): for each byte that it reads it forks a child
 * that takes memory until the host's OOM killer kills it, or until the maximum is reached; then it
 * answers with a byte. A page of code without libc.
 */

import {
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { SIGCHLD } from "../../ffi/abi/signal.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { mem } from "../../ffi/asm/operands.ts";
import {
  eax,
  edi,
  edx,
  esi,
  r10d,
  r8,
  r9d,
  rax,
  rbx,
  rdi,
  rdx,
  rsi,
} from "../../ffi/asm/registers.ts";

const TEXT = 0x400000, DATA = 0x401000, PAGE_BYTES = 4096;
/** Number of its socket. */
const WITNESS_FD = 3;
/** The system calls of the program. */
export const WITNESS_CALLS: readonly number[] = [
  N.SYS_read,
  N.SYS_write,
  N.SYS_clone,
  N.SYS_wait4,
  N.SYS_mmap,
  N.SYS_exit_group,
];

/** @param bytes that the child takes at most */
export function witnessImage(bytes: number): Uint8Array {
  const a = new Assembler();
  const call = (nr: number) => a.mov(eax, nr).syscall();
  a.label("start").mov(rbx, DATA);
  a.label("loop").mov(edi, WITNESS_FD).mov(rsi, rbx).mov(edx, 1);
  call(N.SYS_read);
  a.cmp(rax, 1).jne("end");
  a.mov(edi, SIGCHLD).xor(esi, esi).xor(edx, edx).xor(r10d, r10d).mov(r8, 0);
  call(N.SYS_clone);
  a.cmp(rax, 0).je("child").jl("answer");
  a.mov(rdi, rax).xor(esi, esi).mov(edx, __WALL).xor(r10d, r10d);
  call(N.SYS_wait4);
  a.label("answer").mov(edi, WITNESS_FD).mov(rsi, rbx).mov(edx, 1);
  call(N.SYS_write);
  a.cmp(rax, 1).je("loop");
  a.label("end").xor(edi, edi);
  call(N.SYS_exit_group);

  a.label("child").xor(edi, edi).mov(rsi, bytes).mov(edx, PROT_READ | PROT_WRITE);
  a.mov(r10d, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE).mov(r8, -1).xor(r9d, r9d);
  call(N.SYS_mmap);
  a.cmp(rax, 0).jl("end");
  a.mov(rdx, rax).add(rdx, rsi);
  a.label("touch").mov(mem(rax, 0), 1, 1).add(rax, PAGE_BYTES).cmp(rax, rdx).jb("touch");
  a.jmp("end");
  return writeExecutable(TEXT + a.offsetOf("start"), [
    { vaddr: TEXT, bytes: a.assemble(), read: true, write: false, exec: true },
    { vaddr: DATA, bytes: new Uint8Array(8), read: true, write: true, exec: false },
  ]);
}
