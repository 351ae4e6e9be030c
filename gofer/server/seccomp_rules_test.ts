/** The verdicts of the Gofer's filter, computed without installing it. */

import { assert, assertEquals } from "@std/assert";
import * as F from "../../ffi/abi/fcntl.ts";
import * as X from "../../ffi/abi/futex.ts";
import * as M from "../../ffi/abi/mman.ts";
import * as S from "../../ffi/abi/socket.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFREG, S_IFSOCK } from "../../ffi/abi/stat.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { assembleCallFilter } from "../../ffi/asm/call_filter.ts";
import { verdict } from "../../ffi/asm/call_filter_testing.ts";
import { type Confined, seccompRules } from "./seccomp_rules.ts";

const PROC = 9, PID = 7, AT_CWD = -100 >>> 0, ANY = 0x1234;
const SERVING: Confined = {
  procFd: PROC,
  pid: PID,
  hasOpenat2: true,
  listens: false,
  makesDevices: false,
  roots: [{ connects: false, binds: false }],
};

function filterOf(more: Partial<Confined> = {}): (nr: number, ...args: number[]) => boolean {
  const program = assembleCallFilter(seccompRules({ ...SERVING, ...more }));
  return (nr, ...args) => verdict(program, nr, ...args);
}

const passes = filterOf();

/**
 * Calls that pass with any argument: descriptors, names, lengths, addresses, which a filter cannot
 * test.
 */
const UNTESTED = `
brk clock_gettime clock_nanosleep close epoll_wait exit exit_group fdatasync
fstatfs fsync ftruncate getdents64 getpid getrandom gettid gettimeofday getxattr
listxattr llistxattr mkdirat munmap nanosleep pread64 pwrite64 read readlinkat
removexattr restart_syscall rseq rt_sigprocmask rt_sigreturn sched_getaffinity
sched_getparam sched_getscheduler sched_yield set_robust_list sigaltstack
symlinkat write writev
`;

Deno.test("calls without a test of their arguments are those that have nothing to test", () => {
  const rules = seccompRules(SERVING);
  for (const rule of rules) assert(rule.reason.length > 3, N.NAMES[rule.nr]);
  const untested = rules.filter((rule) => (rule.tests ?? []).length === 0);
  assertEquals(untested.map((rule) => N.NAMES[rule.nr]).toSorted(), UNTESTED.trim().split(/\s+/));
});

Deno.test("no program starts, no socket opens, nothing is mounted or traced", () => {
  const never = [
    N.SYS_execve,
    N.SYS_execveat,
    N.SYS_fork,
    N.SYS_vfork,
    N.SYS_clone,
    N.SYS_clone3,
    N.SYS_socket,
    N.SYS_connect,
    N.SYS_accept4,
    N.SYS_setsockopt,
    N.SYS_recvmsg,
    N.SYS_ptrace,
    N.SYS_mount,
    N.SYS_open_tree,
    N.SYS_chroot,
    N.SYS_fchdir,
    N.SYS_kill,
    N.SYS_ioctl,
    N.SYS_prctl,
    N.SYS_setuid,
    N.SYS_process_vm_writev,
    N.SYS_bpf,
    N.SYS_unshare,
    N.SYS_setns,
    N.SYS_io_uring_setup,
    N.SYS_open_by_handle_at,
    N.SYS_memfd_create,
  ];
  for (const nr of never) assertEquals(passes(nr), false, N.NAMES[nr]);
});

Deno.test("files open by the descriptor that holds them, and by openat2", () => {
  const openat = (dir: number, flags: number) => passes(N.SYS_openat, dir, ANY, flags, 0);
  assertEquals(openat(PROC, F.O_RDWR | F.O_CLOEXEC), true);
  assertEquals(openat(PROC, F.O_TMPFILE | F.O_RDWR | F.O_EXCL | F.O_CLOEXEC), true);
  assertEquals(openat(PROC, F.O_RDWR), false, "without O_CLOEXEC");
  assertEquals(openat(PROC, F.O_CREAT | F.O_WRONLY | F.O_CLOEXEC), false, "O_CREAT");
  assertEquals(openat(AT_CWD, F.O_CLOEXEC), false);
  assertEquals(openat(PROC + 1, F.O_CLOEXEC), false);
  assertEquals(passes(N.SYS_openat2, 3, ANY, ANY, 24), true);
  for (const size of [0, 16, 23, 32, 4096]) {
    assertEquals(passes(N.SYS_openat2, 3, ANY, ANY, size), false, `open_how of ${size}`);
  }
  const old = filterOf({ hasOpenat2: false });
  assertEquals(old(N.SYS_openat, 3, ANY, F.O_PATH | F.O_CLOEXEC | F.O_NOFOLLOW), true);
  assertEquals(old(N.SYS_openat, 3, ANY, F.O_PATH | F.O_CLOEXEC), false, "a link is followed");
});

