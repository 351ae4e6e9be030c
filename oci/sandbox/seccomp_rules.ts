/**
 * What the kernel of a sandbox may ask of its host once guests run: data, each line with its reason.
 *
 * The first group is the kernel's own work, the second is what Deno's threads need to stay alive; all else fails with
 * EPERM. There is no open, no exec, no fork, no socket, no mount. Neighbours: seccomp_filter.ts makes a filter of it;
 * net/seccomp_rules.ts has what host networking takes besides.
 */

import { EACCES, ENOSYS } from "../../ffi/abi/errno.ts";
import * as F from "../../ffi/abi/fcntl.ts";
import * as I from "../../ffi/abi/ioctl.ts";
import * as K from "../../ffi/abi/kvm.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import type { PlatformName } from "../../platform/names.ts";

/** The low half of argument `index` must be one of `values`. */
export interface ArgumentTest {
  readonly index: number;
  readonly values: readonly number[];
}

/** Several lines for one call are alternatives. */
export interface SeccompRule {
  readonly nr: number;
  readonly reason: string;
  readonly argument?: ArgumentTest;
  /** All of them must hold. */
  readonly arguments?: readonly ArgumentTest[];
  /** Only on this platform. */
  readonly platform?: PlatformName;
  /** Refused with this errno in place of EPERM. */
  readonly errno?: number;
}

export function rule(nr: number, reason: string, more: Partial<SeccompRule> = {}): SeccompRule {
  return { nr, reason, ...more };
}

const TERMINAL_CALLS = [I.TCGETS, I.TIOCGWINSZ, I.TIOCINQ, I.TIOCOUTQ];
/** What a machine that exists is asked; it gets no more processors. */
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
const FCNTL_CALLS = [F.F_GETFL, F.F_GETFD, F.F_SETFD, F.F_DUPFD_CLOEXEC];

