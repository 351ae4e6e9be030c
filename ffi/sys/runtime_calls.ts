/**
 * Host calls that Deno's threads, V8 and libc need in a confined process: rules that the lists of
 * the Sentry and of the Gofer share. None of them reaches a file, a socket or another process.
 *
 * No memory becomes executable any more: V8 makes its whole range of code executable at its start,
 * and the trampolines of foreign functions are made before the filter.
 */

import * as F from "../abi/futex.ts";
import * as M from "../abi/mman.ts";
import { SIGABRT, SIGBUS, SIGSEGV } from "../abi/signal.ts";
import * as N from "../abi/syscall_numbers.ts";
import {
  allFlagsOf,
  type ArgumentTest,
  type CallRule,
  noFlagsBut,
  oneOf,
} from "../asm/call_filter.ts";

/**
 * membarrier(2): the query, and both kinds that concern only this process, with their
 * registrations.
 */
const MEMBARRIER_COMMANDS = [0, 8, 16, 32, 64];
/** Protection keys that a process can have; -1 would make the call mprotect(2). */
const PROTECTION_KEYS = Array.from({ length: 15 }, (_, i) => i + 1);

/** Argument `index` of mmap(2) and mprotect(2): not executable. */
export function noExec(index: number): ArgumentTest {
  return noFlagsBut(index, M.PROT_READ | M.PROT_WRITE);
}

/** Waiting and waking; no robust or priority-inheriting locks. */
export const FUTEX_OPERATIONS: ArgumentTest = {
  index: 1,
  mask: F.FUTEX_CMD_MASK,
  values: [F.FUTEX_WAKE, F.FUTEX_WAIT, F.FUTEX_WAIT_BITSET, F.FUTEX_WAKE_BITSET],
};

/**
 * Signals that a process sends to itself to end: libc's abort, and faults that no handler resolves
 * (fault_code.ts).
 */
export const OWN_SIGNALS = [SIGABRT, SIGSEGV, SIGBUS];

/** Mappings without a file. */
export const ANONYMOUS_MEMORY: readonly ArgumentTest[] = [
  noExec(2),
  allFlagsOf(3, M.MAP_ANONYMOUS),
  noFlagsBut(
    3,
    M.MAP_ANONYMOUS | M.MAP_PRIVATE | M.MAP_DROPPABLE | M.MAP_FIXED | M.MAP_NORESERVE | M.MAP_STACK,
  ),
];

export const RUNTIME_CALLS: readonly CallRule[] = [
  { nr: N.SYS_munmap, reason: "V8's heap" },
  { nr: N.SYS_mprotect, reason: "V8's heap; malloc's", tests: [noExec(2)] },
  {
    nr: N.SYS_pkey_mprotect,
    reason: "the same where V8 uses protection keys",
    tests: [oneOf(3, ...PROTECTION_KEYS)],
  },
  {
    nr: N.SYS_mremap,
    reason: "realloc",
    tests: [noFlagsBut(3, M.MREMAP_MAYMOVE)],
  },
  {
    nr: N.SYS_madvise,
    reason: "V8 and malloc give memory back, and keep it out of children and dumps",
    tests: [oneOf(
      2,
      M.MADV_DONTNEED,
      M.MADV_FREE,
      M.MADV_DONTFORK,
      M.MADV_DOFORK,
      M.MADV_DONTDUMP,
      M.MADV_DODUMP,
      M.MADV_HUGEPAGE,
      M.MADV_NOHUGEPAGE,
    )],
  },
  { nr: N.SYS_brk, reason: "malloc" },
  {
    nr: N.SYS_membarrier,
    reason: "V8 between its threads",
    tests: [oneOf(0, ...MEMBARRIER_COMMANDS), oneOf(1, 0)],
  },
  { nr: N.SYS_clock_nanosleep, reason: "V8's and tokio's timed waits" },
  { nr: N.SYS_nanosleep, reason: "the same" },
  { nr: N.SYS_gettimeofday, reason: "where the vDSO cannot answer" },
  { nr: N.SYS_getrandom, reason: "randomness; hash seeds" },
  { nr: N.SYS_getpid, reason: "libc's abort" },
  { nr: N.SYS_gettid, reason: "libc's abort; V8's thread ids" },
  { nr: N.SYS_sched_yield, reason: "spin locks" },
  { nr: N.SYS_sched_getaffinity, reason: "V8 counts processors" },
  { nr: N.SYS_sched_getparam, reason: "V8's locks ask for a thread's priority" },
  { nr: N.SYS_sched_getscheduler, reason: "the same" },
  {
    nr: N.SYS_rt_sigaction,
    reason: "back to the default, for the signals that end this process",
    tests: [oneOf(0, ...OWN_SIGNALS)],
  },
  { nr: N.SYS_rt_sigprocmask, reason: "libc around thread work" },
  { nr: N.SYS_rt_sigreturn, reason: "return from the fault and signal handlers" },
  { nr: N.SYS_sigaltstack, reason: "Rust when a thread ends" },
  { nr: N.SYS_restart_syscall, reason: "a wait that a stop signal interrupted" },
  // A thread that Deno made before the filter may start after it: without these two calls libc ends
  // the process.
  { nr: N.SYS_set_robust_list, reason: "libc when a thread starts" },
  { nr: N.SYS_rseq, reason: "libc when a thread starts or ends" },
  { nr: N.SYS_exit, reason: "a thread of Deno's ends" },
  { nr: N.SYS_exit_group, reason: "the end" },
];