Deno.test("flags and commands are those that are in use", () => {
  const statx = (flags: number) => passes(N.SYS_statx, 3, ANY, flags, ANY, ANY);
  assertEquals(statx(F.AT_SYMLINK_NOFOLLOW | F.AT_NO_AUTOMOUNT | F.AT_EMPTY_PATH), true);
  assertEquals([statx(0), statx(F.AT_EMPTY_PATH)], [false, false]);
  for (let command = 0; command < 2048; command++) {
    const isUsed = [F.F_DUPFD_CLOEXEC, F.F_OFD_SETLK, F.F_OFD_GETLK].includes(command);
    assertEquals(passes(N.SYS_fcntl, 3, command), isUsed, `fcntl ${command}`);
  }
  assertEquals(passes(N.SYS_lseek, 3, 0, 1), true);
  assertEquals(passes(N.SYS_lseek, 3, 0, 4), false);
  assertEquals(passes(N.SYS_fchownat, 3, ANY, 0, 0, F.AT_EMPTY_PATH), true);
  assertEquals(passes(N.SYS_fchownat, 3, ANY, 0, 0, 0), false, "by a name that could change");
  assertEquals(passes(N.SYS_linkat, PROC, ANY, 4, ANY, F.AT_SYMLINK_FOLLOW), true);
  assertEquals(passes(N.SYS_linkat, 4, ANY, 4, ANY, F.AT_SYMLINK_FOLLOW), false);
  assertEquals(passes(N.SYS_linkat, PROC, ANY, 4, ANY, 0), false);
  assertEquals(passes(N.SYS_fchmodat, PROC, ANY), true);
  assertEquals(passes(N.SYS_fchmodat, AT_CWD, ANY), false);
  assertEquals(passes(N.SYS_utimensat, PROC, ANY, ANY, 0), true);
  assertEquals(passes(N.SYS_utimensat, PROC, ANY, ANY, F.AT_SYMLINK_NOFOLLOW), false);
  assertEquals(passes(N.SYS_unlinkat, 3, ANY, F.AT_REMOVEDIR), true);
  assertEquals(passes(N.SYS_unlinkat, 3, ANY, 1), false);
  assertEquals(passes(N.SYS_renameat2, 3, ANY, 4, ANY, F.RENAME_EXCHANGE), true);
  assertEquals(passes(N.SYS_renameat2, 3, ANY, 4, ANY, 8), false);
  assertEquals(passes(N.SYS_setxattr, ANY, ANY, ANY, 1, 4), false);
});

Deno.test("device nodes are made where the policy has them, the mark of overlayfs always", () => {
  const withDevices = filterOf({ makesDevices: true });
  for (const type of [S_IFREG, S_IFIFO, S_IFSOCK]) {
    assertEquals(passes(N.SYS_mknodat, 3, ANY, type | 0o644, 0), true);
  }
  assertEquals(passes(N.SYS_mknodat, 3, ANY, S_IFCHR | 0o600, 0), true);
  for (const [type, device] of [[S_IFCHR, 0x103], [S_IFBLK, 0], [S_IFBLK, 0x800]] as const) {
    assertEquals(passes(N.SYS_mknodat, 3, ANY, type | 0o600, device), false);
    assertEquals(withDevices(N.SYS_mknodat, 3, ANY, type | 0o600, device), true);
  }
});

