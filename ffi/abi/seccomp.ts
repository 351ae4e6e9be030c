/**
 * seccomp(2), and the classic BPF of its filters.
 *
 * From linux/seccomp.h, linux/filter.h, linux/bpf_common.h and linux/audit.h. ffi/asm/bpf.ts builds
 * programs.
 */

import { layout } from "./layout.ts";

/** Modes, operations, flags. */
export const SECCOMP_MODE_DISABLED = 0;
export const SECCOMP_MODE_STRICT = 1;
export const SECCOMP_MODE_FILTER = 2;
export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_GET_NOTIF_SIZES = 3;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
export const SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 0x10;
export const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 0x20;
export const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
export const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1;
export const SECCOMP_ADDFD_FLAG_SETFD = 1;
export const SECCOMP_ADDFD_FLAG_SEND = 2;

/** ioctls of a listener. The size in ADDFD's number may grow: its struct is extensible. */
export const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;
export const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102;
export const SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103;
export const SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104;

/** Verdicts. */
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
export const SECCOMP_RET_ACTION_FULL = 0xffff0000;
export const SECCOMP_RET_DATA = 0xffff;

/** Architectures as seccomp and ptrace name them. */
export const AUDIT_ARCH_X86_64 = 0xc000003e;
export const AUDIT_ARCH_I386 = 0x40000003;

/** Instruction codes. */
export const BPF_LD = 0;
export const BPF_LDX = 1;
export const BPF_ST = 2;
export const BPF_STX = 3;
export const BPF_ALU = 4;
export const BPF_JMP = 5;
export const BPF_RET = 6;
export const BPF_MISC = 7;
export const BPF_W = 0;
export const BPF_H = 8;
export const BPF_B = 0x10;
export const BPF_IMM = 0;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_ADD = 0;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_XOR = 0xa0;
export const BPF_JA = 0;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_K = 0;
export const BPF_X = 8;
export const BPF_A = 0x10;
export const BPF_TAX = 0;
export const BPF_TXA = 0x80;
export const BPF_MAXINSNS = 0x1000;

/** `struct seccomp_data`, the input of a filter. */
export const SeccompData = /* @__PURE__ */ layout("seccomp_data", {
  nr: "i32",
  arch: "u32",
  instructionPointer: "u64",
  args: ["u64", 6],
});

/** `struct seccomp_notif`, which SECCOMP_IOCTL_NOTIF_RECV fills. */
export const SeccompNotif = /* @__PURE__ */ layout("seccomp_notif", {
  id: "u64",
  pid: "u32",
  flags: "u32",
  data: SeccompData,
});

/** `struct seccomp_notif_resp`: the answer. */
export const SeccompNotifResp = /* @__PURE__ */ layout("seccomp_notif_resp", {
  id: "u64",
  val: "i64",
  error: "i32",
  flags: "u32",
});

/** `struct seccomp_notif_addfd`. */
export const SeccompNotifAddfd = /* @__PURE__ */ layout("seccomp_notif_addfd", {
  id: "u64",
  flags: "u32",
  srcfd: "u32",
  newfd: "u32",
  newfdFlags: "u32",
});

/** `struct seccomp_notif_sizes`. */
export const SeccompNotifSizes = /* @__PURE__ */ layout("seccomp_notif_sizes", {
  seccompNotif: "u16",
  seccompNotifResp: "u16",
  seccompData: "u16",
});

/** `struct sock_filter`. */
export const SockFilter = /* @__PURE__ */ layout("sock_filter", {
  code: "u16",
  jt: "u8",
  jf: "u8",
  k: "u32",
});

/** `struct sock_fprog`; `len` counts instructions. */
export const SockFprog = /* @__PURE__ */ layout("sock_fprog", { len: "u16", filter: "ptr" });
