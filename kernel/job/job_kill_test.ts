/** Test of job_kill.ts: states of processes that must not delay the end of a job. */

import { assert, assertEquals } from "@std/assert";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { PTRACE_O_TRACEEXIT, PTRACE_SEIZE } from "../../ffi/abi/ptrace.ts";
import { CLONE_NEWPID, CLONE_VFORK, CLONE_VM } from "../../ffi/abi/sched.ts";
import { SIGCHLD, SIGKILL, SIGSTOP } from "../../ffi/abi/signal.ts";
import { delayTask } from "../cgroup/delay.ts";
import { freezeGroup } from "../cgroup/freezer.ts";
import { killGroup } from "../task/exit_request.ts";
import { BLOCKED, FROZEN, STOPPED, type Task, TRACED } from "../task/task.ts";
import { DATA, GONE, WAITS } from "../testing/task_lab.ts";
import { JobLab } from "./job_testing.ts";

/** More processes than one slice kills. */
const MANY = 300;

/** Kills the job of a main process, whose state a test has prepared, and checks the end. */
function endsAtOnce(prepare: (lab: JobLab, main: Task) => void): void {
  const lab = new JobLab(), { job, main, lines } = lab.start();
  prepare(lab, main);
  job.kill("timeout");
  lab.kernel.settle();
  const left = [...job.groups].map(({ pid, tasks }) => `${pid}: ${tasks.map((t) => t.state)}`);
  assertEquals([left, job.isEnded, lines.at(-1)], [[], true, "end timeout"]);
  lab.close();
}

Deno.test("stopped processes end", () =>
  endsAtOnce((lab, main) => {
    lab.kernel.call(lab.fork(main), "kill", 0, SIGSTOP);
    assertEquals(main.state, STOPPED);
  }));

Deno.test("processes of a frozen container end", () =>
  endsAtOnce((lab, main) => {
    lab.container.freeze();
    lab.kernel.settle();
    assertEquals(main.state, FROZEN);
  }));

Deno.test("processes of a frozen control group end", () =>
  endsAtOnce((lab, main) => {
    freezeGroup(main.cgroups.unified);
    lab.kernel.settle();
    assertEquals(main.state, FROZEN);
  }));

Deno.test("delayed tasks end", () =>
  endsAtOnce((lab, main) => {
    delayTask(main, lab.kernel.now() + 1e12);
    lab.kernel.settle();
    assertEquals(main.state, FROZEN);
  }));

Deno.test("a process that waits for its vfork child ends, and so does the child", () =>
  endsAtOnce((lab, main) => {
    const flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    assertEquals(lab.kernel.call(main, "clone", flags, 0, 0, 0, 0), WAITS);
    assertEquals(main.uninterruptible, true);
  }));

Deno.test("a process that waits in a call ends", () =>
  endsAtOnce((lab, main) => {
    lab.kernel.call(main, "pipe2", DATA, 0);
    assertEquals(lab.kernel.call(main, "read", main.mm.load32(DATA), DATA, 1), WAITS);
    assertEquals(main.state, BLOCKED);
  }));

Deno.test("the init of a PID namespace ends with the namespace", () =>
  endsAtOnce((lab, main) => {
    const init = lab.taskOf(lab.kernel.call(main, "clone", CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    lab.fork(lab.fork(init));
    assertEquals(init.group.isInit, true);
  }));

Deno.test("a victim that stands still for the listener of the OOM killer ends", () =>
  endsAtOnce((lab, main) => {
    lab.kernel.oom.listener = { onOutOfMemory: () => true };
    const child = lab.fork(main);
    lab.kernel.oom.kill(child.group, true);
    lab.kernel.settle();
    assertEquals(child.state, FROZEN);
  }));

Deno.test("tracers that trace each other do not keep each other", () =>
  endsAtOnce((lab, main) => {
    const child = lab.fork(main), { kernel } = lab;
    assertEquals(kernel.call(main, "ptrace", PTRACE_SEIZE, child.tid, 0, PTRACE_O_TRACEEXIT), 0);
    assertEquals(kernel.call(child, "ptrace", PTRACE_SEIZE, main.tid, 0, PTRACE_O_TRACEEXIT), 0);
  }));

Deno.test("a tracer outside of the job does not keep a process in its exit stop", () => {
  for (const isStopped of [false, true]) {
    const lab = new JobLab(), { job, main, lines } = lab.start(), { kernel } = lab;
    const tracer = lab.fork(lab.init);
    assertEquals(kernel.call(tracer, "ptrace", PTRACE_SEIZE, main.tid, 0, PTRACE_O_TRACEEXIT), 0);
    if (isStopped) {
      killGroup(main.group, SIGKILL);
      kernel.settle();
      assertEquals(main.state, TRACED);
    }
    job.kill("timeout");
    kernel.settle();
    assertEquals([job.groups.size, tracer.group.isExiting], [0, false]);
    // A main process that was already on its way out did not end because of the kill.
    assertEquals(lines.at(-1), isStopped ? "end signal" : "end timeout");
    lab.close();
  }
});

Deno.test("processes that multiply do not outrun the kill", () => {
  const lab = new JobLab(), { job, main } = lab.start(), { kernel } = lab;
  const bombs = Array.from({ length: MANY }, () => lab.fork(main));
  job.kill("timeout");
  const spared = bombs.filter((task) => !task.group.isExiting);
  assert(spared.length > 0 && spared.length < MANY, `${spared.length} of ${MANY}`);
  const last = spared.at(-1)!;
  assertEquals(kernel.call(last, "fork"), GONE);
  assertEquals(kernel.call(spared[0]!, "clone", CLONE_VM | SIGCHLD, 0, 0, 0, 0), GONE);
  kernel.pass(0);
  assertEquals([job.isEnded, job.groups.size, lab.left], [true, 0, []]);
  lab.close();
});

Deno.test("a process at the limit of tasks is killed as well when it forks", () => {
  const lab = new JobLab(), { job, main } = lab.start({ tasks: 1 });
  assertEquals(lab.kernel.call(main, "fork"), -EAGAIN);
  job.kill("killed");
  lab.kernel.settle();
  assertEquals(job.isEnded, true);
  lab.close();
});