export const SECCOMP_RULES: readonly SeccompRule[] = [
  // Waiting.
  rule(N.SYS_epoll_wait, "the kernel's only place to sleep; Deno's runtime waits so too"),
  rule(N.SYS_epoll_pwait, "the same on other builds of Deno"),
  rule(N.SYS_epoll_pwait2, "sleep until a timer is due"),
  rule(N.SYS_epoll_ctl, "watch a host descriptor of the guest's; a new stub"),
  rule(N.SYS_poll, "ask one host descriptor; wait for the Gofer"),
  rule(N.SYS_futex, "wake stubs and helper threads; locks between Deno's threads"),
  rule(N.SYS_eventfd2, "doorbells"),
  // Data of files: descriptors come from the Gofer or the launcher.
  rule(N.SYS_read, "stdin; eventfds"),
  rule(N.SYS_write, "stdout, stderr, the debug log; eventfds"),
  rule(N.SYS_readv, "stdin into guest memory"),
  rule(N.SYS_writev, "stdout from guest memory; messages from Rust"),
  rule(N.SYS_pread64, "donated files"),
  rule(N.SYS_pwrite64, "donated files"),
  rule(N.SYS_preadv, "donated files into guest memory"),
  rule(N.SYS_pwritev, "donated files from guest memory"),
  rule(N.SYS_preadv2, "the same without waiting for a disk"),
  rule(N.SYS_pwritev2, "the same, to a file's end"),
  rule(N.SYS_lseek, "holes of donated files; positions of stdin and stdout"),
  rule(N.SYS_ftruncate, "donated files"),
  rule(N.SYS_fallocate, "donated files; guest memory is given back"),
  rule(N.SYS_fsync, "donated files"),
  rule(N.SYS_fdatasync, "donated files"),
  rule(N.SYS_sync_file_range, "donated files"),
  rule(N.SYS_fadvise64, "donated files"),
  rule(N.SYS_fstat, "size and type of a donated file"),
  rule(N.SYS_fstatfs, "Deno asks what a descriptor is"),
  rule(N.SYS_close, "a donated file ends"),
  rule(N.SYS_fcntl, "mode of a descriptor; a copy of one", {
    argument: { index: 1, values: FCNTL_CALLS },
  }),
  rule(N.SYS_ioctl, "ask a host terminal; it is never changed", {
    argument: { index: 1, values: TERMINAL_CALLS },
  }),
  rule(N.SYS_ioctl, "run the machine's processors, put one right, give it memory", {
    platform: "kvm",
    argument: { index: 1, values: MACHINE_CALLS },
  }),
  // Other processes of the sandbox.
  rule(N.SYS_recvmsg, "replies of the Gofer; messages of the launcher"),
  rule(N.SYS_recvfrom, "replies of the Gofer"),
  rule(N.SYS_accept4, "a command about the sandbox; its socket is the only one that listens"),
  rule(N.SYS_sendmsg, "donated files to the stubs; messages to the launcher"),
  rule(N.SYS_sendto, "requests to the Gofer"),
  rule(N.SYS_pidfd_open, "a new stub"),
  rule(N.SYS_pidfd_send_signal, "a stub ends"),
  rule(N.SYS_shutdown, "a guest's socket; a donated one"),
  rule(N.SYS_kill, "a stub ends"),
  rule(N.SYS_tgkill, "interrupt a guest thread"),
  rule(N.SYS_wait4, "a stub ended"),
  rule(N.SYS_ptrace, "run guest threads", { platform: "ptrace" }),
  rule(N.SYS_process_vm_readv, "read a stopped thread's instruction", { platform: "ptrace" }),
  // Memory: guest memory's windows, and V8's.
  rule(N.SYS_mmap, "windows on donated files; V8's heap and code"),
  rule(N.SYS_munmap, "windows on donated files; V8's heap"),
  rule(N.SYS_mincore, "which pages of guest memory are there"),
  rule(N.SYS_mprotect, "V8 makes code executable"),
  rule(N.SYS_pkey_mprotect, "the same where V8 uses protection keys"),
  rule(N.SYS_mremap, "realloc"),
  rule(N.SYS_madvise, "V8 and malloc give memory back"),
  rule(N.SYS_brk, "malloc"),
  rule(N.SYS_membarrier, "V8 between its threads"),
  // Deno, V8, libc.
  rule(N.SYS_clock_gettime, "where the vDSO cannot answer; CPU time"),
  rule(N.SYS_gettimeofday, "where the vDSO cannot answer"),
  rule(N.SYS_clock_nanosleep, "V8's and tokio's timed waits"),
  rule(N.SYS_nanosleep, "the same"),
  rule(N.SYS_getrandom, "the guest's randomness; hash seeds"),
  rule(N.SYS_getpid, "libc's abort"),
  rule(N.SYS_gettid, "libc's abort; V8's thread ids"),
  rule(N.SYS_sched_yield, "V8's spin locks"),
  rule(N.SYS_sched_getaffinity, "V8 counts processors"),
  rule(N.SYS_sched_setaffinity, "keep the kernel's own thread off the guest's CPU", {
    argument: { index: 0, values: [0] },
  }),
  rule(N.SYS_getcpu, "which CPU that is"),
  rule(N.SYS_sched_getparam, "V8's locks ask for a thread's priority"),
  rule(N.SYS_sched_getscheduler, "the same"),
  rule(N.SYS_getrusage, "V8's statistics of CPU time"),
  rule(N.SYS_rt_sigaction, "abort restores SIGABRT"),
  rule(N.SYS_rt_sigprocmask, "libc around thread work"),
  rule(N.SYS_rt_sigreturn, "return from the fault and signal handlers"),
  rule(N.SYS_sigaltstack, "Rust when a thread ends"),
  rule(N.SYS_restart_syscall, "a wait that a stop signal interrupted"),
  rule(N.SYS_set_robust_list, "libc when a thread starts"),
  rule(N.SYS_rseq, "libc when a thread starts or ends"),
  rule(N.SYS_exit, "a thread of Deno's ends"),
  rule(N.SYS_exit_group, "the end"),
  // Refused, but not with EPERM, which the callers would not take for an answer.
  rule(N.SYS_clone3, "libc falls back to clone, which is EPERM: no thread", { errno: ENOSYS }),
  rule(N.SYS_openat, "Deno looks for files that may not be there", { errno: EACCES }),
];
