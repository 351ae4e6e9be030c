/** Test of jobs around `startIn` (init.ts), which starts their main processes. */

import { assert, assertEquals } from "@std/assert";
import { ENOENT } from "../../ffi/abi/errno.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { startIn } from "../init.ts";
import type { Container } from "../task/container.ts";
import { RUNNING, Task } from "../task/task.ts";
import { ContainerLab, interrupt, specOf } from "../testing/container_lab.ts";
import { Job } from "./job.ts";
import { Reports } from "./job_testing.ts";

const LIMITS = { wallNs: 1e9, cpuNs: Infinity, memoryBytes: 1 << 30, tasks: 10, cpus: 1 };

function start(lab: ContainerLab, container: Container, job: Job): Task {
  const task = startIn(lab.kernel, container, specOf(["/prog"]), null, job);
  if (!(task instanceof Task)) throw new Error(`not started: ${task.errno}`);
  return task;
}

Deno.test("a job that is killed before the first instruction of its program runs none", () => {
  for (const isBefore of [true, false]) {
    const lab = new ContainerLab(), a = lab.container("a"), listener = new Reports();
    lab.start(a);
    const job = new Job(lab.kernel, a, LIMITS, listener);
    if (isBefore) job.kill("killed");
    const main = start(lab, a, job);
    if (!isBefore) job.kill("killed");
    lab.settle();
    assertEquals(main.stopCount, 0);
    assertEquals(listener.lines, [`main ${SIGKILL} killed`, "end killed"]);
    assertEquals([lab.kernel.timers.size, lab.kernel.oom.limited.size], [0, 0]);
    lab.close();
  }
});

Deno.test("a second process that is started in a job is not its main process", () => {
  const lab = new ContainerLab(), a = lab.container("a"), listener = new Reports();
  lab.start(a);
  const job = new Job(lab.kernel, a, LIMITS, listener);
  const main = start(lab, a, job), second = start(lab, a, job);
  lab.settle();
  assertEquals([job.main === main.group, job.tasks, second.state], [true, 2, RUNNING]);
  job.kill("output");
  for (const task of [main, second]) interrupt(lab, task);
  assertEquals(listener.lines, [`main ${SIGKILL} output`, "end output"]);
  lab.close();
});

Deno.test("a job whose program cannot start holds nothing", () => {
  const lab = new ContainerLab(), a = lab.container("a"), listener = new Reports();
  lab.start(a);
  const before = lab.kernel.timers.size, job = new Job(lab.kernel, a, LIMITS, listener);
  const failure = startIn(lab.kernel, a, specOf(["/nothing"]), null, job);
  assert("errno" in failure);
  assertEquals([failure.errno, job.main, job.tasks], [ENOENT, null, 0]);
  assertEquals([lab.kernel.timers.size, lab.kernel.oom.limited.size], [before, 0]);
  lab.close();
});
