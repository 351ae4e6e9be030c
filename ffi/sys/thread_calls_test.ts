/** A call on every thread of a Deno process, checked in /proc. */

import { assert, assertEquals } from "@std/assert";
import { SCHED_BATCH } from "../abi/sched.ts";
import { PR_SET_TIMERSLACK } from "../abi/prctl.ts";
import { EINVAL } from "../abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../abi/fcntl.ts";
import { RLIMIT_SIGPENDING } from "../abi/resource.ts";
import { SYS_prctl, SYS_prlimit64, SYS_sched_setscheduler } from "../abi/syscall_numbers.ts";
import { scratch } from "./cstring.ts";
import { close, openat } from "./files.ts";
import { syscall } from "./native.ts";
import { callOnOtherThreads } from "./thread_calls.ts";

const SCHED_OTHER = 0;
/** A field of a thread's stat file, behind the name: proc_pid_stat(5). */
const POLICY = 38;

/** The scheduling policy of each thread: every user may change its own, and read those of all. */
function policies(): Map<string, number> {
  const out = new Map<string, number>();
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    const stat = Deno.readTextFileSync(`/proc/self/task/${name}/stat`);
    out.set(name, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[POLICY]));
  }
  return out;
}

Deno.test("a call is made on all threads but this one, and its errors are reported", () => {
  const task = openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    assert(policies().size > 2, "Deno has several threads");
    const setPolicy = (policy: number) => {
      scratch.dv.setInt32(scratch.areaOffset(0), 0, true);
      return callOnOtherThreads(task, SYS_sched_setscheduler, [0, policy, scratch.area(0)]);
    };
    assertEquals(setPolicy(SCHED_BATCH), []);
    const after = [...policies()].filter(([, policy]) => policy !== SCHED_BATCH);
    assertEquals(after.length, 1, "only this thread has its old policy");
    const failed = callOnOtherThreads(task, SYS_prctl, [-1]);
    assertEquals(failed.length, policies().size - 1);
    for (const line of failed) assert(line.endsWith(`: errno ${EINVAL}`), line);
    assertEquals(setPolicy(SCHED_OTHER), []);
  } finally {
    close(task);
  }
});

Deno.test("queued signals of the same user do not keep the call from any thread", () => {
  const task = openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const none = scratch.area(0), before = none + 16, { dv } = scratch, at = scratch.areaOffset(0);
  assertEquals(syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, 0, before), 0);
  dv.setBigUint64(at, 0n, true);
  dv.setBigUint64(at + 8, dv.getBigUint64(at + 24, true), true);
  assertEquals(syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, none, 0), 0);
  try {
    assertEquals(callOnOtherThreads(task, SYS_prctl, [PR_SET_TIMERSLACK, 50_000]), []);
  } finally {
    assertEquals(syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, before, 0), 0);
    close(task);
  }
});
