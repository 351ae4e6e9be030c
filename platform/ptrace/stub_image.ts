/**
 * The program of a ptrace stub: one page of code that makes the system calls that the tracer
 * requests, and stops.
 *
 * If a guest jumps here, its `syscall` is a guest call like any other, because guest threads run
 * under PTRACE_SYSEMU. Neighbours: `helper_thread.ts` drives it, `zygote.ts` starts it.
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { r10, r8, r9, rax, rbp, rbx, rdi, rdx, rsi } from "../../ffi/asm/registers.ts";

/** Guest addresses end here; the stub's own pages follow. */
export const STUB_TEXT = 0x7ffe00000000;
/** The space's command page, read-only here: the tracer writes it through a mapping of its own. */
export const STUB_CONTROL = STUB_TEXT + 0x1000;
/**
 * Address at which execve places the page before it is moved to STUB_TEXT. The stack, at a random
 * address, could overlap STUB_TEXT.
 */
export const LOAD_ADDRESS = 0x400000;

/** A command: call number, six arguments, one word unused. */
export const COMMAND_BYTES = 64;
export const MAX_COMMANDS = 64;

/** Offset in the text of `syscall; int3`: one call with arguments in registers. */
export const CALL_OFFSET = 0;
/** Length of the `syscall` instruction. */
export const SYSCALL_BYTES = 2;

/**
 * Offset of the loop over commands [rbx, rbp). It stops at an int3 with rbx at the first command
 * that failed, its error in rax, or with rbx = rbp.
 */
export const BATCH_OFFSET = 16;

function assembleText(): Uint8Array {
  return new Assembler()
    .syscall().int3()
    .align(BATCH_OFFSET, 0xcc)
    .label("next")
    .cmp(rbx, rbp).jae("stop")
    .mov(rax, mem(rbx, 0)).mov(rdi, mem(rbx, 8)).mov(rsi, mem(rbx, 16)).mov(rdx, mem(rbx, 24))
    .mov(r10, mem(rbx, 32)).mov(r8, mem(rbx, 40)).mov(r9, mem(rbx, 48))
    .syscall()
    .cmp(rax, -4095).jae("stop")
    .add(rbx, COMMAND_BYTES)
    .jmp("next")
    .label("stop").int3()
    .assemble();
}

/** The stub as a static ELF program. Its entry stops at once, also when it is not traced. */
export function stubImage(): Uint8Array<ArrayBuffer> {
  const bytes = assembleText();
  return writeExecutable(LOAD_ADDRESS + SYSCALL_BYTES, [
    { vaddr: LOAD_ADDRESS, bytes, read: true, write: false, exec: true },
  ]);
}
