/**
 * Assembles the SIGSEGV and SIGBUS handler that makes memory primitives fault-safe, and its table
 * of fixups.
 *
 * A primitive puts the instructions that access memory into `cover(label, ...)`: a fault in them
 * resumes at `label` with all registers as they were, and the primitive reports how far it came.
 * Other faults go to the handler that was installed before (Deno's own), or end the process as
 * without this handler. Not here: the primitives (memory_code.ts), installing (native.ts).
 * Source: sigaction(2).
 */

import type { Assembler } from "../asm/assembler.ts";
import { mem, rip } from "../asm/operands.ts";
import {
  eax,
  ecx,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r8,
  r8d,
  r9,
  rax,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../asm/registers.ts";
import {
  SYS_getpid,
  SYS_gettid,
  SYS_rt_sigaction,
  SYS_rt_sigreturn,
  SYS_tgkill,
} from "../abi/syscall_numbers.ts";
import { SIG_IGN, Sigaction, SIGSEGV, SIGSET_SIZE } from "../abi/signal.ts";
import { SiginfoFault } from "../abi/siginfo.ts";
import { Sigcontext, Ucontext } from "../abi/ucontext.ts";
import { DATA } from "./data_page.ts";

const FIXUP_BYTES = 12;
const UCONTEXT_RIP = Ucontext.at.mcontext + Sigcontext.at.rip;

/** The label at offset 0 of the code, from which the table counts. */
export const CODE_START = "code_start";

/** Collects the instructions that may fault, and the label at which each resumes. */
export class FaultTable {
  readonly #a: Assembler;
  readonly #rows: { start: string; end: string; to: string }[] = [];

  constructor(a: Assembler) {
    this.#a = a;
  }

  /** A fault in the instructions that `emit` writes resumes at the label `to`. */
  cover(to: string, emit: () => void): void {
    const start = this.#a.fresh("may_fault");
    const end = this.#a.fresh("may_fault_end");
    this.#a.label(start);
    emit();
    this.#a.label(end);
    this.#rows.push({ start, end, to });
  }

  /**
   * Writes the handler `on_fault`, the restorer `restore_rt` and the table: once, after all code
   * that may fault.
   */
  emit(dataBase: number): void {
    const a = this.#a;
    emitHandler(a, dataBase);
    a.align(8).label("restore_rt").mov(eax, SYS_rt_sigreturn).syscall();
    a.align(4).label("fixups");
    for (const row of this.#rows) {
      for (const label of [row.start, row.end, row.to]) a.dd({ label, from: CODE_START });
    }
    a.dd(-1);
  }
}

/** `handler(edi: signo, rsi: siginfo, rdx: ucontext)`, SA_SIGINFO. */
function emitHandler(a: Assembler, dataBase: number): void {
  a.align(16).label("on_fault").mov(r8d, mem(rsi, SiginfoFault.at.code));
  a.test(r8d, r8d).jle("die"); // sent by kill(2): the code at rip did not fault
  a.mov(rax, mem(rdx, UCONTEXT_RIP)).lea(r8, rip(CODE_START)).mov(rcx, rax).sub(rcx, r8);
  a.mov(r10d, -1).cmp(rcx, r10).jae("chain");
  a.lea(r9, rip("fixups"));
  a.label("next_fixup").mov(r10d, mem(r9)).cmp(r10d, -1).je("chain");
  a.cmp(ecx, r10d).jb("not_this").cmp(ecx, mem(r9, 4)).jae("not_this");
  a.mov(r10d, mem(r9, 8)).add(r10, r8).mov(mem(rdx, UCONTEXT_RIP), r10).ret();
  a.label("not_this").add(r9, FIXUP_BYTES).jmp("next_fixup");

  a.label("chain");
  a.movabs(r9, dataBase + DATA.oldSegv).cmp(edi, SIGSEGV).je("have_old");
  a.movabs(r9, dataBase + DATA.oldBus);
  a.label("have_old").mov(rax, mem(r9, Sigaction.at.handler)).cmp(rax, SIG_IGN).ja("call_old");
  a.mov(r8d, mem(rsi, SiginfoFault.at.code)); // an ignored fault would repeat for ever

  // Restores SIG_DFL: the faulting instruction runs again and ends the process; a signal that was
  // sent is sent again.
  a.label("die").push(rdi).push(r8).movabs(rsi, dataBase + DATA.defaultAction);
  a.xor(edx, edx).mov(r10d, SIGSET_SIZE).mov(eax, SYS_rt_sigaction).syscall();
  a.pop(r8).test(r8d, r8d).jg("die_by_fault");
  a.mov(eax, SYS_getpid).syscall().mov(edi, eax);
  a.mov(eax, SYS_gettid).syscall().mov(esi, eax).mov(rdx, mem(rsp)).mov(eax, SYS_tgkill).syscall();
  a.label("die_by_fault").pop(rdi).ret();

  a.label("call_old").jmp(rax); // same arguments, same return address
}
