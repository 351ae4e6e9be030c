import { assertEquals, assertMatch } from "@std/assert";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { bytesToString } from "../core/bytes.ts";
import { TaskPid } from "../task/pid_namespace.ts";
import { userCredentials } from "../cred/credentials.ts";
import { CpuInfo } from "./fs/cpu_info.ts";
import { SysctlStore } from "./fs/sysctl_store.ts";
import { ProcFsType } from "./fs/procfs.ts";
import { CallLab } from "../testing/call_lab.ts";
import { mkdirAt } from "../vfs/create.ts";
import { addMount } from "../vfs/mount_operations.ts";
import { findAt, readlinkAt } from "../vfs/status.ts";
import { listDir, mustOpen, readBytes } from "../vfs/vfs_testing.ts";
import { exitTask } from "../task/exit.ts";
import { BLOCKED, STOPPED, type Task } from "../task/task.ts";
import { ProcessGroup, Session, ThreadGroup } from "../task/thread_group.ts";
import { LoadAverage } from "../task/load_average.ts";
import { ProcFacts } from "./proc_facts.ts";
import { KernelProcSource } from "./proc_source.ts";

class Lab extends CallLab {
  readonly source: KernelProcSource;

  constructor() {
    super();
    const { kernel, task } = this;
    const facts = new ProcFacts(kernel, CpuInfo.fromHost(""), new SysctlStore());
    this.source = new KernelProcSource(kernel, facts, kernel.pids);
    kernel.current = task;
    task.comm = "lab";
    const fs = new ProcFsType(this.source).create(task, "proc", "");
    if (typeof fs === "number") throw new Error("no proc");
    mkdirAt(task, AT_FDCWD, "/proc", 0o755);
    const at = findAt(task, AT_FDCWD, "/proc", 0);
    if (typeof at === "number" || addMount(task, fs, at, 0, "proc") < 0) throw new Error("mount");
  }

  read(path: string): string {
    const file = mustOpen(this.task, path, 0), bytes = readBytes(file, 0, 1 << 16);
    file.drop();
    return bytesToString(bytes, 0, bytes.length);
  }

  /** Fields of stat behind the name, by their number in proc_pid_stat(5). */
  field(path: string, number: number): string {
    return this.read(path).replace(/^.*\) /s, "").trimEnd().split(" ")[number - 3] ?? "";
  }
}

function second(task: Task, parent: ThreadGroup): ThreadGroup {
  const id = new TaskPid(task.pids, [7]), pgrp = new ProcessGroup(id, new Session(id));
  const group = new ThreadGroup(id, parent, pgrp, 17, task.group.limits, 0);
  task.kernel.pids.groups.set(7, group);
  return group;
}

Deno.test("the files of the calling process are its own", () => {
  const lab = new Lab(), { task } = lab;
  assertEquals(readlinkAt(task, AT_FDCWD, "/proc/self"), "1");
  assertMatch(lab.read("/proc/self/stat"), /^1 \(lab\) R 0 1 1 0 -1 4194304 /);
  assertMatch(lab.read("/proc/self/maps"), / rw-p 00000000 00:00 0/);
  task.signals.blocked.add(40);
  task.sighand.of(15).handler = 1;
  task.sighand.of(10).handler = 0x1234;
  const status = lab.read("/proc/thread-self/status");
  assertMatch(status, /\nSigBlk:\t0000008000000000\nSigIgn:\t0{12}4000\nSigCgt:\t0{13}200\n/);
  task.state = STOPPED;
  assertEquals(lab.field("/proc/1/stat", 3), "T");
  task.state = BLOCKED;
  assertEquals(lab.field("/proc/1/stat", 3), "S");
  task.uninterruptible = true;
  assertEquals(lab.field("/proc/1/stat", 3), "D");
});

Deno.test("a zombie keeps name, user, parent and exit status until it is waited for", () => {
  const lab = new Lab(), { task, kernel } = lab;
  const zombie = second(task, task.group);
  zombie.isZombie = true;
  zombie.lastComm = "gone";
  zombie.lastCred = userCredentials(5, 6, [], { lo: 0, hi: 0 });
  zombie.exitStatus = 0x300;
  assertMatch(lab.read("/proc/7/stat"), /^7 \(gone\) Z 1 7 7 0 -1 \d+ .* 768\n$/);
  assertMatch(lab.read("/proc/7/status"), /\nUid:\t5\t5\t5\t5\nGid:\t6\t6\t6\t6\nFDSize:\t0\n/);
  assertEquals(listDir(task, "/proc/7/task"), ["7"]);
  assertEquals(lab.read("/proc/1/task/1/children"), "7 ");
  kernel.pids.groups.delete(7);
  assertEquals(listDir(task, "/proc").includes("7"), false);
});

Deno.test("CPU time of an ended task stays in the totals", () => {
  const lab = new Lab(), { task, kernel, source } = lab;
  task.userNs = 2e9;
  task.systemNs = 1e9;
  const before = source.machine();
  assertEquals([before.userNs, before.systemNs], [2e9, 1e9]);
  task.comm = "ended";
  exitTask(task);
  const after = source.machine();
  assertEquals([after.userNs, after.systemNs, after.tasks], [2e9, 1e9, 0]);
  assertEquals(task.group.lastComm, "ended");
  assertEquals(source.current(), null);
  assertEquals(kernel.pids.tasks.size, 0);
});

Deno.test("load averages approach an even load, and fall again", () => {
  const load = new LoadAverage();
  assertEquals(load.read(0, 0), [0, 0, 0]);
  let ns = 0;
  for (let i = 0; i < 60; i++) load.read(ns += 5e9, ns * 2);
  const busy = load.read(ns, 0);
  assertEquals(busy.map((l) => l.toFixed(2)), ["1.99", "1.26", "0.57"]);
  const once = new LoadAverage().read(300e9, 600e9);
  assertEquals(once.map((l) => l.toFixed(2)), ["1.99", "1.26", "0.57"]);
  assertEquals(load.read(ns + 3600e9, ns * 2).map((l) => l.toFixed(2)), ["0.00", "0.00", "0.01"]);
});
