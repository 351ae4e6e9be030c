/**
 * The program that is process 1 of a script's sandbox, and copies files in and out of it: a small
 * static ELF file, so that a root file system needs no programs of its own.
 *
 *     agent                  waits for ever; its children are reaped by the kernel
 *     agent read PATH        the file to standard output
 *     agent write PATH MODE  standard input to the file; MODE is octal
 *
 * It exits with the errno of a call that failed. Neighbour: sandbox.ts starts it.
 */

import { O_CLOEXEC, O_CREAT, O_TRUNC, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { SIG_IGN, SIGCHLD, SIGSET_SIZE } from "../../ffi/abi/signal.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { mem } from "../../ffi/asm/operands.ts";
import {
  eax,
  ebx,
  edi,
  edx,
  esi,
  r10d,
  r12,
  r12d,
  r13,
  r13d,
  r14,
  r15,
  rax,
  rbp,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../../ffi/asm/registers.ts";

const TEXT = 0x400000, DATA = 0x500000, BUFFER = 65536;
/** Where a pointer to an argument stands above the initial stack pointer. */
const ARG1 = 16, ARG2 = 24, ARG3 = 32;
const SIGACTION_BYTES = 32;

function call(a: Assembler, nr: number): Assembler {
  return a.mov(eax, nr).syscall();
}

function emitRead(a: Assembler): void {
  a.mov(rdi, mem(rbp, ARG2)).mov(esi, O_CLOEXEC).xor(edx, edx);
  call(a, N.SYS_open);
  a.test(rax, rax).js("fail").mov(r12, rax).mov(r13d, 1).jmp("copy");
}

function emitWrite(a: Assembler): void {
  a.label("write").mov(rsi, mem(rbp, ARG3)).xor(ebx, ebx);
  a.label("digit").movzx(eax, mem(rsi), 1).test(eax, eax).je("open");
  a.imul(ebx, ebx, 8).sub(eax, 0x30).add(ebx, eax).inc(rsi).jmp("digit");
  a.label("open").mov(rdi, mem(rbp, ARG2)).mov(esi, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
  a.mov(edx, ebx);
  call(a, N.SYS_open);
  a.test(rax, rax).js("fail").mov(r13, rax).xor(r12d, r12d);
  a.mov(rdi, r13).mov(esi, ebx);
  call(a, N.SYS_fchmod);
  a.test(rax, rax).js("fail");
}

/** From r12 to r13. */
function emitCopy(a: Assembler): void {
  a.label("copy").mov(rdi, r12).mov(rsi, rsp).mov(edx, BUFFER);
  call(a, N.SYS_read);
  a.test(rax, rax).js("fail").je("done").mov(r14, rax).mov(r15, rsp);
  a.label("more").mov(rdi, r13).mov(rsi, r15).mov(rdx, r14);
  call(a, N.SYS_write);
  a.test(rax, rax).js("fail").add(r15, rax).sub(r14, rax).jne("more").jmp("copy");
}

function emitEnd(a: Assembler): void {
  a.label("done").xor(eax, eax);
  a.label("fail").mov(edi, eax).neg(edi);
  call(a, N.SYS_exit_group);
}

function emitInit(a: Assembler): void {
  a.label("init").mov(edi, SIGCHLD).mov(esi, DATA).xor(edx, edx).mov(r10d, SIGSET_SIZE);
  call(a, N.SYS_rt_sigaction);
  a.label("sleep");
  call(a, N.SYS_pause);
  a.jmp("sleep");
}

export function agentImage(): Uint8Array<ArrayBuffer> {
  const a = new Assembler();
  a.mov(rbp, rsp).cmp(mem(rbp), 1, 8).jle("init");
  a.sub(rsp, BUFFER).mov(rsi, mem(rbp, ARG1)).movzx(eax, mem(rsi), 1);
  a.cmp(eax, "w".charCodeAt(0)).je("write");
  emitRead(a);
  emitWrite(a);
  emitCopy(a);
  emitEnd(a);
  emitInit(a);
  const action = new Uint8Array(SIGACTION_BYTES);
  action[0] = SIG_IGN;
  return writeExecutable(TEXT, [
    { vaddr: TEXT, bytes: a.assemble(TEXT), read: true, write: false, exec: true },
    { vaddr: DATA, bytes: action, read: true, write: false, exec: false },
  ]);
}
