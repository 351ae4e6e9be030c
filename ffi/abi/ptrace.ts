/**
 * ptrace(2), and the register structures that it and core dumps use.
 *
 * From linux/ptrace.h, arch/x86/include/uapi/asm/ptrace-abi.h and sys/user.h.
 */

import { layout } from "./layout.ts";

/** Requests. */
export const PTRACE_TRACEME = 0;
export const PTRACE_PEEKTEXT = 1;
export const PTRACE_PEEKDATA = 2;
export const PTRACE_PEEKUSR = 3;
export const PTRACE_POKETEXT = 4;
export const PTRACE_POKEDATA = 5;
export const PTRACE_POKEUSR = 6;
export const PTRACE_CONT = 7;
export const PTRACE_KILL = 8;
export const PTRACE_SINGLESTEP = 9;
export const PTRACE_GETREGS = 0xc;
export const PTRACE_SETREGS = 0xd;
export const PTRACE_GETFPREGS = 0xe;
export const PTRACE_SETFPREGS = 0xf;
export const PTRACE_ATTACH = 0x10;
export const PTRACE_DETACH = 0x11;
export const PTRACE_SYSCALL = 0x18;
export const PTRACE_ARCH_PRCTL = 0x1e;
export const PTRACE_SYSEMU = 0x1f;
export const PTRACE_SYSEMU_SINGLESTEP = 0x20;
export const PTRACE_SETOPTIONS = 0x4200;
export const PTRACE_GETEVENTMSG = 0x4201;
export const PTRACE_GETSIGINFO = 0x4202;
export const PTRACE_SETSIGINFO = 0x4203;
export const PTRACE_GETREGSET = 0x4204;
export const PTRACE_SETREGSET = 0x4205;
export const PTRACE_SEIZE = 0x4206;
export const PTRACE_INTERRUPT = 0x4207;
export const PTRACE_LISTEN = 0x4208;
export const PTRACE_PEEKSIGINFO = 0x4209;
export const PTRACE_GETSIGMASK = 0x420a;
export const PTRACE_SETSIGMASK = 0x420b;
export const PTRACE_SECCOMP_GET_FILTER = 0x420c;
export const PTRACE_SECCOMP_GET_METADATA = 0x420d;
export const PTRACE_GET_SYSCALL_INFO = 0x420e;
export const PTRACE_GET_RSEQ_CONFIGURATION = 0x420f;
export const PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG = 0x4210;
export const PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG = 0x4211;

/** Options and events. */
export const PTRACE_O_TRACESYSGOOD = 1;
export const PTRACE_O_TRACEFORK = 2;
export const PTRACE_O_TRACEVFORK = 4;
export const PTRACE_O_TRACECLONE = 8;
export const PTRACE_O_TRACEEXEC = 0x10;
export const PTRACE_O_TRACEVFORKDONE = 0x20;
export const PTRACE_O_TRACEEXIT = 0x40;
export const PTRACE_O_TRACESECCOMP = 0x80;
export const PTRACE_O_EXITKILL = 0x100000;
export const PTRACE_O_SUSPEND_SECCOMP = 0x200000;
export const PTRACE_O_MASK = 0x3000ff;
export const PTRACE_EVENT_FORK = 1;
export const PTRACE_EVENT_VFORK = 2;
export const PTRACE_EVENT_CLONE = 3;
export const PTRACE_EVENT_EXEC = 4;
export const PTRACE_EVENT_VFORK_DONE = 5;
export const PTRACE_EVENT_EXIT = 6;
export const PTRACE_EVENT_SECCOMP = 7;
export const PTRACE_EVENT_STOP = 0x80;
export const PTRACE_SYSCALL_INFO_NONE = 0;
export const PTRACE_SYSCALL_INFO_ENTRY = 1;
export const PTRACE_SYSCALL_INFO_EXIT = 2;
export const PTRACE_SYSCALL_INFO_SECCOMP = 3;

/** `struct user_regs_struct`, 27 words. */
export const UserRegs = /* @__PURE__ */ layout("user_regs_struct", {
  r15: "u64",
  r14: "u64",
  r13: "u64",
  r12: "u64",
  rbp: "u64",
  rbx: "u64",
  r11: "u64",
  r10: "u64",
  r9: "u64",
  r8: "u64",
  rax: "u64",
  rcx: "u64",
  rdx: "u64",
  rsi: "u64",
  rdi: "u64",
  origRax: "u64",
  rip: "u64",
  cs: "u64",
  eflags: "u64",
  rsp: "u64",
  ss: "u64",
  fsBase: "u64",
  gsBase: "u64",
  ds: "u64",
  es: "u64",
  fs: "u64",
  gs: "u64",
});

/** A kind of register sets of PTRACE_GETREGSET; the others are in elf.ts. */
export const NT_PRFPREG = 2;
export const PTRACE_PEEKSIGINFO_SHARED = 1;

/**
 * `struct ptrace_syscall_info` up to its union, and the union's form for entries with the fields of
 * the other forms.
 */
export const PtraceSyscallInfo = /* @__PURE__ */ layout("ptrace_syscall_info", {
  op: "u8",
  pad: ["u8", 3],
  arch: "u32",
  instructionPointer: "u64",
  stackPointer: "u64",
  nr: "u64",
  args: ["u64", 6],
  retData: "u32",
});

/** Offset of `u_debugreg[0]` in `struct user`, for PEEKUSR and POKEUSR. */
export const USER_DEBUGREG_OFFSET = 848;

/** `struct ptrace_sud_config`: PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG and GET. */
export const PtraceSudConfig = /* @__PURE__ */ layout("ptrace_sud_config", {
  mode: "u64",
  selector: "u64",
  offset: "u64",
  len: "u64",
});

/** `struct ptrace_peeksiginfo_args`. */
export const PtracePeeksiginfoArgs = /* @__PURE__ */ layout("ptrace_peeksiginfo_args", {
  off: "u64",
  flags: "u32",
  nr: "i32",
});
