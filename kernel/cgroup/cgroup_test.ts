import { assert, assertEquals, assertMatch } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { CGROUPS } from "../core/quota.ts";
import { EAGAIN, EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { majorOf, minorOf } from "../../ffi/abi/stat.ts";
import { rootCredentials } from "../cred/credentials.ts";
import { DATA, LabKernel } from "../testing/task_lab.ts";
import { KnownFrames } from "../oom/resident_count.ts";
import { FROZEN, type Task } from "../task/task.ts";
import { Cgroup } from "./cgroup.ts";
import { IoCharges } from "./io.ts";
import { currentBytes } from "./memory.ts";

interface GroupLab {
  readonly lab: LabKernel;
  readonly task: Task;
  readonly root: Cgroup;
  make(name: string, parent?: Cgroup): Cgroup;
  write(group: Cgroup, file: string, text: string): number;
  read(group: Cgroup, file: string): string | number;
}

function groupLab(): GroupLab {
  const lab = new LabKernel(), task = lab.start();
  const root = lab.namespaces.cgroup.roots.unified;
  const open = (group: Cgroup, name: string) => {
    lab.current = task;
    const file = group.listFiles().find((f) => f.name === name);
    assert(file !== undefined, `there is no ${name}`);
    return file.open(rootCredentials());
  };
  return {
    lab,
    task,
    root,
    make: (name, parent = root) => {
      const group = parent.makeChild(name, TEST_ACCOUNT);
      if (typeof group === "number") throw new Error(`${name}: ${group}`);
      return group;
    },
    write: (group, file, text) => open(group, file).write(text),
    read: (group, file) => open(group, file).read(),
  };
}

Deno.test("tasks are counted in their group and those above, and forks go with them", () => {
  const { lab, task, root, make, write, read } = groupLab();
  const a = make("a"), b = make("b", a);
  assertEquals([root.tasks, a.tasks], [1, 0]);
  assertEquals(write(b, "cgroup.procs", "0"), 0);
  const pid = Number(lab.call(task, "fork"));
  assertEquals([root.tasks, a.tasks, b.tasks, b.ownTasks, a.ownTasks], [2, 2, 2, 2, 0]);
  assertEquals(read(b, "cgroup.procs"), `1\n${pid}\n`);
  assertEquals(read(a, "cgroup.events"), "populated 1\nfrozen 0\n");
  assertEquals([b.remove(), a.remove()], [-EBUSY, -EBUSY]);
  lab.call(lab.pids.tasks.get(pid)!, "exit_group", 0);
  assertEquals(write(root, "cgroup.procs", "1"), 0);
  assertEquals(read(a, "cgroup.events"), "populated 0\nfrozen 0\n");
  assertEquals([b.remove(), a.remove(), root.tasks, root.descendants], [0, 0, 1, 0]);
  lab.close();
});

Deno.test("controllers: groups, delegation, and the state that goes with them", () => {
  const { lab, root, make, write, read } = groupLab();
  const a = make("a"), b = make("b", a);
  assertEquals(write(a, "cgroup.subtree_control", "+pids"), -ENOENT);
  assertEquals(write(root, "cgroup.subtree_control", "+pids +memory"), 0);
  assertEquals(read(a, "cgroup.controllers"), "memory pids\n");
  assertEquals(write(a, "pids.max", "3"), 0);
  assertEquals(write(a, "cgroup.subtree_control", "+pids +cpu"), -ENOENT);
  assertEquals(write(a, "cgroup.subtree_control", "+pids"), 0);
  assertEquals(write(root, "cgroup.subtree_control", "-pids"), -EBUSY);
  assertEquals(write(b, "cgroup.procs", "0"), 0);
  assertEquals(write(b, "cgroup.subtree_control", "+pids"), 0);
  assertEquals(write(a, "cgroup.subtree_control", "-pids"), -EBUSY);
  assertEquals(write(root, "cgroup.subtree_control", "-pids -rdma"), -EINVAL);
  assertEquals(write(root, "pids.max", "3"), -EPERM);
  assertEquals(write(root, "cgroup.freeze", "1"), -EPERM);
  lab.close();
});

Deno.test("a fork fails with EAGAIN in a full group, or in a group below it", () => {
  const { lab, task, root, make, write, read } = groupLab();
  const a = make("a");
  write(root, "cgroup.subtree_control", "+pids");
  const b = make("b", a);
  write(b, "cgroup.procs", "0");
  assertEquals(write(a, "pids.max", "2"), 0);
  const pid = Number(lab.call(task, "fork"));
  assert(pid > 0);
  assertEquals(lab.call(task, "fork"), -EAGAIN);
  assertEquals([read(a, "pids.events"), read(a, "pids.peak")], ["max 1\n", "2\n"]);
  lab.call(lab.pids.tasks.get(pid)!, "exit_group", 0);
  assertEquals(lab.call(task, "wait4", -1, DATA, 0, 0), pid);
  assert(Number(lab.call(task, "fork")) > 0);
  lab.close();
});

Deno.test("a new child of a frozen group does not run until it thaws", () => {
  const { lab, task, make, write, read } = groupLab();
  const a = make("a");
  const child = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  assertEquals(write(a, "cgroup.procs", String(child.group.pid)), 0);
  write(a, "cgroup.freeze", "1");
  lab.call(child, "getpid");
  assertEquals(child.state, FROZEN);
  lab.timers.expire(Infinity);
  assertEquals(read(a, "cgroup.events"), "populated 1\nfrozen 1\n");
  write(a, "cgroup.freeze", "0");
  assert(child.state !== FROZEN);
  assertEquals(read(a, "cgroup.events"), "populated 1\nfrozen 0\n");
  write(a, "cgroup.freeze", "1");
  write(a, "cgroup.kill", "1");
  assert(child.group.isExiting);
  lab.close();
});

Deno.test("cgroup.kill spares an idle process 1", () => {
  const { lab, task, make, write } = groupLab();
  const a = make("a"), child = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  task.group.isIdle = true;
  for (const { group } of [task, child]) write(a, "cgroup.procs", String(group.pid));
  assertEquals(write(a, "cgroup.kill", "1"), 0);
  assertEquals([task.group.isExiting, child.group.isExiting], [false, true]);
  lab.close();
});

const MAP_PRIVATE_ANONYMOUS = 0x22, PROT_READ_WRITE = 3, PAGES = 64;

Deno.test("memory stays charged to its task, and moves to the parent with its group", () => {
  const { lab, task, root, make, write } = groupLab();
  write(root, "cgroup.subtree_control", "+memory");
  const a = make("a");
  write(a, "cgroup.subtree_control", "+memory");
  const b = make("b", a);
  write(b, "cgroup.procs", "0");
  const flags = MAP_PRIVATE_ANONYMOUS;
  const at = Number(lab.call(task, "mmap", 0, PAGES * PAGE_SIZE, PROT_READ_WRITE, flags, -1, 0));
  for (let i = 0; i < PAGES; i++) assertEquals(task.mm.store32(at + i * PAGE_SIZE, 1), 0);
  const pages = b.memory.chargedPages;
  assert(pages >= PAGES, `${pages} pages`);
  assert(currentBytes(b) >= PAGES * PAGE_SIZE);
  assertEquals([a.memory.chargedPages, a.memory.promisedPages], [0, pages]);
  // The memory stays with the old group.
  write(root, "cgroup.procs", "0");
  assertEquals(b.memory.chargedPages, pages);
  assertEquals(b.remove(), 0);
  assertEquals(a.memory.chargedPages, pages);
  lab.call(task, "munmap", at, PAGES * PAGE_SIZE);
  lab.memory.frames.pool.trim();
  assert(a.memory.chargedPages <= pages - PAGES);
  lab.close();
});

Deno.test("the memory of a group is counted in several turns", () => {
  const { lab, root, make, write } = groupLab();
  write(root, "cgroup.subtree_control", "+memory");
  const a = make("a"), { arena, bounce } = lab.memory, page = (bounce - arena.base) / PAGE_SIZE;
  arena.words[(bounce - arena.base) / 4] = 1;
  const runs = Array.from({ length: 2000 }, () => ({ start: page, end: page + 1 }));
  Object.defineProperty(a.memory, "frames", { value: () => new KnownFrames(runs) });
  for (const name of ["memory.current", "memory.stat", "memory.numa_stat", "memory.peak"]) {
    const file = a.listFiles().find((f) => f.name === name)!.open(rootCredentials());
    let turns = 1, text = file.read();
    for (; text === -EAGAIN; turns++) text = file.read();
    assertMatch(String(text), new RegExp(`\\b${2000 * PAGE_SIZE}\n`));
    assert(turns > 2, `${name}: ${turns} turns`);
  }
  lab.close();
});

Deno.test("only the largest process of a group over its limit is killed", () => {
  const { lab, task, root, make, write, read } = groupLab();
  write(root, "cgroup.subtree_control", "+memory");
  const a = make("a");
  const children = [1, 2].map(() => lab.pids.tasks.get(Number(lab.call(task, "fork")))!);
  for (const child of children) write(a, "cgroup.procs", String(child.group.pid));
  const [big, small] = children;
  const at = Number(
    lab.call(big!, "mmap", 0, PAGES * PAGE_SIZE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0),
  );
  for (let i = 0; i < PAGES; i++) big!.mm.store32(at + i * PAGE_SIZE, 1);
  assertEquals(write(a, "memory.max", "32K"), 0);
  lab.oom.check(1e9);
  assertEquals([big!.group.isExiting, small!.group.isExiting], [true, false]);
  assertEquals(String(read(a, "memory.events")).includes("oom_kill 1\n"), true);
  lab.close();
});

Deno.test("a task that takes more in a group over memory.high is delayed", () => {
  const { lab, task, root, make, write, read } = groupLab();
  write(root, "cgroup.subtree_control", "+memory");
  const a = make("a");
  write(a, "cgroup.procs", "0");
  write(a, "memory.high", "64K");
  const flags = MAP_PRIVATE_ANONYMOUS;
  const at = Number(lab.call(task, "mmap", 0, PAGES * PAGE_SIZE, PROT_READ_WRITE, flags, -1, 0));
  const touch = (from: number, to: number) => {
    for (let i = from; i < to; i++) assertEquals(task.mm.store32(at + i * PAGE_SIZE, 1), 0);
  };
  touch(0, 1);
  lab.call(task, "getpid");
  assertEquals(read(a, "memory.events.local"), String(read(a, "memory.events")));
  touch(1, PAGES);
  lab.oom.check(1e9);
  lab.call(task, "getpid");
  assertEquals(task.state, FROZEN);
  assert(String(read(a, "memory.events")).includes("high 1\n"));
  lab.timers.expire(Infinity);
  assert(task.state !== FROZEN);
  lab.close();
});

Deno.test("a task over io.max is delayed, and the groups above count its bytes", () => {
  const { lab, task, root, make, write, read } = groupLab();
  const { fs } = task.fs.root.mount, { dev } = fs;
  fs.isStored = true;
  write(root, "cgroup.subtree_control", "+io");
  const a = make("a"), name = `${majorOf(dev)}:${minorOf(dev)}`, charges = new IoCharges(lab);
  write(a, "cgroup.procs", "0");
  assertEquals(write(a, "io.max", "0:4095 wbps=1"), -ENODEV);
  assertEquals(write(a, "io.max", `${name} wbps=4096`), 0);
  charges.charge(dev, 8192, false);
  lab.call(task, "getpid");
  assert(task.state !== FROZEN);
  charges.charge(dev, 4096, true);
  lab.call(task, "getpid");
  assertEquals(task.state, FROZEN);
  const line = `${name} rbytes=8192 wbytes=4096 rios=1 wios=1 dbytes=0 dios=0\n`;
  assertEquals([read(a, "io.stat"), read(root, "io.stat")], [line, line]);
  write(root, "cgroup.subtree_control", "-io");
  write(root, "cgroup.subtree_control", "+io");
  assertEquals([read(a, "io.stat"), read(a, "io.max")], ["", ""]);
  // More file systems than the limit.
  for (let i = 0; i < 100; i++) charges.charge(dev + i, 1, false);
  assertEquals(a.io.devices.length, 64);
  lab.close();
});

Deno.test("the depth and the number of groups are bounded", () => {
  const groups = () => CGROUPS.countOf(TEST_ACCOUNT);
  const { root } = groupLab(), { owner } = root.hierarchy, before = groups();
  let group = root;
  for (;;) {
    const next = group.makeChild("g", TEST_ACCOUNT);
    if (typeof next === "number") {
      assertEquals(next, -EAGAIN);
      break;
    }
    group = next;
  }
  assertEquals([group.depth, groups() - before], [256, 256]);
  owner.release();
  assertEquals([root.children.size, groups()], [0, before]);
  const rest = CGROUPS.limit - before;
  CGROUPS.add(rest, TEST_ACCOUNT);
  assertEquals(root.makeChild("g", TEST_ACCOUNT), -ENOMEM);
  CGROUPS.give(rest, TEST_ACCOUNT);
});
