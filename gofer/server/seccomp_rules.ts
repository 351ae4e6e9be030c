// What the confined Gofer may still ask of its host: data, each line with its reason. Everything else is EPERM.
//
// seccomp.ts turns it into a filter. The first group is the Gofer's own work; the second is what Deno's threads need to
// stay alive. There is no execve, no fork, no socket, no mount, no ptrace, no kill, no ioctl.

import * as N from "../../ffi/abi/syscall_numbers.ts";

export interface SeccompRule {
  readonly nr: number;
  readonly reason: string;
}

function rule(nr: number, reason: string): SeccompRule {
  return { nr, reason };
}

const SOCKET = rule(N.SYS_socket, "a socket to connect or to bind");

/**
 * Besides, where clients may connect to sockets or make some. The network namespace is the Gofer's own and empty.
 */
export function socketRules(roots: readonly SocketUse[]): readonly SeccompRule[] {
  const rules: SeccompRule[] = [];
  if (roots.some((root) => root.connects)) {
    rules.push(SOCKET, rule(N.SYS_connect, "to a UNIX socket that a descriptor holds"));
  }
  if (roots.some((root) => root.binds)) {
    rules.push(SOCKET, rule(N.SYS_bind, "a name in a directory that a descriptor holds"));
    rules.push(rule(N.SYS_listen, "clients accept what connects"));
  }
  return [...new Set(rules)];
}

/** Of an exported directory. */
interface SocketUse {
  readonly connects: boolean;
  readonly binds: boolean;
}

export const SECCOMP_RULES: readonly SeccompRule[] = [
  // Talking to clients.
  rule(N.SYS_recvfrom, "requests come in"),
  rule(N.SYS_recvmsg, "a client and a server in one process, in tests"),
  rule(N.SYS_sendto, "replies go out"),
  rule(N.SYS_sendmsg, "replies with donated descriptors go out"),
  rule(N.SYS_poll, "wait for the only client"),
  rule(N.SYS_epoll_wait, "wait for several clients; Deno's runtime waits so too"),
  rule(N.SYS_epoll_pwait, "the same on other builds of Deno"),
  rule(N.SYS_epoll_ctl, "watch a new client"),
  rule(N.SYS_accept4, "take a new client; the listening socket was made before"),
  rule(N.SYS_setsockopt, "TCP_NODELAY and keep-alive of a new client"),
  // Files beneath the roots, all through descriptors held open.
  rule(N.SYS_openat, "open what a descriptor holds, through /proc/self/fd"),
  rule(N.SYS_openat2, "walk one name with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS"),
  rule(N.SYS_close, "a fid ends"),
  rule(N.SYS_fcntl, "copy a descriptor; record locks"),
  rule(N.SYS_statx, "attributes"),
  rule(N.SYS_fstatfs, "Tstatfs"),
  rule(N.SYS_readlinkat, "targets of symlinks"),
  rule(N.SYS_getdents64, "Treaddir"),
  rule(N.SYS_lseek, "Treaddir from a cookie"),
  rule(N.SYS_pread64, "Tread; Deno reads its own files so"),
  rule(N.SYS_pwrite64, "Twrite"),
  rule(N.SYS_fsync, "Tfsync"),
  rule(N.SYS_fdatasync, "Tfsync of the data alone"),
  rule(N.SYS_ftruncate, "Tsetattr of the size"),
  rule(N.SYS_fchmodat, "Tsetattr of the mode; modes of new files"),
  rule(N.SYS_fchownat, "Tsetattr of the owner; owners of new files"),
  rule(N.SYS_utimensat, "Tsetattr of times"),
  rule(N.SYS_mkdirat, "Tmkdir"),
  rule(N.SYS_mknodat, "Tmknod"),
  rule(N.SYS_symlinkat, "Tsymlink"),
  rule(N.SYS_linkat, "Tlink"),
  rule(N.SYS_unlinkat, "Tunlinkat, Tremove; the listening socket's name at the end"),
  rule(N.SYS_renameat2, "Trenameat, Trename"),
  rule(N.SYS_getxattr, "extended attributes, by a path in /proc/self/fd"),
  rule(N.SYS_setxattr, "extended attributes"),
  rule(N.SYS_listxattr, "extended attributes"),
  rule(N.SYS_llistxattr, "extended attributes of what is in a directory, for Tscan"),
  rule(N.SYS_removexattr, "extended attributes"),
  // Deno, V8, libc.
  rule(N.SYS_read, "eventfds of signals and of Deno's runtime"),
  rule(N.SYS_write, "messages on stderr; wake-ups by eventfd"),
  rule(N.SYS_writev, "messages on stderr from Rust"),
  rule(N.SYS_futex, "locks between Deno's threads"),
  rule(N.SYS_mmap, "V8's heap and code"),
  rule(N.SYS_munmap, "V8's heap"),
  rule(N.SYS_mprotect, "V8 makes code executable"),
  rule(N.SYS_pkey_mprotect, "the same where V8 uses protection keys"),
  rule(N.SYS_mremap, "realloc"),
  rule(N.SYS_madvise, "V8 and malloc give memory back"),
  rule(N.SYS_brk, "malloc"),
  rule(N.SYS_membarrier, "V8 between its threads"),
  rule(N.SYS_rt_sigaction, "abort restores SIGABRT"),
  rule(N.SYS_rt_sigprocmask, "libc around thread work"),
  rule(N.SYS_rt_sigreturn, "return from the fault and signal handlers"),
  rule(N.SYS_sigaltstack, "Rust when a thread ends"),
  // A thread that Deno made before the filter may begin behind it: without these two libc ends the process.
  rule(N.SYS_rseq, "libc when a thread begins"),
  rule(N.SYS_set_robust_list, "libc when a thread begins"),
  rule(N.SYS_gettid, "libc's abort, V8's thread ids"),
  rule(N.SYS_getpid, "libc's abort"),
  rule(N.SYS_tgkill, "libc's abort signals its own thread"),
  rule(N.SYS_getrandom, "hash seeds"),
  rule(N.SYS_clock_gettime, "where the vDSO cannot answer"),
  rule(N.SYS_gettimeofday, "the same"),
  rule(N.SYS_clock_nanosleep, "V8's and tokio's timed waits"),
  rule(N.SYS_nanosleep, "the same"),
  rule(N.SYS_sched_yield, "spin locks"),
  rule(N.SYS_sched_getaffinity, "V8 counts CPUs"),
  rule(N.SYS_sched_getparam, "V8's locks ask for a thread's priority"),
  rule(N.SYS_sched_getscheduler, "the same"),
  rule(N.SYS_restart_syscall, "a stopped and continued wait"),
  rule(N.SYS_exit, "a thread ends"),
  rule(N.SYS_exit_group, "the Gofer ends"),
];
