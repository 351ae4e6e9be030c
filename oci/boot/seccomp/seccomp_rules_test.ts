/** What the Sentry's filter lets pass and what it refuses, computed without running it. */

import { assertEquals } from "@std/assert";
import { SIGKILL, SIGTERM, SIGURG, SIGUSR2 } from "../../../ffi/abi/signal.ts";
import * as F from "../../../ffi/abi/futex.ts";
import * as M from "../../../ffi/abi/mman.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../../ffi/abi/socket.ts";
import * as N from "../../../ffi/abi/syscall_numbers.ts";
import { verdict } from "../../../ffi/asm/call_filter_testing.ts";
import { PLATFORM_NAMES, type PlatformName } from "../../../platform/select/candidates.ts";
import { assembleFilter, rulesFor } from "./seccomp_filter.ts";
import { SECCOMP_RULES } from "./seccomp_rules.ts";

function filterOf(platform: PlatformName): (nr: number, ...args: number[]) => boolean {
  const program = assembleFilter(rulesFor(false), platform);
  return (nr, ...args) => verdict(program, nr, ...args);
}

const passes = filterOf("systrap");
const ANY = 0x1234;

/**
 * Calls of which any argument passes: descriptors, lengths, addresses, or what the guest may ask of
 * its own files.
 */
const UNTESTED = `
brk clock_gettime clock_nanosleep close epoll_ctl epoll_pwait2 epoll_wait exit
exit_group fallocate fdatasync fstat fsync ftruncate getcpu getpid getrandom
gettid gettimeofday lseek mincore munmap nanosleep pread64 preadv pwrite64 pwritev read
readv recvmsg restart_syscall rseq rt_sigprocmask rt_sigreturn sched_getaffinity
sched_getparam sched_getscheduler sched_yield sendmsg set_robust_list shutdown
sigaltstack write writev
`;

Deno.test("calls of the Sentry without a test of their arguments are those of this list", () => {
  const rules = SECCOMP_RULES.filter((r) => r.platform === undefined && r.errno === undefined);
  const untested = rules.filter((r) => (r.tests ?? []).length === 0).map((r) => N.NAMES[r.nr]);
  assertEquals(untested.toSorted(), UNTESTED.trim().split(/\s+/));
});

Deno.test("system calls that the Sentry never makes are refused", () => {
  const never = [
    N.SYS_openat2,
    N.SYS_execve,
    N.SYS_clone,
    N.SYS_socket,
    N.SYS_mount,
    N.SYS_prctl,
    N.SYS_io_uring_setup,
    N.SYS_memfd_create,
    N.SYS_eventfd2,
    N.SYS_epoll_pwait,
    N.SYS_preadv2,
    N.SYS_pwritev2,
    N.SYS_fadvise64,
    N.SYS_sync_file_range,
    N.SYS_getrusage,
    N.SYS_fstatfs,
    N.SYS_ptrace,
    N.SYS_process_vm_readv,
    N.SYS_dup,
    N.SYS_dup3,
  ];
  for (const nr of never) assertEquals(passes(nr), false, N.NAMES[nr]);
});

Deno.test("no platform's Sentry makes memory executable", () => {
  for (const platform of PLATFORM_NAMES) {
    const may = filterOf(platform);
    for (let prot = 0; prot < 16; prot++) {
      const isPlain = (prot & ~(M.PROT_READ | M.PROT_WRITE)) === 0;
      assertEquals(may(N.SYS_mmap, 0, 4096, prot, M.MAP_SHARED, 3), isPlain, `${prot}`);
      assertEquals(may(N.SYS_mprotect, ANY, 4096, prot), isPlain, `${prot}`);
    }
    assertEquals(may(N.SYS_pkey_mprotect, ANY, 4096, M.PROT_EXEC, -1), false);
    assertEquals(may(N.SYS_madvise, ANY, 4096, M.MADV_HWPOISON), false);
  }
});

Deno.test("signals of the Sentry end stubs, kick threads, or end itself", () => {
  const kicks = { systrap: SIGURG, kvm: SIGURG, ptrace: SIGUSR2 };
  for (const platform of PLATFORM_NAMES) {
    const may = filterOf(platform);
    assertEquals(may(N.SYS_tgkill, 5, 5, kicks[platform]), true, platform);
    for (const signo of [SIGKILL, SIGTERM]) assertEquals(may(N.SYS_tgkill, 5, 5, signo), false);
    assertEquals(may(N.SYS_kill, 5, SIGKILL), true);
    assertEquals(may(N.SYS_kill, 5, SIGTERM), false);
    assertEquals(may(N.SYS_pidfd_send_signal, 5, SIGKILL), true);
    assertEquals(may(N.SYS_pidfd_send_signal, 5, SIGTERM), false);
    assertEquals(may(N.SYS_rt_sigaction, SIGTERM), false);
  }
  assertEquals(passes(N.SYS_tgkill, 5, 5, SIGUSR2), false);
});

Deno.test("on ptrace threads are run and looked at, and none is attached to", () => {
  const may = filterOf("ptrace");
  assertEquals(may(N.SYS_ptrace, P.PTRACE_SYSEMU), true);
  for (const request of [P.PTRACE_ATTACH, P.PTRACE_SEIZE, P.PTRACE_TRACEME, P.PTRACE_POKEDATA]) {
    assertEquals(may(N.SYS_ptrace, request), false, `${request}`);
  }
});

Deno.test("the Sentry may use its own sockets, connected to their peers", () => {
  const flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  assertEquals(passes(N.SYS_accept4, 3, 0, 0, flags), true);
  assertEquals(passes(N.SYS_accept4, 3, ANY, ANY, flags), false);
  assertEquals(passes(N.SYS_accept4, 3, 0, 0, 0), false);
  assertEquals(passes(N.SYS_sendto, 3, ANY, 1, 0, 0, 0), true);
  assertEquals(passes(N.SYS_sendto, 3, ANY, 1, 0, ANY, 16), false);
  assertEquals(passes(N.SYS_recvfrom, 3, ANY, 1, 0, ANY, ANY), false);
  assertEquals([passes(N.SYS_poll, ANY, 1), passes(N.SYS_poll, ANY, 1000)], [true, false]);
  assertEquals(passes(N.SYS_futex, ANY, F.FUTEX_WAKE), true);
  assertEquals(passes(N.SYS_futex, ANY, F.FUTEX_LOCK_PI), false);
});
