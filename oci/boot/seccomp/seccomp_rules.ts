/**
 * The system calls that the boot process may make once guests run: data, each line with its reason.
 *
 * ffi/sys/runtime_calls.ts has the calls that Deno's threads need; every other call fails with
 * EPERM. There is no open, no exec, no fork, no socket, no mount. A rule without tests is for a
 * call whose arguments are a descriptor, a length or an address. Neighbours: seccomp_filter.ts
 * builds the filter; network_rules.ts has the calls of host networking.
 */

import { EACCES, ENOSYS } from "../../../ffi/abi/errno.ts";
import * as F from "../../../ffi/abi/fcntl.ts";
import * as I from "../../../ffi/abi/ioctl.ts";
import * as K from "../../../ffi/abi/kvm.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { SIGCHLD, SIGKILL, SIGURG, SIGUSR2 } from "../../../ffi/abi/signal.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../../ffi/abi/socket.ts";
import * as N from "../../../ffi/abi/syscall_numbers.ts";
import { __WALL, __WNOTHREAD, WNOHANG } from "../../../ffi/abi/wait.ts";
import { type CallRule, noFlagsBut, oneOf } from "../../../ffi/asm/call_filter.ts";
import {
  FUTEX_OPERATIONS,
  noExec,
  OWN_SIGNALS,
  RUNTIME_CALLS,
} from "../../../ffi/sys/runtime_calls.ts";
import type { PlatformName } from "../../../platform/select/candidates.ts";

export interface SeccompRule extends CallRule {
  /** Only on this platform. */
  readonly platform?: PlatformName;
}

export function rule(nr: number, reason: string, more: Partial<SeccompRule> = {}): SeccompRule {
  return { nr, reason, ...more };
}

const TERMINAL_CALLS = [I.TCGETS, I.TIOCGWINSZ, I.TIOCINQ, I.TIOCOUTQ];
/** Ioctls of a KVM machine that exists; no vCPU is added. */
const MACHINE_CALLS = [
  K.KVM_RUN,
  K.KVM_GET_XSAVE,
  K.KVM_SET_XSAVE,
  K.KVM_SET_USER_MEMORY_REGION,
  K.KVM_GET_SREGS,
  K.KVM_SET_SREGS,
  K.KVM_SET_MSRS,
  K.KVM_SET_XCRS,
];
/** Requests to a stopped tracee. No attaching: the stub's threads arrive by PTRACE_O_TRACECLONE. */
const TRACE_CALLS = [
  P.PTRACE_SYSEMU,
  P.PTRACE_CONT,
  P.PTRACE_GETREGS,
  P.PTRACE_SETREGS,
  P.PTRACE_GETREGSET,
  P.PTRACE_SETREGSET,
  P.PTRACE_SETSIGMASK,
  P.PTRACE_SETOPTIONS,
  P.PTRACE_POKEUSR,
  P.PTRACE_PEEKDATA,
  P.PTRACE_GET_SYSCALL_INFO,
  P.PTRACE_GETSIGINFO,
];
const FCNTL_CALLS = [F.F_GETFL, F.F_GETFD, F.F_SETFD, F.F_DUPFD_CLOEXEC];
/** No address: only to the peer of a connected socket. */
const NO_ADDRESS = oneOf(4, 0);

/** Signals to a thread: the platform's kick, and the abort of this process. */
function threadSignals(platform: PlatformName, kick: number): SeccompRule {
  return rule(N.SYS_tgkill, "interrupt a guest thread; libc's abort", {
    platform,
    tests: [oneOf(2, kick, ...OWN_SIGNALS)],
  });
}

