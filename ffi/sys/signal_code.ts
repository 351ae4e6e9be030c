/**
 * Assembles the handler behind signals.ts: `void on_signal(edi: signo)` writes 1 to the eventfd of
 * that signal.
 *
 * It runs on whatever thread of Deno gets the signal, so it touches nothing but the data page.
 */

import type { Assembler } from "../asm/assembler.ts";
import { mem } from "../asm/operands.ts";
import { eax, edi, edx, rax, rdi, rsi } from "../asm/registers.ts";
import { SYS_write } from "../abi/syscall_numbers.ts";
import { DATA } from "./data_page.ts";

export function emitSignalHandler(a: Assembler, dataBase: number): void {
  a.align(16).label("on_signal").movabs(rax, dataBase + DATA.signalFds);
  a.mov(edi, edi).mov(edi, mem(rax, 0, rdi, 4));
  a.movabs(rsi, dataBase + DATA.one).mov(edx, 8).mov(eax, SYS_write).syscall().ret();
}
