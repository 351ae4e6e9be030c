/**
 * Assembles the handlers behind signals.ts and thread_calls.ts: `void on_signal(edi: signo)` writes
 * 1 to the eventfd of that signal; `void on_signal_message(edi: signo)` writes the signal's message
 * to its socket; `void on_thread_call()` makes the system call in the data page.
 *
 * They run on any thread of Deno that gets the signal, so they access only the data page.
 */

import type { Assembler } from "../asm/assembler.ts";
import { mem } from "../asm/operands.ts";
import { eax, edi, edx, r10, r8, r9, rax, rdi, rdx, rsi } from "../asm/registers.ts";
import { SYS_write } from "../abi/syscall_numbers.ts";
import { DATA, SIGNAL_MESSAGE_BYTES } from "./data_page.ts";

/** Emits the signal handlers, and the handler that makes a call in another thread. */
export function emitSignalHandlers(a: Assembler, dataBase: number): void {
  a.align(16).label("on_signal").movabs(rax, dataBase + DATA.signalFds);
  a.mov(edi, edi).mov(edi, mem(rax, 0, rdi, 4));
  a.movabs(rsi, dataBase + DATA.one).mov(edx, 8).mov(eax, SYS_write).syscall().ret();
  a.align(16).label("on_signal_message").movabs(rax, dataBase + DATA.signalFds);
  a.movabs(rsi, dataBase + DATA.signalMessages).mov(edi, edi);
  a.mov(edx, edi).imul(edx, edx, SIGNAL_MESSAGE_BYTES).add(rsi, rdx);
  a.mov(edi, mem(rax, 0, rdi, 4)).mov(edx, SIGNAL_MESSAGE_BYTES).mov(eax, SYS_write).syscall()
    .ret();
  a.align(16).label("on_thread_call").movabs(r9, dataBase + DATA.threadCall);
  a.mov(rax, mem(r9, 0)).mov(rdi, mem(r9, 8)).mov(rsi, mem(r9, 16)).mov(rdx, mem(r9, 24));
  a.mov(r10, mem(r9, 32)).mov(r8, mem(r9, 40)).syscall();
  a.mov(mem(r9, 48), eax).mov(mem(r9, 52), 1, 4).ret();
}
