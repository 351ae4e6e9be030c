/**
 * The signal frame: `struct ucontext`, `struct sigcontext` and the FPU state behind it.
 *
 * From asm-generic/ucontext.h and arch/x86/include/uapi/asm/sigcontext.h. A frame on the stack is:
 * return address, ucontext, siginfo, and the XSAVE area (64-byte aligned) higher up.
 */

import { layout } from "./layout.ts";

/** `uc_flags`; marks of an XSAVE frame. */
export const UC_FP_XSTATE = 1;
export const UC_SIGCONTEXT_SS = 2;
export const UC_STRICT_RESTORE_SS = 4;
export const FP_XSTATE_MAGIC1 = 0x46505853;
export const FP_XSTATE_MAGIC2 = 0x46505845;
export const FP_XSTATE_MAGIC2_SIZE = 4;

/** `struct sigcontext` (x86-64), 256 bytes. */
export const Sigcontext = /* @__PURE__ */ layout("sigcontext", {
  r8: "u64",
  r9: "u64",
  r10: "u64",
  r11: "u64",
  r12: "u64",
  r13: "u64",
  r14: "u64",
  r15: "u64",
  rdi: "u64",
  rsi: "u64",
  rbp: "u64",
  rbx: "u64",
  rdx: "u64",
  rax: "u64",
  rcx: "u64",
  rsp: "u64",
  rip: "u64",
  eflags: "u64",
  cs: "u16",
  gs: "u16",
  fs: "u16",
  ss: "u16",
  err: "u64",
  trapno: "u64",
  oldmask: "u64",
  cr2: "u64",
  fpstate: "ptr",
  reserved1: ["u64", 8],
});

/** The kernel's `struct ucontext`: 304 bytes, an 8-byte signal mask. `mcontext` is a sigcontext. */
export const Ucontext = /* @__PURE__ */ layout("ucontext", {
  flags: "u64",
  link: "ptr",
  stackSp: "ptr",
  stackFlags: "i32",
  stackSize: "u64",
  mcontext: Sigcontext,
  sigmask: "u64",
});

/** `struct _fpx_sw_bytes`: bytes 464 to 511 of the FXSAVE area in a signal frame. */
export const FpxSwBytes = /* @__PURE__ */ layout("_fpx_sw_bytes", {
  magic1: "u32",
  extendedSize: "u32",
  xfeatures: "u64",
  xstateSize: "u32",
  padding: ["u32", 7],
});

/** `struct _fpstate`: the FXSAVE area, 512 bytes. */
export const Fpstate = /* @__PURE__ */ layout("_fpstate", {
  cwd: "u16",
  swd: "u16",
  twd: "u16",
  fop: "u16",
  rip: "u64",
  rdp: "u64",
  mxcsr: "u32",
  mxcsrMask: "u32",
  stSpace: ["u32", 32],
  xmmSpace: ["u32", 64],
  reserved2: ["u32", 12],
  swReserved: FpxSwBytes,
});

/** `struct _header`: the XSAVE header behind the FXSAVE area, 64 bytes. */
export const XsaveHeader = /* @__PURE__ */ layout("_header", {
  xfeatures: "u64",
  reserved1: ["u64", 2],
  reserved2: ["u64", 5],
});

/** `trapno` of a fault: the vector numbers of x86. */
export const X86_TRAP_DE = 0;
export const X86_TRAP_DB = 1;
export const X86_TRAP_BP = 3;
export const X86_TRAP_OF = 4;
export const X86_TRAP_BR = 5;
export const X86_TRAP_UD = 6;
export const X86_TRAP_NM = 7;
export const X86_TRAP_DF = 8;
export const X86_TRAP_TS = 10;
export const X86_TRAP_NP = 11;
export const X86_TRAP_SS = 12;
export const X86_TRAP_GP = 13;
export const X86_TRAP_PF = 14;
export const X86_TRAP_MF = 16;
export const X86_TRAP_AC = 17;
export const X86_TRAP_XF = 19;

/** Bits of `err` for a page fault (X86_TRAP_PF). */
export const X86_PF_PROT = 1;
export const X86_PF_WRITE = 2;
export const X86_PF_USER = 4;
export const X86_PF_INSTR = 16;
export const X86_PF_PK = 32;