export const SECCOMP_RULES: readonly SeccompRule[] = [
  // Waiting.
  rule(N.SYS_epoll_wait, "the kernel's only place to sleep; Deno's runtime waits so too"),
  rule(N.SYS_epoll_pwait2, "sleep until a timer is due"),
  rule(N.SYS_futex, "wake stubs and helper threads; locks between Deno's threads", {
    tests: [FUTEX_OPERATIONS],
  }),
  rule(N.SYS_sched_setaffinity, "keep the kernel's own thread off the guest's CPU", {
    tests: [oneOf(0, 0)],
  }),
  rule(N.SYS_getcpu, "which CPU that is"),
  rule(N.SYS_epoll_ctl, "watch a host descriptor of the guest's; a new stub"),
  rule(N.SYS_poll, "ask one host descriptor; wait for the Gofer", { tests: [oneOf(1, 1)] }),
  // Data of files, whose descriptors come from the Gofer or the launcher.
  rule(N.SYS_read, "stdin; eventfds"),
  rule(N.SYS_write, "stdout, stderr, the debug log; eventfds"),
  rule(N.SYS_readv, "stdin into guest memory"),
  rule(N.SYS_writev, "stdout from guest memory; messages from Rust"),
  rule(N.SYS_pread64, "donated files"),
  rule(N.SYS_pwrite64, "donated files"),
  rule(N.SYS_preadv, "donated files into guest memory"),
  rule(N.SYS_pwritev, "donated files from guest memory"),
  rule(N.SYS_lseek, "holes of donated files; positions of stdin and stdout"),
  rule(N.SYS_mincore, "which pages of guest memory are there"),
  rule(N.SYS_ftruncate, "donated files"),
  rule(N.SYS_fallocate, "donated files; guest memory is given back"),
  rule(N.SYS_fsync, "donated files"),
  rule(N.SYS_fdatasync, "donated files"),
  rule(N.SYS_fstat, "size and type of a donated file"),
  rule(N.SYS_fstatfs, "whether a donated file may be executed", { platform: "kvm" }),
  rule(N.SYS_close, "a donated file ends"),
  rule(N.SYS_fcntl, "mode of a descriptor; a copy of one", { tests: [oneOf(1, ...FCNTL_CALLS)] }),
  rule(N.SYS_ioctl, "ask a host terminal; it is never changed", {
    tests: [oneOf(1, ...TERMINAL_CALLS)],
  }),
  rule(N.SYS_ioctl, "run the machine's processors, put one right, give it memory", {
    platform: "kvm",
    tests: [oneOf(1, ...MACHINE_CALLS)],
  }),
  // Messages to other processes of the sandbox.
  rule(N.SYS_recvmsg, "replies of the Gofer; messages of the launcher"),
  rule(N.SYS_recvfrom, "replies of the Gofer", { tests: [NO_ADDRESS] }),
  rule(N.SYS_accept4, "a command about the sandbox; its socket is the only one that listens", {
    tests: [oneOf(1, 0), oneOf(3, SOCK_CLOEXEC | SOCK_NONBLOCK)],
  }),
  rule(N.SYS_sendmsg, "donated files to the stubs; messages to the launcher"),
  rule(N.SYS_sendto, "requests to the Gofer", { tests: [NO_ADDRESS] }),
  rule(N.SYS_pidfd_open, "a new stub", { tests: [oneOf(1, 0)] }),
  rule(N.SYS_pidfd_send_signal, "a stub ends", { tests: [oneOf(1, SIGKILL)] }),
  rule(N.SYS_shutdown, "a guest's socket; a donated one"),
  rule(N.SYS_kill, "a stub ends", { tests: [oneOf(1, SIGKILL)] }),
  threadSignals("systrap", SIGURG),
  threadSignals("kvm", SIGURG),
  threadSignals("ptrace", SIGUSR2),
  rule(N.SYS_wait4, "a stub ended", { tests: [noFlagsBut(2, WNOHANG | __WALL | __WNOTHREAD)] }),
  rule(N.SYS_ptrace, "run guest threads", {
    platform: "ptrace",
    tests: [oneOf(0, ...TRACE_CALLS)],
  }),
  rule(N.SYS_rt_sigaction, "stopped threads ring the doorbell while the kernel sleeps", {
    platform: "ptrace",
    tests: [oneOf(0, SIGCHLD)],
  }),
  rule(N.SYS_process_vm_readv, "read a stopped thread's instruction", { platform: "ptrace" }),
  // Memory.
  rule(N.SYS_mmap, "windows on donated files and on guest memory; V8's heap", {
    tests: [noExec(2)],
  }),
  rule(N.SYS_clock_gettime, "where the vDSO cannot answer; CPU time"),
  ...RUNTIME_CALLS,
  // Refused with another errno than EPERM, so that the callers fall back to an older call.
  rule(N.SYS_clone3, "libc falls back to clone, which is EPERM: no thread", { errno: ENOSYS }),
  rule(N.SYS_openat, "Deno looks for files that may not be there", { errno: EACCES }),
];
