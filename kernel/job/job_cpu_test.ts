/** Test of job_cpu.ts: the tasks of a job over its quota stand still until the next period. */

import { assert, assertEquals } from "@std/assert";
import { BLOCK } from "../core/result.ts";
import { FROZEN, RUNNING } from "../task/task.ts";
import { JobLab } from "./job_testing.ts";

const MS = 1_000_000, PERIOD_NS = 100 * MS;

Deno.test("the processes of a job share its quota, and others do not notice", () => {
  const lab = new JobLab(), { kernel } = lab, { job, main } = lab.start({ cpus: 0.1 });
  const child = lab.fork(main), other = lab.start().main;
  main.systemNs += 6 * MS;
  child.systemNs += 6 * MS;
  kernel.pass(12 * MS);
  assertEquals([job.cpu.isThrottled, main.state, child.state], [true, FROZEN, FROZEN]);
  assertEquals([other.state, lab.init.state], [RUNNING, RUNNING]);
  // Both run whenever they may.
  const before = job.cpuNs, steps = 500;
  for (let step = 0; step < steps; step++) {
    for (const task of [main, child]) if (task.state === RUNNING) task.systemNs += 4 * MS;
    kernel.pass(4 * MS);
  }
  const share = (job.cpuNs - before) / (steps * 4 * MS);
  assert(share > 0.07 && share < 0.13, `${share} processors`);
  lab.close();
});

Deno.test("a new process of a throttled job does not run, and its calls wait too", () => {
  const lab = new JobLab(), { kernel } = lab, { job, main } = lab.start({ cpus: 0.1 });
  const child = lab.fork(main);
  main.systemNs += 15 * MS;
  // The fork comes while the job runs, and its return behind the quota.
  kernel.pass(10 * MS);
  assertEquals([job.cpu.isThrottled, child.state], [true, FROZEN]);
  assertEquals(main.yieldTurn(), BLOCK);
  assert(main.timeout.deadlineNs >= kernel.now() + PERIOD_NS / 2);
  main.endWait();
  lab.close();
});

Deno.test("neither a thaw of the container nor a move lets a throttled job go", () => {
  const lab = new JobLab(), { kernel, container } = lab;
  const { job, main } = lab.start({ cpus: 0.1 });
  main.systemNs += 25 * MS;
  kernel.pass(10 * MS);
  container.freeze();
  container.thaw();
  kernel.settle();
  assertEquals([job.cpu.isThrottled, main.state], [true, FROZEN]);
  lab.close();
});

Deno.test("a throttled job is killed at its deadline", () => {
  const lab = new JobLab(), { kernel } = lab;
  const { job, main, lines } = lab.start({ cpus: 0.1, wallNs: 50 * MS });
  lab.fork(main);
  main.systemNs += 100 * MS;
  kernel.pass(20 * MS);
  assertEquals(job.cpu.isThrottled, true);
  kernel.pass(30 * MS);
  assertEquals([lines.at(-1), kernel.timers.size], ["end timeout", 0]);
  lab.close();
});

Deno.test("a job without a share has no timer for it", () => {
  const lab = new JobLab(), { job } = lab.start();
  job.memory.end();
  assertEquals([lab.kernel.timers.size, job.cpu.quotaUs], [0, Infinity]);
  lab.close();
});

Deno.test("a job whose processes have used its CPU time together is killed whole", () => {
  const lab = new JobLab(), { kernel } = lab;
  const { job, main, lines } = lab.start({ cpuNs: 1000 * MS }, true), free = lab.start().job;
  const child = lab.fork(main);
  main.systemNs += 400 * MS;
  child.systemNs += 400 * MS;
  kernel.pass(1 * MS);
  assertEquals([job.isKilled, job.reason], [false, null]);
  child.systemNs += 300 * MS;
  kernel.pass(200 * MS);
  kernel.settle();
  assertEquals([job.isEnded, job.reason, lines.at(-1)], [true, "cpu", "end cpu"]);
  assertEquals(free.isKilled, false);
  lab.close();
});
