import { assert, assertEquals } from "@std/assert";
import { SIGKILL, SIGTERM } from "../ffi/abi/signal.ts";
import { TEST_ACCOUNT } from "./core/account_testing.ts";
import { ENOENT, ENOTDIR } from "../ffi/abi/errno.ts";
import { AT_FDCWD } from "../ffi/abi/fcntl.ts";
import { dropContainer, newContainer, processesOf, signalContainer } from "./containers.ts";
import { rootCredentials } from "./cred/credentials.ts";
import { ContainerCaller, startIn, startInit } from "./init.ts";
import type { Container } from "./task/container.ts";
import { killGroup } from "./task/exit_request.ts";
import { FROZEN, RUNNING, Task } from "./task/task.ts";
import { MemoryManager } from "./mm/memory_manager.ts";
import { ContainerLab, Ends, interrupt, interruptAll, specOf } from "./testing/container_lab.ts";
import type { MountNamespace } from "./vfs/mounts.ts";
import { findAt } from "./vfs/status.ts";
import { listDir } from "./vfs/vfs_testing.ts";

Deno.test("two containers have their own first process, names and view of /proc", () => {
  const lab = new ContainerLab(), a = lab.container("a"), b = lab.container("b");
  const one = lab.start(a), two = lab.start(b), beside = lab.start(a);
  assertEquals([one.tid, two.tid, beside.tid], [1, 1, 2]);
  assertEquals([one.id.numbers, two.id.numbers, beside.id.numbers], [[1, 1], [2, 1], [3, 2]]);
  assertEquals([a.init === one.group, beside.group.parentPid], [true, 0]);
  assertEquals([one.ns.uts.hostname, two.ns.uts.hostname], ["a", "b"]);
  assert(one.ns.ipc !== two.ns.ipc && one.ns.net === two.ns.net);
  assertEquals(processesOf(a).map((p) => [p.pid, p.comm]), [[1, "prog"], [2, "prog"]]);
  lab.kernel.current = one;
  const pids = (task: Task) => listDir(task, "/proc").filter((n) => /^\d+$/.test(n));
  assertEquals([pids(one), pids(two)], [["1", "2"], ["1"]]);
  lab.close();
});

Deno.test("the end of a container's init is reported, and ends its other processes", () => {
  const lab = new ContainerLab(), a = lab.container("a"), b = lab.container("b");
  const first = new Ends(), second = new Ends();
  lab.start(a, first);
  lab.start(a, second);
  const other = lab.start(b);
  assertEquals(signalContainer(a, SIGKILL, false), true);
  interruptAll(lab, a);
  assertEquals([first.statuses, second.statuses], [[SIGKILL], [SIGKILL]]);
  assertEquals([a.init, a.groups.size, other.state], [null, 0, RUNNING]);
  assertEquals([lab.kernel.initStatus, signalContainer(a, SIGTERM, true)], [-1, false]);
  assertEquals(lab.kernel.pids.tasks.size, 1);
  dropContainer(a);
  lab.close();
});

Deno.test("containers that share a PID namespace end apart", () => {
  const lab = new ContainerLab(), a = lab.container("a"), b = lab.container("b", { pid: a });
  const one = lab.start(a), ends = new Ends(), two = lab.start(b, ends), beside = lab.start(b);
  assertEquals([one.tid, two.tid, beside.tid], [1, 2, 3]);
  assertEquals([b.init === two.group, processesOf(b).length], [true, 2]);
  signalContainer(b, SIGKILL, false);
  interruptAll(lab, b);
  assertEquals([ends.statuses, b.groups.size, one.state], [[SIGKILL], 0, RUNNING]);
  lab.close();
});

Deno.test("a frozen container takes SIGKILL, and goes on when it thaws", () => {
  const lab = new ContainerLab(), a = lab.container("a"), task = lab.start(a);
  a.freeze();
  assertEquals(task.attention, true);
  const late = startIn(lab.kernel, a, specOf(["/prog"]), null);
  assert(late instanceof Task);
  lab.settle();
  assertEquals(late.state, FROZEN);
  a.thaw();
  lab.settle();
  assertEquals(late.state, RUNNING);
  a.freeze();
  signalContainer(a, SIGKILL, true);
  interruptAll(lab, a);
  assertEquals(a.groups.size, 0);
  lab.close();
});

