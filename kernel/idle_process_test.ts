/** Test of idle_process.ts. */

import { assert, assertEquals } from "@std/assert";
import { EPERM, ESRCH } from "../ffi/abi/errno.ts";
import { AT_FDCWD, O_RDONLY, O_RDWR } from "../ffi/abi/fcntl.ts";
import { PTRACE_ATTACH, PTRACE_SEIZE } from "../ffi/abi/ptrace.ts";
import { SIGKILL, SIGTERM } from "../ffi/abi/signal.ts";
import { startIdle } from "./idle_process.ts";
import { JobLab } from "./job/job_testing.ts";
import { mayBeVictim } from "./oom/victim_search.ts";
import { alert } from "./task/alert.ts";
import type { Container } from "./task/container.ts";
import { exitGroup, killGroup } from "./task/exit_request.ts";
import { FROZEN, Task } from "./task/task.ts";
import { ContainerLab, image, interrupt } from "./testing/container_lab.ts";
import { GONE } from "./testing/task_lab.ts";
import { readlinkAt } from "./vfs/status.ts";
import { errno, mustOpen, readBytes } from "./vfs/vfs_testing.ts";
import { openAt } from "./vfs/open.ts";

function idleIn(lab: ContainerLab, container: Container): Task {
  const task = startIdle(lab.kernel, container, image);
  if (!(task instanceof Task)) throw new Error(`not started: ${task.errno}`);
  lab.settle();
  return task;
}

/** The contents of a file of /proc. */
function textOf(caller: Task, path: string): string {
  const file = mustOpen(caller, path, O_RDONLY), bytes = readBytes(file, 0, 4096);
  file.drop();
  return new TextDecoder().decode(bytes);
}

Deno.test("an idle process 1 stands still, and looks like an init", () => {
  const lab = new ContainerLab(), a = lab.container("a"), idle = idleIn(lab, a);
  const beside = lab.start(a);
  assertEquals([idle.tid, a.init === idle.group, idle.state], [1, true, FROZEN]);
  // Neither a thaw nor an event makes it run.
  a.freeze();
  a.thaw();
  alert(idle);
  lab.settle();
  assertEquals(idle.state, FROZEN);
  lab.kernel.current = beside;
  assertEquals(textOf(beside, "/proc/1/comm"), "init\n");
  assertEquals(textOf(beside, "/proc/1/cmdline"), "init\0");
  assertEquals(readlinkAt(beside, AT_FDCWD, "/proc/1/exe"), "/memfd:init (deleted)");
  assertEquals(readlinkAt(beside, AT_FDCWD, "/proc/1/cwd"), "/");
  assertEquals(textOf(beside, "/proc/1/status").match(/State:\t(.*)/)?.[1], "S (sleeping)");
  lab.close();
});

Deno.test("the program of an idle process 1 cannot be changed", () => {
  const lab = new ContainerLab(), a = lab.container("a");
  idleIn(lab, a);
  const beside = lab.start(a);
  lab.kernel.current = beside;
  assertEquals(errno(openAt(beside, AT_FDCWD, "/proc/1/exe", O_RDWR, 0)), "ETXTBSY");
  const file = openAt(beside, AT_FDCWD, "/proc/1/exe", O_RDONLY, 0);
  assert(typeof file !== "number" && !file.canWrite);
  file.drop();
  lab.close();
});

Deno.test("children of an ended process are reaped by an idle process 1", () => {
  const lab = new ContainerLab(), a = lab.container("a"), idle = idleIn(lab, a);
  const parent = lab.start(a), child = lab.start(a);
  child.group.parent = parent.group;
  parent.group.children.add(child.group);
  killGroup(parent.group, SIGKILL);
  interrupt(lab, parent);
  assertEquals(child.group.parent === idle.group, true);
  killGroup(child.group, SIGKILL);
  interrupt(lab, child);
  assertEquals([child.group.isReaped, a.groups.size], [true, 1]);
  lab.close();
});

Deno.test("the end of an idle process 1 ends its container", () => {
  const lab = new ContainerLab(), a = lab.container("a"), idle = idleIn(lab, a);
  const beside = lab.start(a);
  exitGroup(idle.group, 0);
  lab.settle();
  interrupt(lab, beside);
  assertEquals([a.groups.size, lab.kernel.pids.tasks.size], [0, 0]);
  lab.close();
});

Deno.test("no process traces or ends an idle process 1", () => {
  const lab = new JobLab(), { init, kernel } = lab, { main } = lab.start();
  init.group.isIdle = init.group.isUnkillable = true;
  for (const request of [PTRACE_SEIZE, PTRACE_ATTACH]) {
    assertEquals(kernel.call(main, "ptrace", request, 1, 0, 0), -EPERM);
  }
  for (const sig of [SIGTERM, SIGKILL]) assertEquals(kernel.call(main, "kill", 1, sig), 0);
  assertEquals(mayBeVictim(init.group), false);
  assertEquals([init.group.isExiting, init.group.pending.count], [false, 0]);
  // No process is left but itself.
  assertEquals(kernel.call(main, "kill", -1, SIGKILL), -ESRCH);
  assertEquals(kernel.call(main, "exit_group", 0), GONE);
  lab.close();
});
