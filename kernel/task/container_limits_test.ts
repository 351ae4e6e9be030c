import { assert, assertEquals } from "@std/assert";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { DATA, LabKernel } from "../testing/task_lab.ts";
import { Container } from "./container.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

const MAP_PRIVATE_ANONYMOUS = 0x22, PROT_READ_WRITE = 3, PAGE = 4096, PAGES = 64;

function contained(): { lab: LabKernel; task: Task; container: Container } {
  const lab = new LabKernel(), task = lab.start();
  const container = new Container("c", lab.pids, task.fs.namespace, task.ns, lab.accounts.open());
  task.group.container = container;
  container.groups.add(task.group);
  return { lab, task, container };
}

Deno.test("fork fails with EAGAIN where a container has all its tasks", () => {
  const { lab, task, container } = contained();
  container.tasksMax = 2;
  const pid = Number(lab.call(task, "fork"));
  assert(pid > 0);
  assertEquals(lab.call(task, "fork"), -EAGAIN);
  lab.call(task.pids.tasks.get(pid)!, "exit_group", 0);
  assertEquals(lab.call(task, "wait4", -1, DATA, 0, 0), pid);
  assert(Number(lab.call(task, "fork")) > 0);
  lab.close();
});

Deno.test("host threads count a process's own thread too", () => {
  const { lab, task, container } = contained();
  container.hostThreadsMax = 3;
  assert(Number(lab.call(task, "fork")) > 0);
  assertEquals(lab.call(task, "fork"), -EAGAIN);
  lab.close();
});

/** Touches some pages of its own. */
function fill(lab: LabKernel, task: Task): void {
  const flags = MAP_PRIVATE_ANONYMOUS;
  const at = Number(lab.call(task, "mmap", 0, PAGES * PAGE, PROT_READ_WRITE, flags, -1, 0));
  assert(at > 0);
  for (let i = 0; i < PAGES; i++) assertEquals(task.mm.store32(at + i * PAGE, 1), 0);
}

Deno.test("a container is looked at when guests have got what it lacks to its limit", () => {
  const { lab, task, container } = contained();
  // By the clock alone it is too soon for another look.
  const look = () => lab.oom.check(lab.host.monotonicNs() + 1e6);
  lab.oom.limit(container, 1 << 30);
  look();
  fill(lab, task);
  look();
  assertEquals(lab.oom.isNear, false);
  lab.oom.limit(container, 1.5 * PAGES * PAGE);
  look();
  assertEquals(lab.oom.kills, 0);
  fill(lab, task);
  look();
  assertEquals(lab.oom.kills, 1);
  lab.close();
});

Deno.test("the largest process of a container over its limit is killed, and none of another container", () => {
  const { lab, task, container } = contained();
  const killed: ThreadGroup[] = [];
  lab.oom.listener = { onOutOfMemory: (victim) => killed.push(victim) };
  const other = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  container.groups.delete(other.group);
  other.group.container = null;
  const big = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  fill(lab, other);
  fill(lab, other);
  fill(lab, big);
  lab.oom.limited.add(container);
  container.memoryMax = 1 << 30;
  lab.oom.check(1e9);
  assertEquals([killed.length, lab.oom.isNear], [0, false]);
  container.memoryMax = (PAGES - 1) * PAGE;
  lab.oom.check(2e9);
  assertEquals(killed.map((group) => group.pid), [big.group.pid]);
  assertEquals(lab.oom.kills, 1);
  lab.close();
});
