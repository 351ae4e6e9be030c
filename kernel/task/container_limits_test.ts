import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { CLONE_VM } from "../../ffi/abi/sched.ts";
import { SIGCHLD } from "../../ffi/abi/signal.ts";
import type { Account } from "../core/account.ts";
import { ADDRESS_SPACES } from "../core/quota.ts";
import { FakeSpace } from "../testing/fake_platform.ts";
import { DATA, LabKernel } from "../testing/task_lab.ts";
import { Container } from "./container.ts";
import { framesOf } from "../oom/frame_runs.ts";
import type { OomListener } from "../oom/oom_killer.ts";
import { KnownFrames } from "../oom/resident_count.ts";
import { FROZEN, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

const MAP_PRIVATE_ANONYMOUS = 0x22, PROT_READ_WRITE = 3, PAGES = 64, MANY_PAGES = 5000;

/** Keeps the victims, and `holds` them until they are released. */
class Recorder implements OomListener {
  readonly killed: ThreadGroup[];
  readonly holds: boolean;

  constructor(killed: ThreadGroup[], holds: boolean = false) {
    this.killed = killed;
    this.holds = holds;
  }

  onOutOfMemory(victim: ThreadGroup): boolean {
    this.killed.push(victim);
    return this.holds;
  }
}

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

Deno.test("address spaces are counted: fork fails with EAGAIN at the container's part", () => {
  const { lab, task, container } = contained();
  const { account } = task.group;
  account.moveTo(container.accounts.ofUser(0));
  const before = ADDRESS_SPACES.countOf(account);
  const pid = Number(lab.call(task, "fork"));
  assert(pid > 0);
  assertEquals(ADDRESS_SPACES.countOf(account), before + 1);
  const other = lab.accounts.open();
  let taken = 0;
  while (ADDRESS_SPACES.hasRoom(2, account)) taken += take(account);
  assertEquals(lab.call(task, "fork"), -EAGAIN);
  assert(Number(lab.call(task, "clone", CLONE_VM | SIGCHLD, 0, 0, 0, 0)) > 0);
  assert(ADDRESS_SPACES.hasRoom(1000, other.ofUser(0)), "those of another container");
  ADDRESS_SPACES.give(taken, account);
  lab.call(task.pids.tasks.get(pid)!, "exit_group", 0);
  assertEquals(ADDRESS_SPACES.countOf(account), before);
  lab.close();
});

Deno.test("an address space stays charged until its host process has ended", () => {
  const { lab, task, container } = contained();
  const { account } = task.group;
  account.moveTo(container.accounts.ofUser(0));
  const before = ADDRESS_SPACES.countOf(container.accounts.all);
  lab.platform.acksAtOnce = false;
  const pid = Number(lab.call(task, "fork"));
  const { space } = task.pids.tasks.get(pid)!.mm;
  lab.call(task.pids.tasks.get(pid)!, "exit_group", 0);
  assertEquals(lab.call(task, "wait4", -1, DATA, 0, 0), pid);
  lab.memory.reclaim();
  assertEquals(ADDRESS_SPACES.countOf(container.accounts.all), before + 1);
  let taken = 0;
  while (ADDRESS_SPACES.hasRoom(2, account)) taken += take(account);
  assertEquals(lab.call(task, "fork"), -EAGAIN);
  assert(space instanceof FakeSpace);
  space.die();
  assert(Number(lab.call(task, "fork")) > 0, "the call looks at the ends of host processes");
  ADDRESS_SPACES.give(taken, account);
  assertEquals(ADDRESS_SPACES.countOf(container.accounts.all), before + 1, "that of the new child");
  lab.close();
});

/** One more address space. */
function take(account: Account): number {
  ADDRESS_SPACES.add(1, account);
  return 1;
}

/** Touches some pages of its own. */
function fill(lab: LabKernel, task: Task, pages: number = PAGES): void {
  const flags = MAP_PRIVATE_ANONYMOUS;
  const at = Number(lab.call(task, "mmap", 0, pages * PAGE_SIZE, PROT_READ_WRITE, flags, -1, 0));
  assert(at > 0);
  for (let i = 0; i < pages; i++) assertEquals(task.mm.store32(at + i * PAGE_SIZE, 1), 0);
}

Deno.test("a container is measured when guests have allocated its remaining room", () => {
  const { lab, task, container } = contained();
  // By the clock alone it is too soon for another look.
  const look = () => lab.oom.check(lab.host.monotonicNs() + 1e6);
  lab.oom.limit(container, 1 << 30);
  look();
  fill(lab, task);
  look();
  assertEquals(lab.oom.isNear, false);
  lab.oom.limit(container, 1.5 * PAGES * PAGE_SIZE);
  look();
  assertEquals(lab.oom.kills, 0);
  fill(lab, task);
  look();
  assertEquals(lab.oom.kills, 1);
  lab.close();
});

Deno.test("only the largest process of a container over its limit is killed", () => {
  const { lab, task, container } = contained();
  const killed: ThreadGroup[] = [];
  lab.oom.listener = new Recorder(killed);
  const other = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  container.groups.delete(other.group);
  other.group.container = null;
  const big = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  fill(lab, other);
  fill(lab, other);
  fill(lab, big);
  lab.oom.limit(container, 1 << 30);
  lab.oom.check(1e9);
  assertEquals([killed.length, lab.oom.isNear], [0, false]);
  lab.oom.limit(container, (PAGES - 1) * PAGE_SIZE);
  lab.oom.check(2e9);
  assertEquals(killed.map((group) => group.pid), [big.group.pid]);
  assertEquals(lab.oom.kills, 1);
  lab.close();
});

Deno.test("a victim stands still while the host counts its kill, and none dies for it", () => {
  const { lab, task, container } = contained();
  const killed: ThreadGroup[] = [];
  lab.oom.listener = new Recorder(killed, true);
  const big = lab.pids.tasks.get(Number(lab.call(task, "fork")))!, { group, mm } = big;
  fill(lab, big);
  lab.oom.limit(container, (PAGES - 1) * PAGE_SIZE);
  lab.oom.check(1e9);
  lab.settle();
  assertEquals([killed, big.state, mm.isDestroyed], [[group], FROZEN, false]);
  lab.oom.check(2e9);
  lab.oom.release(task.group);
  lab.settle();
  assertEquals([killed, big.state, mm.isDestroyed], [[group], FROZEN, false]);
  lab.oom.release(group);
  lab.settle();
  assertEquals([group.tasks.length, mm.isDestroyed], [0, true]);
  lab.oom.check(3e9);
  assertEquals(killed, [group]);
  lab.close();
});

Deno.test("a victim does not stand still while others are given more memory", () => {
  const { lab, task, container } = contained();
  const killed: ThreadGroup[] = [];
  lab.oom.listener = new Recorder(killed, true);
  const first = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  const next = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  fill(lab, first);
  lab.oom.limit(container, (PAGES - 1) * PAGE_SIZE);
  lab.oom.check(1e9);
  lab.settle();
  assertEquals([killed, first.state], [[first.group], FROZEN]);
  fill(lab, next, MANY_PAGES);
  for (let tick = 1; next.group.tasks.length > 0 && tick < 20; tick++) {
    lab.oom.check(1e9 + tick * 1e6);
    lab.settle();
  }
  assertEquals([first.group.tasks.length, next.group.tasks.length], [0, 0]);
  assertEquals([killed, task.group.isExiting], [[first.group, next.group], false]);
  lab.close();
});

Deno.test("a fault without memory ends the wait of a victim", () => {
  const { lab, task, container } = contained();
  lab.oom.listener = new Recorder([], true);
  const big = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  fill(lab, big);
  lab.oom.limit(container, (PAGES - 1) * PAGE_SIZE);
  lab.oom.check(1e9);
  lab.settle();
  assertEquals(big.state, FROZEN);
  lab.oom.kill(task.group);
  lab.settle();
  assertEquals([big.group.tasks.length, task.group.tasks.length], [0, 0]);
  lab.close();
});

Deno.test("a domain over its limit without processes does not protect another one", () => {
  const { lab, task, container } = contained();
  fill(lab, task);
  const runs = framesOf([task.group]);
  lab.oom.limit(container, (PAGES - 1) * PAGE_SIZE);
  lab.oom.watch({ memoryMax: 0, has: () => false, frames: () => new KnownFrames(runs) });
  lab.oom.check(1e9);
  assertEquals([lab.oom.kills, task.group.isExiting], [1, true]);
  lab.close();
});

/** As many pages in pipes, which no process maps. */
function fillPipes(lab: LabKernel, task: Task): void {
  const bytes = 65536,
    from = Number(lab.call(task, "mmap", 0, bytes, PROT_READ_WRITE, 0x22, -1, 0));
  for (let left = PAGES * PAGE_SIZE; left > 0; left -= bytes) {
    assertEquals(lab.call(task, "pipe2", DATA, 0), 0);
    const fd = task.mm.load32(DATA + 4);
    assertEquals(lab.call(task, "write", fd, from, bytes), bytes);
  }
  assertEquals(lab.call(task, "munmap", from, bytes), 0);
}

Deno.test("bytes in pipes count for the container of their writer", () => {
  const { lab, task, container } = contained();
  const killed: ThreadGroup[] = [];
  lab.oom.listener = new Recorder(killed);
  const other = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  container.groups.delete(other.group);
  other.group.container = null;
  lab.oom.limit(container, 1.5 * PAGES * PAGE_SIZE);
  lab.oom.check(1e9);
  fillPipes(lab, task);
  lab.oom.check(2e9);
  assertEquals(killed, []);
  fillPipes(lab, task);
  lab.oom.check(3e9);
  assertEquals(killed, [task.group]);
  lab.close();
});
