/** Long calls of a group that is over its quota (cpu.max). */

import { assert, assertEquals } from "@std/assert";
import { BLOCK } from "../core/result.ts";
import { ContainerLab } from "../testing/container_lab.ts";
import { LabKernel } from "../testing/task_lab.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import { moveTask } from "./group_set.ts";

const PERIOD_NS = 100_000_000;

/** A task in a group that may use a tenth of a CPU. */
function limited(): { lab: LabKernel; task: Task; group: Cgroup; startNs: number } {
  const lab = new LabKernel(), task = lab.start();
  const group = lab.namespaces.cgroup.roots.unified.makeChild("g", lab.accounts.root);
  assert(typeof group !== "number");
  moveTask(task, group);
  const startNs = lab.host.nowNs;
  group.cpu.setQuota(10_000, 100_000);
  return { lab, task, group, startNs };
}

/** The time of the next turn of a call that yields now, in periods since the start. */
function nextTurn(task: Task, startNs: number): number {
  assertEquals(task.yieldTurn(), BLOCK);
  const periods = (task.timeout.deadlineNs - startNs) / PERIOD_NS;
  task.endWait();
  return Math.round(periods * 100) / 100;
}

Deno.test("a long call of a throttled group has its next turn when the period is over", () => {
  const { lab, task, group, startNs } = limited();
  assertEquals(nextTurn(task, startNs), 0);
  // The task uses 10 ms, and turns of the kernel's loop count too.
  task.systemNs += 2_000_000;
  lab.pass(10_000_000);
  assert(group.freeze.isThrottled);
  assertEquals(nextTurn(task, startNs), 1);
  lab.pass(PERIOD_NS);
  assert(!group.freeze.isThrottled);
  assertEquals(nextTurn(task, startNs), 1.1);
  lab.close();
});

Deno.test("later periods pay for time beyond the quota", () => {
  const { lab, task, startNs } = limited();
  task.systemNs += 25_000_000;
  lab.pass(10_000_000);
  assertEquals(nextTurn(task, startNs), 3);
  lab.close();
});

Deno.test("a call that holds the lock of its memory goes on, as do other groups", () => {
  const { lab, task, group, startNs } = limited(), other = lab.start();
  task.systemNs += 2_000_000;
  lab.pass(10_000_000);
  assert(group.freeze.isThrottled);
  task.mm.changes.take(task, 0, 0);
  assertEquals(nextTurn(task, startNs), 0.1);
  task.mm.changes.leave(task);
  assertEquals(nextTurn(task, startNs), 1);
  assertEquals(nextTurn(other, startNs), 0.1);
  lab.close();
});

Deno.test("a quota that was set before the first process holds that one too", () => {
  const lab = new ContainerLab(), container = lab.container("box"), { kernel } = lab;
  const group = container.ns.cgroup.roots.unified;
  group.cpu.setQuota(10_000, 100_000);
  const task = lab.start(container);
  task.systemNs += 20_000_000;
  kernel.timers.expire(kernel.now() + PERIOD_NS / 2);
  assert(group.freeze.isThrottled);
  lab.close();
});
