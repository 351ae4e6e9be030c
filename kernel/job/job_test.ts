/** Test of job.ts: what belongs to a job, why it ends, and its limit of tasks. */

import { assert, assertEquals } from "@std/assert";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWPID,
  CLONE_PARENT,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
} from "../../ffi/abi/sched.ts";
import { SIGCHLD, SIGKILL, SIGTERM } from "../../ffi/abi/signal.ts";
import { statusExited } from "../../ffi/abi/wait.ts";
import { stringToBytes } from "../core/bytes.ts";
import { killGroup } from "../task/exit_request.ts";
import { mkdirAt } from "../vfs/create.ts";
import { DATA, GONE, WAITS } from "../testing/task_lab.ts";
import { JobLab } from "./job_testing.ts";

const SECOND = 1_000_000_000, ANY = -1;
const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

Deno.test("a job goes on behind the end of its main process, until its last process ends", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start();
  const child = lab.fork(main);
  assertEquals([job.groups.size, job.tasks, job.reason], [2, 2, null]);
  assertEquals(lab.kernel.call(main, "exit_group", 3), GONE);
  assertEquals([job.groups.size, job.reason, job.status], [1, "exit", statusExited(3)]);
  assertEquals(lab.kernel.call(child, "exit_group", 4), GONE);
  assertEquals(lines, [`main ${statusExited(3)} exit`, "end exit"]);
  assertEquals([job.groups.size, job.tasks, lab.left], [0, 0, []]);
  lab.close();
});

Deno.test("the end of a job does not wait until zombies are reaped", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start();
  // The first process does not ignore SIGCHLD, and does not wait.
  const child = lab.fork(main);
  lab.kernel.call(main, "exit_group", 0);
  lab.kernel.call(child, "exit_group", 0);
  assertEquals([child.group.isZombie, child.group.isReaped], [true, false]);
  assertEquals([job.isEnded, lines.length], [true, 2]);
  lab.close();
});

Deno.test("all ways to make a process lead into the job", () => {
  const lab = new JobLab(), { job, main } = lab.start(), { kernel } = lab;
  const made = [
    Number(kernel.call(main, "fork")),
    Number(kernel.call(main, "clone", CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)),
    Number(kernel.call(main, "clone", CLONE_VM | SIGCHLD, 0, 0, 0, 0)),
    Number(kernel.call(main, "clone", CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)),
  ].map((tid) => lab.taskOf(tid));
  // The caller waits for this child.
  kernel.call(main, "clone", CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  made.push(lab.left.at(-1)!);
  assertEquals(made.map((task) => task.group.job === job), [true, true, true, true, true]);
  assertEquals([made[1]!.group.parent, job.groups.size, job.tasks], [null, 6, 6]);
  assertEquals(lab.init.group.job, null);
  lab.close();
});

Deno.test("a double fork with a session of its own and closed files is in the job", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start({}, true), { kernel } = lab;
  const middle = lab.fork(main);
  assert(Number(kernel.call(middle, "setsid")) > 0);
  const daemon = lab.fork(middle);
  assertEquals(kernel.call(daemon, "close_range", 0, 0xffffffff, 0), 0);
  kernel.call(middle, "exit_group", 0);
  assertEquals([daemon.group.parent === lab.init.group, daemon.group.job === job], [true, true]);
  // The listener kills the rest.
  kernel.call(main, "exit_group", 0);
  kernel.settle();
  assertEquals([lab.left, lines], [[], ["main 0 exit", "end exit"]]);
  lab.close();
});

Deno.test("a job is killed at its deadline", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start({ wallNs: 2 * SECOND });
  lab.fork(main);
  lab.kernel.pass(1.9 * SECOND);
  assertEquals([job.reason, job.isKilled, lab.left.length], [null, false, 2]);
  lab.kernel.pass(0.1 * SECOND);
  assertEquals([job.reason, lab.left], ["timeout", []]);
  assertEquals(lines, [`main ${SIGKILL} timeout`, "end timeout"]);
  assertEquals(lab.kernel.timers.size, 0);
  lab.close();
});

Deno.test("a deadline is moved and removed, and an ended job has none", () => {
  const lab = new JobLab(), { job, main } = lab.start({ wallNs: SECOND }), { kernel } = lab;
  job.setDeadline(3 * SECOND);
  kernel.pass(2 * SECOND);
  job.setDeadline(Infinity);
  kernel.pass(10 * SECOND);
  assertEquals([job.reason, job.isKilled], [null, false]);
  job.setDeadline(SECOND);
  kernel.call(main, "exit_group", 0);
  assertEquals([job.isEnded, kernel.timers.size], [true, 0]);
  job.setDeadline(SECOND);
  assertEquals(kernel.timers.size, 0);
  lab.close();
});

