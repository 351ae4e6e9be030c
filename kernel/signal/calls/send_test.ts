/** kill(2) for many processes: in turns of the loop, and all of them get the signal. */

import { assert, assertEquals } from "@std/assert";
import { SIGKILL, SIGUSR1 } from "../../../ffi/abi/signal.ts";
import { ESRCH } from "../../../ffi/abi/errno.ts";
import { GONE, LabKernel, WAITS } from "../../testing/task_lab.ts";
import type { Task } from "../../task/task.ts";
import { TURN_KILLS } from "./send.ts";

/** Init, and a process whose children are in its process group, with SIGUSR1 blocked. */
function family(count: number): { kernel: LabKernel; init: Task; parent: Task; all: Task[] } {
  const kernel = new LabKernel(), init = kernel.start();
  const fork = (by: Task) => kernel.pids.tasks.get(Number(kernel.call(by, "fork")))!;
  const parent = fork(init);
  assertEquals(kernel.call(parent, "setpgid", 0, 0), 0);
  parent.signals.blocked.add(SIGUSR1);
  return { kernel, init, parent, all: Array.from({ length: count }, () => fork(parent)) };
}

function signalled(tasks: readonly Task[]): number {
  return tasks.filter(({ group }) => group.pending.set.has(SIGUSR1)).length;
}

Deno.test("a turn of kill signals so many processes, and those that are made meanwhile", () => {
  const { kernel, init, parent, all } = family(2 * TURN_KILLS + 10);
  assertEquals(kernel.call(init, "kill", -parent.pid, SIGUSR1), WAITS);
  assertEquals(signalled([parent, ...all]), TURN_KILLS);
  const late = kernel.pids.tasks.get(Number(kernel.call(all.at(-1)!, "fork")))!;
  kernel.pass(0);
  assertEquals([kernel.outcome(init), signalled([parent, ...all])], [WAITS, 2 * TURN_KILLS]);
  kernel.pass(0);
  assertEquals([kernel.outcome(init), signalled([...all, late])], [0, all.length + 1]);
  kernel.close();
});

Deno.test("kill(-1) leaves init and the caller out", () => {
  const { kernel, init, parent, all } = family(TURN_KILLS);
  assertEquals(kernel.call(parent, "kill", -1, SIGUSR1), WAITS);
  kernel.pass(0);
  assertEquals([kernel.outcome(parent), signalled(all)], [0, all.length]);
  assertEquals(signalled([init, parent]), 0);
  kernel.close();
  const lonely = new LabKernel(), first = lonely.start();
  assertEquals(lonely.call(first, "kill", -1, SIGUSR1), -ESRCH);
  lonely.close();
});

Deno.test("a process that kills its own group kills all of it", () => {
  const { kernel, parent, all } = family(2 * TURN_KILLS);
  assertEquals(kernel.call(parent, "kill", 0, SIGKILL), GONE);
  kernel.pass(0);
  assert(all.every((task) => task.group.isExiting));
  kernel.close();
});
