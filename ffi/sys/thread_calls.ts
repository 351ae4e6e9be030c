/**
 * One system call on every other thread of this process, as libc does for setuid(2): for what Linux keeps a thread, such as
 * capabilities, when the threads are somebody else's. A signal makes each of them run an assembled handler.
 *
 * Not for hot paths: it sleeps until each thread has answered. Neighbours: signal_code.ts, native.ts.
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

/** Nobody sends this one. It is not queued, as real-time signals are: RLIMIT_SIGPENDING does not stand in its way. */
const SIGNAL = SIGSTKFLT;
/** LIMIT: how long a thread may take to answer. */
const ANSWER_MS = 1000;
/** LIMIT: looks for threads that were begun meanwhile. */
const ROUNDS_MAX = 8;
/** Scratch areas 0 to 3 stay the caller's, for what the call points to. */
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

/** Signals one thread: what its call returned, null when it did not answer, 0 when it is gone. */
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
 * Makes the call (up to five arguments; pointers must stay valid) on every thread but the calling one, also on those that
 * were begun meanwhile. `taskFd`: /proc/self/task, open as a directory. Threads that cannot be signalled are among the problems.
 *
 * SAFETY: the call must be one that harms no code of others on its thread.
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
  setAction(SIGNAL, SIG_IGN, 0); // an answer that comes late must not be the end
  return problems;
}
