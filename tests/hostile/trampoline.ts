/**
 * Machine code for the hostile guests: loads any registers and jumps anywhere, comes back from
 * wherever a signal finds it, and scribbles over memory as fast as it can. A guest maps the data
 * page and the code page at fixed low addresses; `guests/hostile.py` is the other side of this
 * contract.
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import {
  eax,
  r10,
  r11,
  r12,
  r13,
  r14,
  r15,
  r8,
  r9,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../../ffi/asm/registers.ts";
import { Sigcontext, Ucontext } from "../../ffi/abi/ucontext.ts";

const DATA_AT = 0x70000000;
const CODE_AT = 0x70001000;

/** The data page: where to jump, the way back, a count of signals, the registers to load. */
const TARGET = DATA_AT, SAVED = DATA_AT + 8, CAUGHT = DATA_AT + 16, REGISTERS = DATA_AT + 64;

const LOADED = [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15];
const KEPT = [rbx, rbp, r12, r13, r14, r15];

/** Offsets of the entries in the code, by name, and the code in hexadecimal. */
export function trampoline(): Record<string, string> {
  const a = new Assembler();
  // enter(): registers from the data page, then away; ends when a signal comes.
  a.label("enter");
  for (const register of KEPT) a.push(register);
  a.mov(mem(null, SAVED), rsp);
  LOADED.forEach((register, i) => a.mov(register, mem(null, REGISTERS + 8 * i)));
  a.jmp(mem(null, TARGET));
  a.label("recover").cld().mov(rsp, mem(null, SAVED));
  for (const register of [...KEPT].reverse()) a.pop(register);
  a.ret();
  // handler(signo, info, ucontext): goes on at "recover".
  a.label("handler").lock().inc(mem(null, CAUGHT), 8);
  a.movabs(rax, { label: "recover" });
  a.mov(mem(rdx, Ucontext.at.mcontext + Sigcontext.at.rip), rax).ret();
  // scribble(address, length, value, count): writes bytes again and again.
  a.label("scribble").push(rbx).push(rbp).push(r12).push(r13).push(r14).push(r15);
  a.mov(mem(null, SAVED), rsp);
  a.mov(rbx, rdi).mov(r12, rsi).mov(r13, rdx).mov(r14, rcx);
  a.label("again").mov(rdi, rbx).mov(rcx, r12).mov(rax, r13).cld().repStosb();
  a.dec(r14).jne("again").jmp("recover");
  // calls(count): getpid on a site that can be patched.
  a.label("calls").mov(r10, rdi);
  a.label("call").mov(eax, 39).syscall().dec(r10).jne("call").ret();
  // gs(): where the base of gs is.
  a.label("gs").rdgsbase(rax).ret();
  const code = a.assemble(CODE_AT);
  const out: Record<string, string> = {
    code: [...code].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
  for (const name of ["enter", "handler", "scribble", "calls", "gs"]) {
    out[name] = String(CODE_AT + a.offsetOf(name));
  }
  return out;
}