Deno.test("a held first process is stopped alone, also after a freeze", () => {
  const lab = new ContainerLab(), a = lab.container("a");
  a.isInitHeld = true;
  const [init, beside] = [startIn(lab.kernel, a, specOf(["/prog"]), null), lab.start(a)];
  assert(init instanceof Task);
  assertEquals([init.state, beside.state], [FROZEN, RUNNING]);
  a.freeze();
  a.thaw();
  lab.settle();
  assertEquals([init.state, beside.state], [FROZEN, RUNNING]);
  a.freeze();
  a.releaseInit();
  lab.settle();
  assertEquals(init.state, FROZEN);
  a.thaw();
  lab.settle();
  assertEquals(init.state, RUNNING);
  lab.close();
});

Deno.test("dentries below /proc/PID end with the process", () => {
  const lab = new ContainerLab(), a = lab.container("a"), { dentries } = lab.kernel.vfs;
  lab.start(a);
  const caller = new ContainerCaller(a, rootCredentials(), 0);
  const look = () => typeof findAt(caller, AT_FDCWD, "/proc/2/status", 0);
  assertEquals(look(), "number");
  const before = dentries.count, second = lab.start(a);
  assertEquals([look(), dentries.count - before], ["object", 2]);
  killGroup(second.group, SIGKILL);
  interrupt(lab, second);
  assertEquals([dentries.count - before, look()], [0, "number"]);
  lab.close();
});

Deno.test("a program that cannot start leaves no process", () => {
  const lab = new ContainerLab(), a = lab.container("a");
  assertEquals(startIn(lab.kernel, a, specOf(["nothing"]), null), {
    errno: ENOENT,
    what: "nothing",
  });
  assertEquals(startIn(lab.kernel, a, specOf(["/prog"], "/prog"), null), {
    errno: ENOTDIR,
    what: "/prog",
  });
  assertEquals([a.groups.size, lab.kernel.pids.tasks.size, a.init], [0, 0, null]);
  assertEquals(lab.start(a).tid, 1);
  lab.close();
});

Deno.test("the sandbox ends with its own first process, whatever else runs", () => {
  const lab = new ContainerLab(),
    namespace = lab.mounts(),
    root = startContainerless(lab, namespace);
  const a = lab.container("a");
  lab.start(a);
  assertEquals(root.id.numbers, [1]);
  lab.kernel.signalInit(SIGKILL);
  interrupt(lab, root);
  assertEquals(lab.kernel.initStatus, SIGKILL);
  lab.close();
});

function startContainerless(lab: ContainerLab, namespace: MountNamespace): Task {
  const container = newContainer(lab.kernel, {
    accounts: lab.kernel.accounts.open(),
    id: "files",
    mounts: namespace,
    hostname: "x",
    shares: {},
  });
  lab.fill(new ContainerCaller(container, rootCredentials(), 0));
  const task = startInit(lab.kernel, namespace, specOf(["prog"]));
  if (!(task instanceof Task)) throw new Error(`not started: ${task.errno}`);
  lab.settle();
  return task;
}

Deno.test("programs of a user share one layout, and privileged programs have others", () => {
  const lab = new ContainerLab(), a = lab.container("a"), b = lab.container("b");
  const start = (container: Container, uid: number, path = "/prog") =>
    lab.start(container, null, [path], uid).mm;
  const root = start(a, 0), user = start(a, 1000), again = start(a, 1000), other = start(b, 1000);
  lab.addProgram(new ContainerCaller(a, rootCredentials(), 0), "/su", 0o4755);
  const secure = start(a, 1000, "/su"), secureAgain = start(a, 1000, "/su");
  assertEquals([again.layout, again.sites], [user.layout, user.sites]);
  const apart = [root, user, other, secure, secureAgain];
  assertEquals(new Set(apart.map((mm) => mm.layout.stackTop)).size, apart.length);
  assertEquals(new Set(apart.map((mm) => mm.mmapBase)).size, apart.length);
  assertEquals(new Set(apart.map((mm) => mm.sites)).size, apart.length);
  assertEquals([user.unpatchedCalls, secure.unpatchedCalls > 0], [0, true]);
  // A child has its parent's, and what is patched outlives the container's own interest in it.
  const child = user.fork(TEST_ACCOUNT);
  assert(child instanceof MemoryManager);
  assertEquals([child.layout, child.sites], [user.layout, user.sites]);
  child.put();
  const { memory } = lab.kernel;
  assertEquals(memory.sites.size, 5);
  signalContainer(b, SIGKILL, true);
  interruptAll(lab, b);
  assertEquals(memory.sites.size, 5);
  dropContainer(b);
  assertEquals(memory.sites.size, 4);
  signalContainer(a, SIGKILL, true);
  interruptAll(lab, a);
  assertEquals(memory.sites.size, 2, "those of privileged programs end with them");
  dropContainer(a);
  assertEquals(memory.sites.size, 0);
  lab.close();
});
