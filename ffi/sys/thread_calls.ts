/**
 * One system call on every other thread of this process, as libc does for setuid(2): for attributes
 * that Linux keeps for each thread, such as capabilities, on threads that the runtime made. A
 * signal makes each of them run an assembled handler.
 *
 * Not for hot paths: it sleeps until each thread has answered. Neighbours: signal_code.ts,
 * native.ts.
 */

import { LinuxDirent64 } from "../abi/dirent.ts";
import { ESRCH } from "../abi/errno.ts";
import { SA_ONSTACK, SA_RESTART, SIG_IGN, SIGSTKFLT } from "../abi/signal.ts";
import {
  SYS_getdents64,
  SYS_getpid,
  SYS_gettid,
  SYS_lseek,
  SYS_sched_yield,
  SYS_tgkill,
} from "../abi/syscall_numbers.ts";
import { scratch } from "./cstring.ts";
import { DATA } from "./data_page.ts";
import { codeAddress, dataView, setAction, syscall } from "./native.ts";

/**
 * A signal that no other code sends. It is not queued, unlike real-time signals, so
 * RLIMIT_SIGPENDING cannot refuse it.
 */
const SIGNAL = SIGSTKFLT;
/** LIMIT: how long a thread may take to answer. */
const ANSWER_MS = 1000;
/** LIMIT: searches for threads that started meanwhile. */
const ROUNDS_MAX = 8;
/** Scratch areas 0 to 3 stay the caller's, for the data of the call. */
const DIRENTS_AREA = 4;
const DIRENTS_BYTES = 65536;
const RESULT = DATA.threadCall + 48, IS_DONE = DATA.threadCall + 52;

/** The threads that /proc/self/task lists; `dirFd` is that directory, open. */
function threadIds(dirFd: number): number[] {
  const ids: number[] = [];
  const { at } = LinuxDirent64, base = scratch.areaOffset(DIRENTS_AREA);
  syscall(SYS_lseek, dirFd, 0, 0);
  for (;;) {
    const n = syscall(SYS_getdents64, dirFd, scratch.area(DIRENTS_AREA), DIRENTS_BYTES);
    if (n <= 0) return ids;
    for (
      let entry = base;
      entry < base + n;
      entry += scratch.dv.getUint16(entry + at.reclen, true)
    ) {
      let id = 0;
      for (let i = entry + at.name; (scratch.u8[i] ?? 0) !== 0; i++) {
        id = id * 10 + (scratch.u8[i] ?? 0) - 0x30;
      }
      if (id > 0) ids.push(id);
    }
  }
}

/**
 * Signals one thread. Returns the result of its call, null when it did not answer, 0 when it has
 * ended.
 */
function callOn(pid: number, tid: number): number | null {
  dataView.setInt32(IS_DONE, 0, true);
  const sent = syscall(SYS_tgkill, pid, tid, SIGNAL);
  if (sent === -ESRCH) return 0;
  if (sent < 0) return sent;
  const end = performance.now() + ANSWER_MS;
  while (dataView.getInt32(IS_DONE, true) === 0) {
    if (performance.now() > end) return null;
    syscall(SYS_sched_yield);
  }
  return dataView.getInt32(RESULT, true);
}

/**
 * Makes the call (up to five arguments; pointers must stay valid) on every thread but the calling
 * one, also on threads that start meanwhile. `taskFd`: /proc/self/task, open as a directory.
 * Threads that cannot be signalled are reported.
 *
 * SAFETY: the call must do no harm to code of other owners on its thread.
 *
 * @returns a line for each thread on which it failed
 */
export function callOnOtherThreads(
  taskFd: number,
  nr: number,
  args: readonly number[],
): string[] {
  const pid = syscall(SYS_getpid), self = syscall(SYS_gettid);
  dataView.setBigUint64(DATA.threadCall, BigInt(nr), true);
  for (let i = 0; i < 5; i++) {
    dataView.setBigInt64(DATA.threadCall + 8 + 8 * i, BigInt(args[i] ?? 0), true);
  }
  const installed = setAction(SIGNAL, codeAddress("on_thread_call"), SA_RESTART | SA_ONSTACK);
  if (installed < 0) return [`rt_sigaction: errno ${-installed}`];
  const problems: string[] = [], seen = new Set([self]);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const fresh = threadIds(taskFd).filter((tid) => !seen.has(tid));
    if (fresh.length === 0) break;
    for (const tid of fresh) {
      seen.add(tid);
      const result = callOn(pid, tid);
      if (result === null) problems.push(`thread ${tid} does not answer`);
      else if (result < 0) problems.push(`thread ${tid}: errno ${-result}`);
    }
  }
  setAction(SIGNAL, SIG_IGN, 0); // a late answer must not end the process
  return problems;
}
