/** What other calls find while a thread waits in execve(2) for the others of its process to end. */

import { SIGCHLD, SIGKILL } from "../../ffi/abi/signal.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EAGAIN, EINTR, EPERM } from "../../ffi/abi/errno.ts";
import { PTRACE_SEIZE } from "../../ffi/abi/ptrace.ts";
import { CLONE_FS } from "../../ffi/abi/sched.ts";
import { SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_RET_ALLOW } from "../../ffi/abi/seccomp.ts";
import { BpfProgram } from "../bpf/classic_program.ts";
import { NO_CAPS, rootCredentials, userCredentials } from "../cred/credentials.ts";
import { GONE, LabKernel, WAITS } from "../testing/task_lab.ts";
import { BpfFilter } from "../seccomp/bpf_filter.ts";
import { attachFilter } from "../seccomp/task_seccomp.ts";
import type { Task } from "./task.ts";

const user = userCredentials(1000, 1000, [], NO_CAPS);

/** A tracer and a process of the same user. */
function withPair(test: (kernel: LabKernel, tracer: Task, target: Task) => void): void {
  const kernel = new LabKernel(), init = kernel.start();
  const pair = [0, 0].map(() => kernel.pids.tasks.get(Number(kernel.call(init, "fork")))!);
  for (const task of pair) task.cred = user;
  test(kernel, pair[0]!, pair[1]!);
  kernel.close();
}

function begin({ group }: Task, task: Task): void {
  group.execTask = task;
}
function end(kernel: LabKernel, { group }: Task): void {
  group.execTask = null;
  group.threadExits.wake(0);
  kernel.settle();
}

Deno.test("attaching waits for an execve, and is checked against the new program", () =>
  withPair((kernel, tracer, target) => {
    begin(target, target);
    assertEquals(kernel.call(tracer, "ptrace", PTRACE_SEIZE, target.tid, 0, 0), WAITS);
    // An earlier wake-up changes nothing.
    target.group.threadExits.wake(0);
    kernel.settle();
    assertEquals(kernel.outcome(tracer), WAITS);
    target.cred = rootCredentials();
    end(kernel, target);
    assertEquals([kernel.outcome(tracer), target.trace], [-EPERM, null]);
  }));

Deno.test("attaching continues with the thread that it found, even if its id changed", () =>
  withPair((kernel, tracer, target) => {
    begin(target, target);
    kernel.call(tracer, "ptrace", PTRACE_SEIZE, target.tid, 0, 0);
    kernel.pids.tasks.delete(target.tid);
    end(kernel, target);
    assertEquals([kernel.outcome(tracer), target.trace?.tracer], [0, tracer]);
    assertEquals(target.trace?.cred, user);
  }));

Deno.test("a tracer that is killed in that wait is gone", () =>
  withPair((kernel, tracer, target) => {
    begin(target, target);
    kernel.call(tracer, "ptrace", PTRACE_SEIZE, target.tid, 0, 0);
    kernel.call(kernel.pids.init!.leader!, "kill", tracer.pid, SIGKILL);
    assertEquals(kernel.outcome(tracer), GONE);
    end(kernel, target);
    assertEquals(target.trace, null);
  }));

Deno.test("no process begins to share root and working directory with a task in execve", () =>
  withPair((kernel, _, target) => {
    target.fs.isInExec = true;
    assertEquals(kernel.call(target, "clone", CLONE_FS | SIGCHLD), -EAGAIN);
    assertEquals(typeof kernel.call(target, "clone", SIGCHLD), "number");
    assertEquals(target.fs.refs, 1);
  }));

Deno.test("no filter of another thread comes between", () =>
  withPair((_, tracer, target) => {
    const ret = new Uint8Array(8), view = new DataView(ret.buffer);
    view.setUint16(0, 6, true);
    view.setUint32(4, SECCOMP_RET_ALLOW, true);
    const filter = () => new BpfFilter(TEST_ACCOUNT, BpfProgram.parse(ret)!);
    begin(target, tracer);
    assertEquals(attachFilter(target, filter(), SECCOMP_FILTER_FLAG_TSYNC), -EINTR);
    target.group.execTask = null;
    assertEquals(attachFilter(target, filter(), SECCOMP_FILTER_FLAG_TSYNC), 0);
  }));