Deno.test("a deadline behind the end of the main process leaves the reason as it is", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start({ wallNs: SECOND });
  lab.fork(main);
  lab.kernel.call(main, "exit_group", 1);
  lab.kernel.pass(SECOND);
  assertEquals([job.reason, lab.left], ["exit", []]);
  assertEquals(lines, [`main ${statusExited(1)} exit`, "end exit"]);
  lab.close();
});

Deno.test("a process killed by a guest is no reason of the job's", () => {
  const lab = new JobLab(), { main, lines } = lab.start();
  assertEquals(lab.kernel.call(main, "kill", 0, SIGTERM), GONE);
  assertEquals(lines, [`main ${SIGTERM} signal`, "end signal"]);
  lab.close();
});

Deno.test("the first reason of a kill counts, and a second kill does nothing", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start({ wallNs: SECOND });
  job.kill("output");
  job.kill("killed");
  job.killRest();
  lab.kernel.settle();
  job.kill("oom");
  assertEquals([main.group.isReaped, job.reason], [true, "output"]);
  assertEquals(lines, [`main ${SIGKILL} output`, "end output"]);
  lab.close();
});

Deno.test("a process that is added to a killed or ended job is killed", () => {
  const lab = new JobLab(), { job, main } = lab.start(), { kernel } = lab;
  for (const end of [() => job.kill("killed"), () => kernel.settle()]) {
    end();
    const late = lab.fork(lab.init);
    late.group.job = job;
    job.tasks++;
    job.add(late.group);
    assertEquals(late.group.isExiting, true);
    kernel.settle();
  }
  assertEquals([main.group.isReaped, job.isEnded, job.tasks, lab.left], [true, true, 0, []]);
  lab.close();
});

Deno.test("clone fails with EAGAIN where a job has all its tasks, threads included", () => {
  const lab = new JobLab(), { job, main } = lab.start({ tasks: 3 }), { kernel } = lab;
  const child = lab.fork(main);
  assert(Number(kernel.call(main, "clone", THREAD, DATA + 0x8000, DATA, 0, 0)) > 0);
  assertEquals([kernel.call(main, "fork"), kernel.call(child, "fork")], [-EAGAIN, -EAGAIN]);
  assertEquals(kernel.call(child, "clone", THREAD, DATA + 0x8000, DATA, 0, 0), -EAGAIN);
  assert(Number(kernel.call(lab.init, "fork")) > 0);
  kernel.call(child, "exit_group", 0);
  assertEquals(kernel.call(main, "wait4", ANY, DATA, 0, 0), child.tid);
  lab.fork(main);
  assertEquals(job.tasks, 3);
  lab.close();
});

Deno.test("the program that makes a key on demand is in the job of the caller", () => {
  const lab = new JobLab(), { job, main } = lab.start({ tasks: 2 }), { kernel, init } = lab;
  assertEquals(mkdirAt(init, AT_FDCWD, "/sbin", 0o755), 0);
  lab.addProgram("/sbin/request-key");
  const put = (at: number, text: string) =>
    main.mm.copyOut(at, stringToBytes(`${text}\0`), 0, text.length + 1);
  put(DATA, "user");
  put(DATA + 128, "info");
  const request = (name: string) => {
    put(DATA + 64, name);
    return kernel.call(main, "request_key", DATA, DATA + 64, DATA + 128, 0);
  };
  assertEquals(request("one"), WAITS);
  const helper = lab.left.at(-1)!;
  assertEquals([helper.comm, helper.group.job === job, job.tasks], ["request-key", true, 2]);
  killGroup(helper.group, SIGKILL);
  kernel.settle();
  const other = lab.fork(main);
  assert(Number(request("two")) < 0);
  assertEquals(job.tasks, 2);
  // An idle first process gives no program its credentials.
  killGroup(other.group, SIGKILL);
  kernel.settle();
  init.group.isIdle = true;
  assert(Number(request("three")) < 0);
  assertEquals(job.tasks, 1);
  lab.close();
});

Deno.test("the OOM killer's choice of the main process is the job's reason", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start(), other = lab.fork(main);
  lab.kernel.oom.kill(other.group);
  lab.kernel.settle();
  assertEquals([job.reason, job.groups.size], [null, 1]);
  lab.kernel.oom.kill(main.group);
  lab.kernel.settle();
  const victims = [other, main].map(({ group }) => `oom ${group.pid}`);
  assertEquals(lines, [...victims, `main ${SIGKILL} oom`, "end oom"]);
  lab.close();
});

Deno.test("the CPU time of a job contains that of ended processes", () => {
  const lab = new JobLab(), { job, main } = lab.start(), child = lab.fork(main);
  main.userNs += 5000;
  child.userNs += 300;
  child.systemNs += 20;
  const before = job.cpuNs;
  killGroup(child.group, SIGKILL);
  lab.kernel.settle();
  assert(before >= 5320);
  assert(job.cpuNs >= before);
  lab.kernel.call(main, "exit_group", 0);
  assert(job.isEnded && job.cpuNs >= before);
  lab.close();
});