Deno.test("memory is anonymous and never executable", () => {
  const heap = M.MAP_PRIVATE | M.MAP_ANONYMOUS, writable = M.PROT_READ | M.PROT_WRITE;
  const mmap = (prot: number, flags: number) => passes(N.SYS_mmap, 0, 4096, prot, flags, -1, 0);
  assertEquals(mmap(writable, heap), true);
  assertEquals(mmap(M.PROT_NONE, heap | M.MAP_FIXED | M.MAP_NORESERVE), true);
  assertEquals(mmap(writable, M.MAP_PRIVATE), false, "a file");
  assertEquals(mmap(writable, M.MAP_SHARED | M.MAP_ANONYMOUS), false);
  assertEquals(mmap(M.PROT_READ | M.PROT_EXEC, heap), false);
  assertEquals(passes(N.SYS_mprotect, ANY, 4096, M.PROT_READ), true);
  assertEquals(passes(N.SYS_mprotect, ANY, 4096, M.PROT_READ | M.PROT_EXEC), false);
  assertEquals(passes(N.SYS_pkey_mprotect, ANY, 4096, M.PROT_EXEC, -1), false);
  assertEquals(passes(N.SYS_pkey_mprotect, ANY, 4096, M.PROT_EXEC, 0), false);
  assertEquals(passes(N.SYS_mremap, ANY, 1, 1, M.MREMAP_MAYMOVE | M.MREMAP_FIXED), false);
  const advices = [4, 8, 10, 11, 14, 15, 16, 17];
  for (let advice = 0; advice < 110; advice++) {
    assertEquals(passes(N.SYS_madvise, ANY, 1, advice), advices.includes(advice), `${advice}`);
  }
});

Deno.test("futexes wait and wake; signals go to this process, to end it", () => {
  for (let operation = 0; operation < 16; operation++) {
    const isUsed = [X.FUTEX_WAIT, X.FUTEX_WAKE, X.FUTEX_WAIT_BITSET, X.FUTEX_WAKE_BITSET];
    for (const flags of [0, X.FUTEX_PRIVATE_FLAG, X.FUTEX_CLOCK_REALTIME]) {
      const found = passes(N.SYS_futex, ANY, operation | flags);
      assertEquals(found, isUsed.includes(operation), `futex ${operation}`);
    }
  }
  assertEquals(passes(N.SYS_tgkill, PID, 8, 6), true);
  assertEquals(passes(N.SYS_tgkill, PID + 1, 8, 6), false);
  assertEquals(passes(N.SYS_tgkill, PID, 8, 9), false);
});

Deno.test("a connection is answered without addresses, and only a listener takes clients", () => {
  const receive = (flags: number, address: number) =>
    passes(N.SYS_recvfrom, 3, ANY, 1, flags, address);
  assertEquals([receive(0, 0), receive(S.MSG_DONTWAIT, 0)], [true, true]);
  assertEquals([receive(0, ANY), receive(S.MSG_PEEK, 0)], [false, false]);
  const send = (flags: number, address: number) =>
    passes(N.SYS_sendto, 3, ANY, 1, flags, address, 0);
  assertEquals(send(S.MSG_NOSIGNAL | S.MSG_DONTWAIT, 0), true);
  assertEquals([send(0, 0), send(S.MSG_NOSIGNAL, ANY)], [false, false]);
  assertEquals(passes(N.SYS_sendmsg, 3, ANY, S.MSG_NOSIGNAL | S.MSG_OOB), false);
  assertEquals(passes(N.SYS_poll, ANY, 1), true);
  assertEquals(passes(N.SYS_poll, ANY, 2), false);
  const listener = filterOf({ listens: true });
  assertEquals(listener(N.SYS_accept4, 3, 0, 0, S.SOCK_CLOEXEC), true);
  assertEquals(listener(N.SYS_accept4, 3, 0, 0, 0), false);
  assertEquals(listener(N.SYS_setsockopt, 3, 6, 1), true);
  assertEquals(listener(N.SYS_setsockopt, 3, S.SOL_SOCKET, S.SO_REUSEADDR), false);
});

Deno.test("sockets can be made where a root has them, of one kind", () => {
  const kind = S.SOCK_STREAM | S.SOCK_CLOEXEC | S.SOCK_NONBLOCK;
  const connects = filterOf({ roots: [{ connects: true, binds: false }] });
  const binds = filterOf({ roots: [{ connects: false, binds: true }] });
  for (const may of [connects, binds]) {
    assertEquals(may(N.SYS_socket, S.AF_UNIX, kind, 0), true);
    for (let family = 2; family < S.AF_MAX; family++) {
      assertEquals(may(N.SYS_socket, family, kind, 0), false);
    }
    assertEquals(may(N.SYS_socket, S.AF_UNIX, S.SOCK_DGRAM, 0), false);
  }
  assertEquals([connects(N.SYS_connect), connects(N.SYS_bind)], [true, false]);
  assertEquals([binds(N.SYS_connect), binds(N.SYS_bind)], [false, true]);
});
