// A call on every thread of a Deno process, seen in /proc.

import { assert, assertEquals } from "@std/assert";
import { EINVAL } from "../abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../abi/fcntl.ts";
import { SYS_prctl } from "../abi/syscall_numbers.ts";
import { close, openat } from "./files.ts";
import { callOnOtherThreads } from "./thread_calls.ts";

const PR_SET_TIMERSLACK = 29;

function slacks(): Map<string, number> {
  const out = new Map<string, number>();
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    out.set(name, Number(Deno.readTextFileSync(`/proc/${name}/timerslack_ns`)));
  }
  return out;
}

Deno.test("a call is made on all threads but this one, and its errors are told", () => {
  const task = openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  try {
    const before = slacks();
    assert(before.size > 2, "Deno has several threads");
    const problems = callOnOtherThreads(task, SYS_prctl, [PR_SET_TIMERSLACK, 54_321]);
    assertEquals(problems, []);
    const after = [...slacks()].filter(([, slack]) => slack !== 54_321);
    assertEquals(after.length, 1, "only this thread has its old value");
    const failed = callOnOtherThreads(task, SYS_prctl, [-1]);
    assertEquals(failed.length, slacks().size - 1);
    for (const line of failed) assert(line.endsWith(`: errno ${EINVAL}`), line);
    assertEquals(callOnOtherThreads(task, SYS_prctl, [PR_SET_TIMERSLACK, 50_000]), []);
  } finally {
    close(task);
  }
});
