/** Test of job_memory.ts: what is charged to a job, its limit, and limits around and inside it. */

import { assert, assertEquals } from "@std/assert";
import { O_CREAT, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { stringToBytes } from "../core/bytes.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { rootCredentials } from "../cred/credentials.ts";
import type { Cgroup } from "../cgroup/cgroup.ts";
import { chargesOf } from "../cgroup/charges.ts";
import type { Task } from "../task/task.ts";
import { DATA } from "../testing/task_lab.ts";
import { JobLab } from "./job_testing.ts";

const PAGES = 64, BYTES = PAGES * PAGE_SIZE;
const FLAGS = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE;

/** Touches PAGES pages of its own; the address. */
function fill(lab: JobLab, task: Task): number {
  const at = Number(lab.kernel.call(task, "mmap", 0, BYTES, RW, FLAGS, -1, 0));
  assert(at > 0);
  for (let i = 0; i < PAGES; i++) assertEquals(task.mm.store32(at + i * PAGE_SIZE, 1), 0);
  return at;
}

/** Writes as many pages into a file, which no process maps. */
function fillFile(lab: JobLab, task: Task, path: string): void {
  const { kernel } = lab, at = fill(lab, task);
  task.mm.copyOut(DATA, stringToBytes(`${path}\0`), 0, path.length + 1);
  const fd = Number(kernel.call(task, "open", DATA, O_RDWR | O_CREAT, 0o600));
  assertEquals(kernel.call(task, "write", fd, at, BYTES), BYTES);
  assertEquals(kernel.call(task, "munmap", at, BYTES), 0);
  assertEquals(kernel.call(task, "close", fd), 0);
  kernel.memory.frames.pool.trim();
}

function write(lab: JobLab, group: Cgroup, file: string, text: string): void {
  lab.kernel.current = lab.init;
  const found = group.listFiles().find(({ name }) => name === file);
  assertEquals(found?.open(rootCredentials()).write(text), 0, file);
}

/** A control group with the memory controller. */
function memoryGroup(lab: JobLab, name: string): Cgroup {
  const root = lab.kernel.namespaces.cgroup.roots.unified;
  write(lab, root, "cgroup.subtree_control", "+memory");
  const group = root.makeChild(name, TEST_ACCOUNT);
  if (typeof group === "number") throw new Error(`${name}: ${group}`);
  return group;
}

Deno.test("a job over its memory limit is killed as a whole, and no other process", () => {
  const lab = new JobLab(), { kernel } = lab;
  const { job, main, lines } = lab.start({ memoryBytes: 3.5 * BYTES });
  const child = lab.fork(main), other = lab.start(), bystander = other.main;
  for (let i = 0; i < 5; i++) fill(lab, bystander);
  fill(lab, main);
  kernel.oom.check(1e9);
  assertEquals([job.isKilled, kernel.oom.kills], [false, 0]);
  for (let i = 0; i < 3; i++) fill(lab, child);
  kernel.oom.check(2e9);
  kernel.settle();
  assertEquals([job.reason, lines.at(-1)], ["oom", "end oom"]);
  assertEquals(lines.filter((line) => line.startsWith("oom")).length, 1);
  assertEquals([bystander.group.isExiting, other.job.reason, kernel.oom.kills], [false, null, 1]);
  assert(job.peakMemoryBytes >= 3.5 * BYTES);
  assertEquals([kernel.oom.limited.size, job.memory.chargedPages], [0, 0]);
  lab.close();
});

Deno.test("files that its processes wrote count for a job until they are deleted", () => {
  const lab = new JobLab(), { job, main } = lab.start({ memoryBytes: 1.5 * BYTES });
  const before = job.memory.chargedPages;
  fillFile(lab, main, "/one");
  assert(job.memory.chargedPages >= before + PAGES);
  lab.kernel.oom.check(1e9);
  assertEquals(job.isKilled, false);
  fillFile(lab, main, "/two");
  lab.kernel.oom.check(2e9);
  assertEquals(job.reason, "oom");
  lab.close();
});

Deno.test("a move to a control group does not leave the job's limit, and counts for both", () => {
  const lab = new JobLab(), { kernel } = lab;
  const { job, main } = lab.start({ memoryBytes: 1.5 * BYTES });
  const a = memoryGroup(lab, "a");
  write(lab, a, "cgroup.procs", String(main.group.pid));
  const outside = job.memory.chargedPages;
  fill(lab, main);
  assert(a.memory.chargedPages >= PAGES);
  assertEquals(job.memory.chargedPages, outside + a.memory.chargedPages);
  kernel.oom.check(1e9);
  assertEquals(job.isKilled, false);
  // The group ends with pages of the job, and another group takes its id.
  write(lab, kernel.namespaces.cgroup.roots.unified, "cgroup.procs", String(main.group.pid));
  const inside = a.memory.chargedPages;
  assertEquals(a.remove(), 0);
  const b = memoryGroup(lab, "b");
  assertEquals([b.memory.ownId > 0, job.memory.chargedPages], [true, outside + inside]);
  write(lab, b, "cgroup.procs", String(main.group.pid));
  fill(lab, main);
  assert(b.memory.chargedPages >= PAGES && job.memory.chargedPages >= outside + 2 * PAGES);
  kernel.oom.check(2e9);
  assertEquals(job.reason, "oom");
  lab.close();
});

Deno.test("a job's limit holds when there is no id for a further share", () => {
  const lab = new JobLab(), { job, main } = lab.start({ memoryBytes: 1.5 * BYTES });
  fill(lab, main);
  chargesOf(lab.kernel).openShare = () => null;
  const a = memoryGroup(lab, "a"), before = job.memory.chargedPages;
  write(lab, a, "cgroup.procs", String(main.group.pid));
  fill(lab, main);
  assert(job.memory.chargedPages >= before + PAGES);
  lab.kernel.oom.check(1e9);
  lab.kernel.settle();
  assertEquals([job.reason, job.isEnded, job.memory.chargedPages], ["oom", true, 0]);
  lab.close();
});

Deno.test("memory of a job counts for its control group's limit", () => {
  const lab = new JobLab(), { job, main, lines } = lab.start({ memoryBytes: 1 << 30 });
  const a = memoryGroup(lab, "a"), child = lab.fork(main);
  write(lab, a, "cgroup.procs", String(child.group.pid));
  fill(lab, child);
  write(lab, a, "memory.max", "32K");
  lab.kernel.oom.check(1e9);
  lab.kernel.settle();
  // As on Linux the group's victim dies alone.
  assertEquals(lines, [`oom ${child.group.pid}`]);
  assertEquals([job.reason, job.groups.size], [null, 1]);
  lab.close();
});

Deno.test("a container's limit covers its jobs, set before them or later", () => {
  for (const isFirst of [true, false]) {
    const lab = new JobLab(), { kernel, container } = lab;
    if (isFirst) kernel.oom.limit(container, 1 << 30);
    const { job, main, lines } = lab.start({ memoryBytes: 1 << 30 });
    fill(lab, main);
    if (!isFirst) kernel.oom.limit(container, 1 << 30);
    const { memory } = container;
    assert(memory !== null && memory.promisedPages >= job.memory.chargedPages);
    fill(lab, main);
    assert(job.memory.chargedPages >= 2 * PAGES);
    assert(memory.promisedPages >= job.memory.chargedPages);
    kernel.oom.limit(container, BYTES);
    kernel.oom.check(1e9);
    kernel.settle();
    assertEquals([job.reason, lines.at(-1)], ["oom", "end oom"]);
    kernel.oom.forget(container);
    lab.close();
  }
});

Deno.test("what ended jobs leave in files is their container's, and ids are used again", () => {
  const lab = new JobLab(), { kernel, container, init } = lab, count = 600;
  kernel.oom.limit(container, 1 << 40);
  const memory = container.memory!, ids = new Set<number>();
  let left = 0;
  for (let i = 0; i < count; i++) {
    const { job, main } = lab.start();
    const before = memory.chargedPages;
    const share = job.memory.shareOf(memory.ownerId);
    ids.add(share);
    kernel.call(main, "memfd_create", DATA, 0);
    const fd = Number(kernel.outcome(main));
    assert(fd >= 0);
    // The file outlives the job, because another process has it open.
    assertEquals(kernel.call(main, "ftruncate", fd, PAGE_SIZE), 0);
    assertEquals(kernel.call(main, "write", fd, DATA, 1), 1);
    if (i % 100 === 0) init.files.install(main.files.get(fd)!.hold(), false, 1024);
    kernel.call(main, "exit_group", 0);
    assert(job.isEnded && job.memory.chargedPages === 0);
    if (i % 100 === 0) left++;
    kernel.memory.frames.pool.trim();
    assert(memory.chargedPages <= before + 1, `job ${i}`);
  }
  while (!kernel.vfs.deferred.isEmpty) kernel.vfs.deferred.step();
  assert(ids.size <= left + 2, `${ids.size} ids`);
  assert(memory.chargedPages >= left);
  lab.close();
});

Deno.test("shares of ended jobs are passed on when there are many", () => {
  const lab = new JobLab(), { kernel, container, init } = lab, count = 300;
  kernel.oom.limit(container, 1 << 40);
  const memory = container.memory!, charges = chargesOf(kernel), kept: number[] = [];
  for (let i = 0; i < count; i++) {
    const { main } = lab.start();
    const fd = Number(kernel.call(main, "memfd_create", DATA, 0));
    assertEquals(kernel.call(main, "write", fd, DATA, 1), 1);
    kept.push(init.files.install(main.files.get(fd)!.hold(), false, 1024));
    kernel.call(main, "exit_group", 0);
  }
  while (!kernel.vfs.deferred.isEmpty) kernel.vfs.deferred.step();
  assert(charges.oldShares < count / 2, `${charges.oldShares} shares`);
  const before = memory.chargedPages;
  assert(before >= count);
  for (const fd of kept) init.files.close(fd);
  kernel.memory.frames.pool.trim();
  assertEquals(memory.chargedPages, before - count);
  lab.close();
});

Deno.test("the peak of a job is measured at its end, and by samples before", () => {
  const lab = new JobLab(), { kernel } = lab, short = lab.start(), long = lab.start();
  fill(lab, short.main);
  kernel.call(short.main, "exit_group", 0);
  assert(short.job.peakMemoryBytes >= BYTES);
  const at = fill(lab, long.main);
  assertEquals(long.job.peakMemoryBytes, 0);
  kernel.pass(20_000_000);
  assert(long.job.peakMemoryBytes >= BYTES);
  kernel.call(long.main, "munmap", at, BYTES);
  kernel.call(long.main, "exit_group", 0);
  assert(long.job.peakMemoryBytes >= BYTES);
  assertEquals(kernel.timers.size, 0);
  lab.close();
});
